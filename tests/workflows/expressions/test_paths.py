"""What can be reached, and what is said when something can't."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.workflows.expressions.helpers import render_error, template_error, value_of
from workflows.expressions import MissingError, RenderError, render


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("trigger.payload.order.id", 7),
        ("trigger['payload']['order']['id']", 7),
        ("trigger.payload.user['first name']", "Ada"),
        ("trigger.headers['x-request-id']", "r-1"),
        ("trigger.payload.order.items", ["pen", "ink"]),
        ("trigger.payload.order.items[0]", "pen"),
        ("trigger.payload.order.items.0", "pen"),
        ("trigger.payload.order.items[-1]", "ink"),
        ("trigger.payload.order.items[1 - 1]", "pen"),
        ("trigger.payload.order.items[-2]", "pen"),
        ("trigger.payload.order['i' ~ 'd']", 7),
        ("trigger.payload[0]", "zero"),
        ("trigger.payload.0", "zero"),
        ("trigger.payload[1 - 1]", "zero"),
        ("variables.keys", ["x"]),
        ("trigger.payload.order.note", None),
        ("[[1, 2], [3]][0][1]", 2),
        ("{'a': {'b': 1}}.a.b", 1),
        ("(trigger.payload).order.id", 7),
    ],
)
def test_keys_of_mappings_and_indexes_of_lists_are_reached(
    expression: str, expected: Any
) -> None:
    assert value_of(expression) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "steps.notify.body.id",
            "steps.notify.body.id: no such key 'id'; there are: name, total",
        ),
        (
            "notify.body.id",
            "steps.notify.body.id: no such key 'id'; there are: name, total",
        ),
        (
            "steps.notify.headers.etag",
            "steps.notify.headers.etag: no such key 'headers' in steps.notify; "
            "there are: status, body",
        ),
        (
            "trigger.payload.user.name.first",
            "trigger.payload.user.name.first: trigger.payload.user.name is a string, "
            "which has no keys",
        ),
        (
            "trigger.payload.order.note.text",
            "trigger.payload.order.note.text: trigger.payload.order.note is none, "
            "which has no keys",
        ),
        (
            "trigger.payload.order.items[2]",
            "trigger.payload.order.items[2]: trigger.payload.order.items "
            "is a list of 2",
        ),
        (
            "trigger.payload.order.items[-3]",
            "trigger.payload.order.items[-3]: trigger.payload.order.items "
            "is a list of 2",
        ),
        (
            "trigger.payload.order.items.pen",
            "trigger.payload.order.items.pen: trigger.payload.order.items is a list: "
            "[0] or | first take one of it",
        ),
        ("item.name", "item.name: item is not available here"),
        ("item", "item: item is not available here"),
        (
            "secrets.TOKEN",
            "secrets.TOKEN: secrets is not available here",
        ),
        (
            "run['no such']",
            "run[\"no such\"]: no such key 'no such'; there are: id",
        ),
        ("action-1.body", "steps.action-1.body: no such key 'body'; there are: status"),
        ("{'a': 1}.b", "(...).b: no such key 'b'; there are: a"),
        ("[1][3]", "(...)[3]: (...) is a list of 1"),
        ("{}.a", "(...).a: no such key 'a'; there are none"),
    ],
)
def test_a_path_that_leads_nowhere_is_named_in_full(
    expression: str, message: str
) -> None:
    assert render_error(expression) == message


def test_at_most_eight_keys_are_told_and_long_ones_are_cut() -> None:
    message = render_error("item.x", item={"k" * 100: 1, **dict.fromkeys("abcdefghij")})
    assert message == (
        "item.x: no such key 'x'; there are: " + "k" * 40 + ", a, b, c, d, e, f, g, ..."
    )


def test_a_computed_key_is_not_told_because_it_is_a_value() -> None:
    message = render_error("trigger[item]", item="hunter2")
    assert "hunter2" not in message
    assert message.startswith("trigger[...]: no such key; there are: id, payload")


def test_names_of_secrets_are_not_listed() -> None:
    message = render_error("secrets.A", secrets={"OTHER": "s3cr3t"})
    assert message == "secrets.A: no such key 'A'"


def test_a_secret_is_reached_where_the_scope_offers_it() -> None:
    assert value_of("secrets.A", secrets={"A": "s3cr3t"}) == "s3cr3t"


@pytest.mark.parametrize(
    "expression",
    [
        "trigger.payload.user.name[0]",
        "trigger.payload.user.name['upper']",
        "trigger.payload.paid.real",
        "trigger.payload.order.id.numerator",
        "trigger.payload.get",
        "trigger.payload[item]",
        "trigger.payload.order.items[item]",
        "trigger.payload.order.items['0']",
    ],
)
@pytest.mark.parametrize("item", [None, True, [1], {"a": 1}, 1.0, 2**70])
def test_strings_numbers_and_odd_keys_lead_nowhere(expression: str, item: Any) -> None:
    with pytest.raises(MissingError):
        value_of(expression, item=item)


@pytest.mark.parametrize(
    "expression", ["trigger[none]", "trigger[true]", "trigger[1.5]"]
)
def test_a_constant_that_can_be_no_key_is_refused_at_once(expression: str) -> None:
    assert template_error(expression) == "a key is a string or a whole number"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'hello'[:2]", "he"),
        ("'hello'[1:]", "ello"),
        ("'hello'[-3:-1]", "ll"),
        ("'hello'[4:2]", ""),
        ("'hello'[:]", "hello"),
        ("'hello'[2:1000000]", "llo"),
        ("[1, 2, 3][:2]", [1, 2]),
        ("[1, 2, 3][index:]", [2, 3]),
        ("[1, 2, 3][:2][0]", 1),
        ("trigger.payload.order.items[1:]", ["ink"]),
    ],
)
def test_slices_of_strings_and_lists(expression: str, expected: Any) -> None:
    assert value_of(expression, index=1) == expected


def test_a_slice_needs_whole_numbers_and_something_to_cut() -> None:
    assert "not a string" in render_error("[1][item:]", item="1")
    assert "not a boolean" in render_error("[1][:item]", item=True)
    assert "a mapping cannot be cut" in render_error("trigger[:1]")
    assert "no step" in template_error("[1, 2][::2]")


class Lazy(Mapping[str, Any]):
    """A mapping that is no dict, as the engine may offer for steps."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


def test_a_mapping_that_is_no_dict_serves_as_one() -> None:
    scope = Lazy({"steps": Lazy({"one": {"status": 200}})})
    assert render("{{ steps.one.status }}", scope) == 200
    assert render("{{ one.status }}", scope, known_names=["one"]) == 200
    whole = render("{{ steps }}", scope)
    assert whole == {"one": {"status": 200}}
    assert type(whole) is dict
    assert render("{{ steps | json }}", scope) == '{"one":{"status":200}}'
    with pytest.raises(MissingError, match="there are: one"):
        render("{{ steps.two }}", scope)


def test_asking_for_a_key_does_not_make_it() -> None:
    data: dict[str, Any] = defaultdict(dict)
    with pytest.raises(MissingError):
        value_of("item.x", item=data)
    assert data == {}


class Trap:
    """An object that would notice any touch."""

    secret = "s3cr3t"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    def __str__(self) -> str:
        raise AssertionError

    def __bool__(self) -> bool:
        raise AssertionError


@pytest.mark.parametrize(
    "expression",
    ["item", "item.secret", "item['secret']", "item ~ ''", "item | json", "[item]"],
)
def test_an_object_that_is_not_json_gives_nothing_away(expression: str) -> None:
    with pytest.raises(RenderError) as caught:
        value_of(expression, item=Trap())
    assert "s3cr3t" not in str(caught.value)
    assert "Trap (not JSON)" in str(caught.value)

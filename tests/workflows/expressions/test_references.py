"""What a tree refers to, read without any data."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from workflows.expressions import TemplateError, parse, references, render, templates
from workflows.expressions import template as template_module

KNOWN = ["notify", "action-1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", set()),
        ("{{ 1 }}", set()),
        ("{{ trigger }}", {("trigger",)}),
        ("{{ trigger.payload.id }}", {("trigger", "payload", "id")}),
        ("{{ trigger['payload']['a b'] }}", {("trigger", "payload", "a b")}),
        ("{{ steps.notify.body }}", {("steps", "notify", "body")}),
        ("{{ notify.body }}", {("steps", "notify", "body")}),
        ("{{ notify }}", {("steps", "notify")}),
        ("{{ action-1.status }}", {("steps", "action-1", "status")}),
        ("{{ steps.action-1.status }}", {("steps", "action-1", "status")}),
        ("{{ steps['action-1'].status }}", {("steps", "action-1", "status")}),
        ("{{ steps.unknown.x }}", {("steps", "unknown", "x")}),
        ("{{ steps['not yet'].x }}", {("steps", "not yet", "x")}),
        ("{{ steps[item.name].body }}", {("steps",), ("item", "name")}),
        ("{{ steps['a' ~ index].x }}", {("steps",), ("index",)}),
        ("{{ notify.body[item].x }}", {("steps", "notify", "body"), ("item",)}),
        ("{{ notify.body[0].x }}", {("steps", "notify", "body")}),
        ("{{ notify.body[1:index].x }}", {("steps", "notify", "body"), ("index",)}),
        (
            "{{ trigger.a | default(notify.b) | default(secrets.C ~ variables.d) }}",
            {
                ("trigger", "a"),
                ("steps", "notify", "b"),
                ("secrets", "C"),
                ("variables", "d"),
            },
        ),
        ("{{ [1] | map(attribute=item.x) }}", {("item", "x")}),
        ("{{ trigger.x is eq run.id }}", {("trigger", "x"), ("run", "id")}),
        ("{{ trigger.x is defined }}", {("trigger", "x")}),
        (
            "{{ item.a if index > 1 else run.b }}",
            {("item", "a"), ("index",), ("run", "b")},
        ),
        (
            "{{ not trigger.a and -item.b < 1 in [run.c] }}",
            {("trigger", "a"), ("item", "b"), ("run", "c")},
        ),
        ("{{ {'k': trigger.a}.k ~ (item.b) }}", {("trigger", "a"), ("item", "b")}),
        ("a {{ trigger.a }} b {{ trigger.b }}", {("trigger", "a"), ("trigger", "b")}),
        ("{{ 'steps.notify.x' }}", set()),
        ("{# {{ trigger.a }} #}", set()),
    ],
)
def test_static_paths_are_found(text: str, expected: set[tuple[str, ...]]) -> None:
    assert references(text, KNOWN) == expected
    assert parse(text, KNOWN).references == expected


def test_a_whole_tree_is_read_keys_too() -> None:
    tree = {
        "url": "https://x/{{ trigger.a }}",
        "{{ trigger.k }}": [{"b": ["{{ notify.c }}"]}, 1, None, True],
    }
    assert references(tree, KNOWN) == {
        ("trigger", "a"),
        ("trigger", "k"),
        ("steps", "notify", "c"),
    }


@pytest.mark.parametrize("value", [None, 1, True, 1.5, [], {}, "", "{"])
def test_other_values_refer_to_nothing(value: Any) -> None:
    assert references(value) == frozenset()


def test_an_error_has_its_place() -> None:
    with pytest.raises(TemplateError) as caught:
        references({"headers": {"X-A": ["ok", "{{ foo }}"]}})
    assert caught.value.path == "headers.X-A[1]"


def test_all_errors_can_be_told_at_once() -> None:
    tree = {
        "url": "{{ foo }}",
        "body": {"a": "{{ trigger.a }}", "b": ["{% if %}", "x", "{{ 1 + }}"]},
        "{{ oops": 1,
    }
    found = dict(templates(tree))
    assert list(found) == ["url", "body.a", "body.b[0]", "body.b[2]", '["{{ oops"]']
    wrong = [path for path, what in found.items() if isinstance(what, TemplateError)]
    assert wrong == ["url", "body.b[0]", "body.b[2]", '["{{ oops"]']
    assert not isinstance(found["body.a"], TemplateError)
    assert found["body.a"].references == {("trigger", "a")}


def test_a_tree_too_deep_is_refused() -> None:
    deep: Any = "{{ trigger.a }}"
    for _ in range(150):
        deep = [deep]
    with pytest.raises(TemplateError, match="deeper than 100"):
        references(deep)


def test_templates_are_read_once() -> None:
    text = "{{ trigger.read_once }}"
    assert parse(text, KNOWN) is parse(text, list(KNOWN))
    # Steps that the text does not name make no other template of it.
    assert parse(text, KNOWN) is parse(text, [*KNOWN, "another"])


def test_the_cache_is_bounded() -> None:
    for number in range(3_000):
        parse(f"{{{{ trigger.bounded{number} }}}}")
    for cache in (template_module._cached, template_module._cached_present):
        assert cache.cache_info().currsize <= 2_048


def test_long_texts_are_not_kept() -> None:
    before = template_module._cached.cache_info().currsize
    text = "{{ trigger.long }}" + "x" * 9_000
    assert parse(text) is not parse(text)
    assert template_module._cached.cache_info().currsize == before


def test_many_threads_may_render_at_once() -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(200):
                name = f"s-{(seed + number) % 7}"
                scope = {"steps": {name: {"v": number}}, "item": seed}
                text = f"{{{{ {name}.v }}}} of {{{{ item }}}}"
                assert render(text, scope, known_names=[name]) == f"{number} of {seed}"
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

"""Bombs: work and size are counted before they are done or made."""

from __future__ import annotations

import resource
import time
from typing import Any

import pytest

from workflows.expressions import Limits, RenderError, render, truth

MIB = 1024 * 1024


def refusal(tree: Any, limits: Limits | None = None, **scope: Any) -> str:
    """The message, after a look at what the refusal cost."""
    before = peak_memory()
    started = time.thread_time()
    with pytest.raises(RenderError) as caught:
        render(tree, scope, limits or Limits())
    # Wide: a bomb that went off would take minutes and gigabytes.
    assert time.thread_time() - started < 20
    assert peak_memory() - before < 256 * MIB
    return str(caught.value)


def peak_memory() -> int:
    """The most that this process ever held, in bytes (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


LARGE = "x" * (10 * MIB)
NUMBERS = list(range(300_000))


@pytest.mark.parametrize(
    "expression",
    [
        "item ~ item",
        "item + item",
        "item | upper",
        "item | trim",
        "item | json",
        "item | b64encode",
        "item | urlencode",
        "item | sha256",
        "item | reverse",
        "item | split('x')",
        "item | slugify",
        "item | title",
        "item | from_json",
        "item[1:]",
        "[item] | join",
        "{'a': item} | urlencode",
        "{'a': item} | json",
        "[item, item] | json | length",
        "'a' | replace('a', item)",
        "'a' | truncate(0, item) ~ ('ab' | truncate(1, item))",
        "'a,b,c' | split(item)",
        "item | replace('x', 'yy')",
        "[item]",
        "{'a': [item]}",
        "[item] | unique",
        "item if true else 1",
    ],
)
def test_ten_mebibytes_of_text_cannot_be_worked_on(expression: str) -> None:
    message = refusal(f"{{{{ {expression} }}}}", item=LARGE)
    assert "the result is larger than an expression may make" in message


def test_ten_mebibytes_can_be_passed_on_and_searched() -> None:
    assert render("{{ item }}", {"item": LARGE}) is LARGE
    assert render("{{ item.a }}", {"item": {"a": LARGE}}) is LARGE
    assert render("{{ item | length }}", {"item": LARGE}) == 10 * MIB
    assert render("{{ item[:3] }}", {"item": LARGE}) == "xxx"
    assert truth("{{ 'y' in item }}", {"item": LARGE}) is False
    assert truth("{{ item == item }}", {"item": LARGE}) is True


def test_a_large_value_is_passed_on_once_and_then_counted() -> None:
    payload = [{"n": number} for number in range(200_000)]
    assert render("{{ item }}", {"item": payload}) is payload
    message = refusal(["{{ item }}"] * 1000, item=payload)
    assert "larger than an expression may make" in message
    assert message.startswith("[")


def test_small_values_may_be_passed_on_often() -> None:
    assert render(["{{ item }}"] * 1000, {"item": {"a": 1}}) == [{"a": 1}] * 1000


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a'" + " | replace('a', 'aaaaaaaaaa')" * 30 + " }}",
        "{{ '%'" + " | urlencode | replace('%', '%%%%%%')" * 20 + " }}",
        "{{ '\"'" + " | json" * 50 + " }}",
        "{{ 'a'" + " | b64encode" * 58 + " }}",
        "{{ '1,1'" + " | replace('1', '1,1,1,1')" * 30 + " | split(',') }}",
        "{{ item" + " ~ item" * 500 + " }}",
        "{{ item }}" * 500,
        "{{ [" + "item, " * 500 + "1] | join }}",
        "{{ [" + "index, " * 480 + "index] | flatten(5) | flatten(5) }}",
        "{{ [" + "index, " * 480 + "index] | json }}",
        "{{ [" + "index, " * 480 + "index] }}",
        "{{ [["
        + "index, " * 200
        + "index] | flatten, ["
        + "index, " * 200
        + "index]] }}",
    ],
)
def test_what_grows_step_by_step_is_stopped(text: str) -> None:
    message = refusal(text, item="y" * 20_000, index=NUMBERS[:20_000])
    assert "larger than" in message or "more work" in message


@pytest.mark.parametrize(
    "expression",
    [
        "item.list | sort",
        "(item.list | unique) + (item.list | unique)",
        "(item.list | sum) + (item.list | sum)",
        "(item.list | max) + (item.list | min)",
        "item.list | reverse | reverse",
        "item.list == item.other",
        "[item.list] == [item.other]",
        "-1 in item.list or -2 in item.list",
        "item.list | select('==', 5) | length",
        "item.rows | map(attribute='a.b') | length",
        "item.rows | selectattr('a.b', '==', 1) | length",
        "item.rows | sort('a.b') | length",
        "item.words | replace('a', 'b') | split | length",
        "(item.map | items | length) + (item.map | keys | length)",
        "item.map | merge(item.map) | length",
        "item.map == item.copy",
        "item.nested | flatten(3)",
    ],
)
def test_work_is_counted(expression: str) -> None:
    item = {
        "list": NUMBERS,
        "other": list(NUMBERS),
        "rows": [{"a": {"b": 1}}] * 200_000,
        "words": "a " * 600_000,
        "map": {str(n): n for n in NUMBERS},
        "copy": {str(n): n for n in NUMBERS},
        "nested": [NUMBERS],
    }
    message = refusal(f"{{{{ {expression} }}}}", item=item)
    assert "more work than an expression may do (500000 operations)" in message


def test_numbers_of_one_hash_do_not_slow_unique_down() -> None:
    colliding = [n * (2**61 - 1) for n in range(50_000)]
    started = time.thread_time()
    found = render("{{ item | unique | length }}", {"item": colliding})
    assert found == 50_000
    assert time.thread_time() - started < 20


def test_huge_numbers_are_counted_by_their_digits() -> None:
    huge = [10**4000] * 200
    text = "{{ [" + "item, " * 400 + "1] | json | length }}"
    assert "larger than" in refusal(text, item=huge)


def test_escapes_in_json_are_counted() -> None:
    item = "\x00" * 1_000_000
    assert "larger than" in refusal("{{ item | json }}", item=item)
    assert len(render("{{ item | json }}", {"item": "\x00" * 1000})) == 6002


@pytest.mark.parametrize(
    "expression", ["item | json", "[item]", "item ~ ''", "item | unique"]
)
def test_what_is_nested_too_deeply_is_refused(expression: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested deeper than 250" in refusal(f"{{{{ {expression} }}}}", item=deep)
    while deep:  # freed piece by piece, as the interpreter may not nest that deep
        deep = deep.pop()


def test_what_is_nested_as_deeply_as_json_may_be_is_handled() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep] if isinstance(deep, dict) else {"a": deep}
    text = render("{{ item | json }}", {"item": deep})
    assert render("{{ item | from_json == index }}", {"item": text, "index": deep})
    assert (
        render("{{ [item, index] | unique | length }}", {"item": deep, "index": deep})
        == 1
    )


def test_a_json_text_nested_too_deeply_is_refused() -> None:
    assert "is not JSON" in refusal("{{ item | from_json }}", item="[" * 100_000)


def test_a_tree_too_deep_is_refused_with_no_recursion_error() -> None:
    deep: Any = "{{ item }}"
    for level in range(5_000):
        deep = [deep] if level % 2 else {"a": deep}
    assert "the tree is deeper than 100" in refusal(deep, item=1)
    while isinstance(deep, dict | list):
        deep = deep.pop("a") if isinstance(deep, dict) else deep.pop()


def test_limits_are_for_all_texts_of_a_call_together() -> None:
    limits = Limits(output=100)
    tree = ["<{{ item }}>"] * 10
    assert render(tree, {"item": "12345678"}, limits) == ["<12345678>"] * 10
    message = refusal([*tree, "<{{ item }}>"], limits, item="12345678")
    assert message == (
        "[10]: the result is larger than an expression may make (100 characters)"
    )


def test_a_spent_budget_stays_spent_whatever_default_does() -> None:
    limits = Limits(operations=10)
    text = "{{ (item | sort | first) | default('saved') }}"
    assert "more work" in refusal(text, limits, item=NUMBERS)


def test_limits_hold_for_conditions() -> None:
    with pytest.raises(RenderError, match="more work"):
        truth("{{ item }} == {{ index }}", {"item": NUMBERS, "index": [*NUMBERS]})

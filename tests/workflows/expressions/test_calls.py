"""What a render costs, in calls of functions: they do not depend on the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.expressions import KNOWN, SCOPE, TREES
from workflows.expressions import parse, render, truth

# Twice what they were when the times were measured.
CALLS = {
    "one path": 40,
    "a filter within text": 100,
    "a hyphenated step": 40,
    "default": 150,
    "100 items mapped and added": 3_700,
    "a request of 12 fields, 4 templates": 350,
    "100 fields, no template": 1_450,
}
PATH = "{{ trigger.payload.order.id }}"


def calls(work: Callable[[], Any]) -> int:
    """How many functions, ours and Python's, are called while it works."""
    count = 0

    def profile(_frame: object, event: str, _: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def of_render(tree: Any, scope: Any = SCOPE, known: frozenset[str] = KNOWN) -> int:
    """Of a render after the first one, which has read the templates."""
    render(tree, scope, known_names=known)
    return calls(lambda: render(tree, scope, known_names=known))


@pytest.mark.parametrize("name", TREES)
def test_a_typical_template_takes_few_calls(name: str) -> None:
    """Shown to fail when a template is read again at each render."""
    assert of_render(TREES[name]) <= CALLS[name]


def test_a_condition_takes_few_calls() -> None:
    def decide() -> bool:
        return truth("{{action-1.status}} == 200", SCOPE, known_names=KNOWN)

    assert decide()
    assert calls(decide) <= 40


def fields(count: int) -> int:
    return of_render({f"field{number}": PATH for number in range(count)})


def in_one_text(count: int) -> int:
    return of_render(" ".join([PATH] * count))


def items(count: int) -> int:
    lines = [{"price": 1.5}] * count
    scope = {"trigger": {"payload": {"lines": lines}}}
    tree = "{{ trigger.payload.lines | map(attribute='price') | sum }}"
    return of_render(tree, scope)


def read_anew(count: int) -> int:
    # No other test has read it.
    text = " ".join(f"{{{{ trigger.n{count}_{number} }}}}" for number in range(count))
    return calls(lambda: parse(text))


def steps_before(count: int) -> int:
    names = [f"step-{number}" for number in range(count)]
    scope = {"steps": {name: {"x": 1} for name in names}}
    return of_render(f"{{{{ {names[-1]}.x }}}}", scope, frozenset(names))


@pytest.mark.parametrize(
    ("work", "factor"),
    [(fields, 2), (in_one_text, 2), (items, 2), (read_anew, 2), (steps_before, 1)],
)
def test_twice_as_much_takes_no_more_than_twice_the_calls(
    work: Callable[[int], int], factor: int
) -> None:
    """And of the steps that ran before it does not matter how many there are. Shown
    to fail when each name is looked for among all of them."""
    assert work(200) <= factor * work(100) * 1.1

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.definition.kinds import definition, edge, step
from workflows.definition import Graph


def graph(names: str, *edges: str) -> Graph:
    return Graph.of(
        definition([step(name) for name in names], [edge(e[0], e[1]) for e in edges])
    )


def test_roots_have_no_incoming_connection() -> None:
    assert graph("abcd", "ba", "bc").roots() == ["b", "d"]


def test_ancestors_are_all_that_lead_to_a_step() -> None:
    found = graph("abcd", "ab", "bc").ancestors()
    assert {name: set(members) for name, members in found.items()} == {
        "a": set(),
        "b": {"a"},
        "c": {"a", "b"},
        "d": set(),
    }


def test_reachable_follows_the_connections() -> None:
    assert graph("abcd", "ab", "bc").reachable(["b", "nowhere"]) == {"b", "c"}


def test_what_is_malformed_is_left_out() -> None:
    value: dict[str, Any] = definition(
        [step("a"), 5, {"id": []}, {}, step("b")],
        [5, {"from": [], "to": "a"}, {"from": "a"}, edge("a", "x"), edge("a", "b")],
    )
    found = Graph.of(value)
    assert found.ids == ("a", "b")
    assert found.after == {"a": ["b"], "b": []}


def test_a_cycle_begins_with_the_step_that_is_named_first() -> None:
    assert graph("abcd", "dc", "cb", "bd", "ba").cycle() == ["b", "d", "c", "b"]
    assert graph("abc", "ab", "bc", "ac").cycle() is None


def test_a_thousand_steps_in_a_line_take_milliseconds() -> None:
    names = [f"s{number}" for number in range(1000)]
    edges = [edge(a, b) for a, b in pairwise(names)]
    value = definition([step(name) for name in names], edges)
    started = time.thread_time()
    ancestors = Graph.of(value).ancestors()
    assert time.thread_time() - started < 0.1
    assert len(ancestors["s999"]) == 999
    assert "s0" in ancestors["s999"]
    assert "s999" not in ancestors["s0"]
    assert "x" not in ancestors["s999"]


names = st.sampled_from("abcdef")


@given(st.lists(st.tuples(names, names), max_size=15))
def test_ancestors_and_cycles_agree_with_walking_the_graph(
    pairs: list[tuple[str, str]],
) -> None:
    found = graph("abcdef", *(a + b for a, b in pairs))
    closure = {name: found.reachable(found.after[name]) for name in "abcdef"}
    cyclic = any(name in closure[name] for name in "abcdef")
    cycle = found.cycle()
    assert (cycle is not None) == cyclic
    if cycle:
        assert cycle[0] == cycle[-1]
        steps = list(pairwise(cycle))
        assert set(steps) <= set(pairs)
    else:
        ancestors = found.ancestors()
        for name in "abcdef":
            expected = {other for other in "abcdef" if name in closure[other]}
            assert set(ancestors[name]) == expected
            assert len(ancestors[name]) == len(expected)

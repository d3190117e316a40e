"""Templates and credentials within loops, and walking over what stands in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.definition.kinds import definition, edge, step
from tests.workflows.definition.test_bodies import loop, told
from workflows.definition import (
    extract_literals,
    node_ids,
    own_config,
    walk_graphs,
    walk_nodes,
)


def inside(value: str, **more: Any) -> dict[str, str]:
    """What is said of this expression in a loop between two steps."""
    body = [step("first"), step("mid", {"x": value}), step("last")]
    each = loop("each", body, [edge("first", "mid"), edge("mid", "last")], **more)
    nodes = [step("early"), each, step("late"), step("beside")]
    edges = [edge("early", "each"), edge("each", "late")]
    nodes[2]["config"] = {"values": more.pop("late", {})}
    return told(definition(nodes, edges, variables={"v": 1}))


class TestTemplates:
    @pytest.mark.parametrize(
        "source",
        [
            "{{ item }} {{ index }}",
            "{{ steps.early.x }}",
            "{{ first.x }}",
            "{{ trigger.payload }} {{ variables.v }} {{ run.id }}",
        ],
    )
    def test_what_a_step_in_a_loop_may_name(self, source: str) -> None:
        assert inside(source) == {}

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("{{ steps.last.x }}", "no connection leads from it"),
            ("{{ steps.late.x }}", "no connection leads from it"),
            ("{{ steps.beside.x }}", "no connection leads from it"),
            ("{{ steps.mid.x }}", "its own output"),
            ("{{ steps.each.x }}", "is not over yet here"),
            ("{{ steps.nowhere.x }}", "there is no step"),
            ("{{ secrets.A }}", "secrets cannot be used here"),
        ],
    )
    def test_what_it_may_not(self, source: str, words: str) -> None:
        found = inside(source)
        assert set(found) == {"nodes[1].config.nodes[1].config.values.x"}
        assert words in found["nodes[1].config.nodes[1].config.values.x"]

    def test_steps_in_a_loop_are_out_of_reach_outside(self) -> None:
        body = loop("each", [step("in-1")])
        after = step("after", {"x": "{{ in-1.x }}"})
        value = definition([body, after], [edge("each", "after")])
        value["output"] = {"y": "{{ steps.in-1.x }}"}
        message = (
            'the step "in-1" is inside the loop "each": what that gave is in steps.each'
        )
        assert told(value) == {"nodes[1].config.values.x": message, "output.y": message}

    def test_steps_of_another_loop_are_out_of_reach(self) -> None:
        one = loop("one", [step("a")])
        two = loop("two", [step("b", {"x": "{{ steps.a.x }}"})])
        found = told(definition([one, two], [edge("one", "two")]))
        assert "steps.one" in found["nodes[1].config.nodes[0].config.values.x"]

    def test_the_item_is_not_there_for_the_loop_itself(self) -> None:
        found = told(definition([loop("l", [step("a")], items="{{ item }}")]))
        assert set(found) == {"nodes[0].config.items"}

    def test_an_inner_loop_may_name_the_outer_ones_item(self) -> None:
        inner = loop("inner", [step("a", {"x": "{{ item }}"})], items="{{ item.rows }}")
        assert told(definition([loop("outer", [inner])])) == {}

    def test_steps_before_every_loop_around_are_readable(self) -> None:
        core = step("core", {"x": "{{ early.x }} {{ middle.x }}"})
        outer = loop(
            "outer",
            [step("middle"), loop("inner", [core])],
            [edge("middle", "inner")],
        )
        value = definition([step("early"), outer], [edge("early", "outer")])
        assert told(value) == {}

    def test_the_bodys_output_sees_its_steps_and_the_item(self) -> None:
        good = "{{ steps.mid.x }} {{ item }} {{ early.x }}"
        assert inside("", output=good) == {}
        bad = inside("", output={"x": "{{ late.x }}", "y": "{{ each.x }}"})
        assert set(bad) == {"nodes[1].config.output.x", "nodes[1].config.output.y"}

    def test_secrets_stay_in_their_fields_within_a_loop(self) -> None:
        call = {
            "id": "c",
            "type": "http_request",
            "config": {"url": "https://x.test", "headers": {"X": "{{ secrets.A }}"}},
        }
        assert told(definition([loop("l", [call])])) == {}


class TestWalking:
    VALUE = definition(
        [step("a"), loop("l", [step("b"), loop("m", [step("c")])]), step("d")]
    )

    def test_every_step_comes_with_its_place_and_loops(self) -> None:
        found = [
            (item.path, item.node["id"], item.loops) for item in walk_nodes(self.VALUE)
        ]
        assert found == [
            ("nodes[0]", "a", ()),
            ("nodes[1]", "l", ()),
            ("nodes[2]", "d", ()),
            ("nodes[1].config.nodes[0]", "b", ("l",)),
            ("nodes[1].config.nodes[1]", "m", ("l",)),
            ("nodes[1].config.nodes[1].config.nodes[0]", "c", ("l", "m")),
        ]

    def test_every_graph_comes_before_those_within_it(self) -> None:
        found = [(level.at, level.loops) for level in walk_graphs(self.VALUE)]
        assert found == [
            ("", ()),
            ("nodes[1].config", ("l",)),
            ("nodes[1].config.nodes[1].config", ("l", "m")),
        ]

    def test_all_ids(self) -> None:
        assert node_ids(self.VALUE) == frozenset("abcdlm")

    def test_a_loops_own_config_is_without_its_body(self) -> None:
        assert own_config(loop("l", [], concurrency=2, output=1)) == {
            "items": [1],
            "concurrency": 2,
        }
        assert own_config(step("a", {"nodes": 1})) == {"values": {"nodes": 1}}

    @pytest.mark.parametrize(
        "value", [{}, {"nodes": 3}, {"nodes": [3, {}, {"config": 4}, {"config": {}}]}]
    )
    def test_drafts_may_be_anything(self, value: Any) -> None:
        assert all(item.node is not None for item in walk_nodes(value))


def test_credentials_within_loops_become_secrets_named_after_their_step() -> None:
    call = {
        "id": "call",
        "type": "http_request",
        "config": {"url": "https://x.test", "headers": {"Authorization": "Bearer abc"}},
    }
    value = definition([loop("outer", [loop("inner", [call])])])
    result, secrets, messages = extract_literals(value)
    assert secrets == {"CALL_AUTHORIZATION": "abc"}
    inner = list(walk_nodes(result))[-1].node
    assert inner["config"]["headers"] == {
        "Authorization": "Bearer {{ secrets.CALL_AUTHORIZATION }}"
    }
    assert [message.path for message in messages] == [
        "nodes[0].config.nodes[0].config.nodes[0].config.headers.Authorization"
    ]
    assert value["nodes"][0]["config"]["nodes"][0]["config"]["nodes"] == [call]


def test_credentials_in_a_loops_own_config_become_secrets_too() -> None:
    each = loop(
        "each", [step("a")], output="ghp_" + "a" * 30, items=["AKIA" + "B" * 16]
    )
    _, secrets, messages = extract_literals(definition([each]))
    assert sorted(secrets) == ["EACH_ITEMS", "EACH_OUTPUT"]
    assert {message.path for message in messages} == {
        "nodes[0].config.items[0]",
        "nodes[0].config.output",
    }

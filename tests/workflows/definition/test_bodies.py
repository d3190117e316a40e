"""The bodies of loops: read, checked and walked like the definition around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.definition.kinds import KINDS, definition, edge, step
from workflows.definition import (
    check,
    extract_literals,
    node_ids,
    normalise,
    own_config,
    validate,
    walk_graphs,
    walk_nodes,
)
from workflows.definition.bodies import MAX_LOOPS
from workflows.definition.normalise import attempt
from workflows.definition.schema import MAX_NODES


def loop(
    name: str, nodes: list[Any], connections: list[Any] | None = None, **config: Any
) -> dict[str, Any]:
    """A loop in canonical form."""
    config = {"items": [1], **config}
    body = {"nodes": nodes, "connections": connections or []}
    return {"id": name, "type": "for_each", "config": {**config, **body}}


def nested(depth: int) -> dict[str, Any]:
    """Loops in one another, `depth` of them."""
    node = step("core")
    for number in range(depth):
        node = loop(f"l{number}", [node])
    return node


def told(value: Any, **more: Any) -> dict[str, str]:
    problems = validate(value, KINDS, **more)
    return {problem.path: problem.message for problem in problems}


def told_of(document: Any) -> dict[str, str]:
    """Messages by place in a document."""
    return {problem.path: problem.message for problem in check(document, KINDS)[1]}


class TestReading:
    def test_a_line_within_a_loop_becomes_nodes_and_connections(self) -> None:
        line = [{"type": "set", "config": {"values": {}}}, {"type": "delay"}]
        found = normalise(
            {"steps": [{"type": "for_each", "config": {"items": [], "steps": line}}]}
        )
        config = found.definition["nodes"][0]["config"]
        assert [node["id"] for node in config["nodes"]] == ["set", "delay"]
        assert config["connections"] == [edge("set", "delay")]
        assert "steps" not in config
        assert config["items"] == []

    def test_connections_within_a_loop_may_be_left_out(self) -> None:
        found = normalise(
            {"nodes": [{**loop("l", [step("a")]), "type": "for_each"}]},
        )
        assert found.definition["nodes"][0]["config"]["connections"] == []

    def test_the_shorthands_of_steps_are_read_within_a_loop(self) -> None:
        inner = {
            "name": "Call",
            "type": "webhook",
            "configuration": {"url": "https://x.test", "method": "post"},
            "timeout": "1m",
        }
        document = {"steps": [{"type": "for_each", "config": {"steps": [inner]}}]}
        node = normalise(document).definition["nodes"][0]["config"]["nodes"][0]
        assert node == {
            "id": "call",
            "name": "Call",
            "type": "http_request",
            "config": {"url": "https://x.test", "method": "POST"},
            "timeout": 60,
        }

    def test_made_ids_are_unique_over_the_whole_document(self) -> None:
        def line(*steps: dict[str, Any]) -> list[dict[str, Any]]:
            return [{"type": "set", **item} for item in steps]

        inner = {
            "type": "for_each",
            "config": {"steps": line({"name": "a"}, {"id": "b"})},
        }
        found = normalise({"steps": line({"name": "a"}, {"name": "b"}, inner)})
        assert [item.node["id"] for item in walk_nodes(found.definition)] == [
            "a", "b-2", "for_each", "a-2", "b",
        ]  # fmt: skip

    def test_the_canonical_form_stays_as_it_is(self) -> None:
        value = definition([loop("l", [step("a"), step("b")], [edge("a", "b")])])
        assert normalise(value).definition == value

    def test_an_output_belongs_to_the_body(self) -> None:
        value = definition([loop("l", [step("a")], output="{{ steps.a.x }}")])
        assert normalise(value).definition == value

    @pytest.mark.parametrize("kind", ["schedule", "webhook", "manual"])
    def test_a_trigger_cannot_stand_in_a_loop(self, kind: str) -> None:
        nodes = [{"id": "t", "type": kind, "config": {}}, step("a")]
        found = told_of(definition([loop("l", nodes)]))
        assert set(found) == {"nodes[0].config.nodes[0]"}
        assert "cannot stand in a loop" in found["nodes[0].config.nodes[0]"]

    def test_a_drawn_failure_branch_implies_on_error(self) -> None:
        nodes = [step("a"), step("b")]
        body = loop("l", nodes, [edge("a", "b", "failure")])
        found, problems = check(definition([body]), KINDS)
        assert problems == []
        inner = found.definition["nodes"][0]["config"]["nodes"][0]
        assert inner["on_error"] == "branch"
        assert found.warnings[0].path == "nodes[0].config.nodes[0]"

    def test_a_loop_without_steps_is_told_so_once(self) -> None:
        document = {"steps": [{"type": "for_each", "config": {"items": []}}]}
        assert told_of(document) == {
            "steps[0].config": 'must have "nodes" or "steps" for what is done with '
            "each item"
        }

    def test_places_are_those_of_the_document(self) -> None:
        inner = {"type": "http_request", "configuration": {"method": "BREW"}}
        outer = {"type": "for_each", "configuration": {"items": [], "steps": [inner]}}
        assert set(told_of({"definition": {"steps": [outer]}})) == {
            "definition.steps[0].configuration.steps[0].configuration.method",
            "definition.steps[0].configuration.steps[0].configuration.url",
        }

    def test_other_kinds_keep_what_they_call_steps(self) -> None:
        values = {"steps": [{"type": "webhook"}], "nodes": []}
        found = normalise({"steps": [{"type": "set", "config": values}]})
        assert found.definition["nodes"][0]["config"] == values


class TestStructure:
    def test_problems_within_a_loop_have_their_place(self) -> None:
        bad = {"id": "a", "type": "http_request", "config": {}, "extra": 1}
        deep = loop("outer", [step("x"), loop("inner", [bad])])
        assert set(told(definition([deep]))) == {
            "nodes[0].config.nodes[1].config.nodes[0].config.url",
            "nodes[0].config.nodes[1].config.nodes[0].extra",
        }

    def test_a_body_is_not_empty(self) -> None:
        assert told(definition([loop("l", [])])) == {
            "nodes[0].config.nodes": "must not be empty"
        }

    def test_unknown_keys_of_a_loop_are_told_with_the_known_ones(self) -> None:
        found = told(definition([loop("l", [step("a")], concurency=3)]))
        assert 'did you mean "concurrency"?' in found["nodes[0].config.concurency"]
        assert "nodes" in found["nodes[0].config.concurency"]

    def test_a_body_has_no_variables_of_its_own(self) -> None:
        found = told(definition([loop("l", [step("a")], variables={})]))
        assert set(found) == {"nodes[0].config.variables"}

    def test_loops_stand_in_one_another_up_to_a_depth(self) -> None:
        assert told(definition([nested(MAX_LOOPS)])) == {}
        found = told(definition([nested(MAX_LOOPS + 1)]))
        assert list(found.values()) == [
            "loops may stand in one another 5 deep, no deeper"
        ]
        assert list(told_of(definition([nested(MAX_LOOPS + 1)])).values()) == [
            "loops may stand in one another 5 deep, no deeper"
        ]

    def test_far_too_deep_documents_are_refused_and_do_no_harm(self) -> None:
        _, problems = attempt(definition([nested(30)]))
        assert problems

    def test_the_number_of_steps_counts_those_in_loops(self) -> None:
        inside = [step(f"i{number}") for number in range(MAX_NODES - 1)]
        assert told(definition([loop("l", inside)])) == {}
        found = told(definition([loop("l", inside), step("a")]))
        assert found == {
            "nodes": "a definition has at most 1,000 steps, those in loops included; "
            "this one has 1,001"
        }


class TestRules:
    def test_ids_are_used_once_over_all_loops(self) -> None:
        found = told(definition([step("a"), loop("l", [step("a"), step("l")])]))
        assert found == {
            "nodes[1].config.nodes[0].id": 'the id "a" is used twice',
            "nodes[1].config.nodes[1].id": 'the id "l" is used twice',
        }

    def test_reserved_ids_are_refused_within_a_loop(self) -> None:
        found = told(definition([loop("l", [step("item")])]))
        assert set(found) == {"nodes[0].config.nodes[0].id"}

    def test_connections_stay_within_one_graph(self) -> None:
        inner = loop("l", [step("a")], [edge("a", "b")])
        found = told(definition([inner, step("b")], [edge("l", "b"), edge("a", "b")]))
        assert found == {
            "connections[1].from": '"a" is inside the loop "l": a connection stays '
            "within one graph",
            "nodes[0].config.connections[0].to": '"b" is outside every loop: a '
            "connection stays within one graph",
        }

    def test_a_cycle_within_a_loop_has_its_place(self) -> None:
        edges = [edge("a", "b"), edge("b", "a")]
        found = told(definition([loop("l", [step("a"), step("b")], edges)]))
        assert found == {
            "nodes[0].config.connections": "the steps form a cycle: a -> b -> a"
        }

    def test_ports_are_checked_within_a_loop(self) -> None:
        edges = [edge("a", "b", "nope")]
        found = told(definition([loop("l", [step("a"), step("b")], edges)]))
        assert set(found) == {"nodes[0].config.connections[0].on"}

    def test_a_loop_has_its_own_ports_and_those_of_every_step(self) -> None:
        each = {**loop("l", [step("x")]), "on_error": "branch"}
        nodes = [each, step("a"), step("b"), step("c")]
        edges = [
            edge("l", "a"), edge("l", "b", "failure"), edge("l", "c", "item_failed"),
        ]  # fmt: skip
        assert told(definition(nodes, edges)) == {}

    def test_triggers_need_not_lead_into_a_loop(self) -> None:
        value = definition([loop("l", [step("a")])])
        assert told(value, triggers=[{"start": ["l"]}]) == {}

    def test_a_kinds_own_complaints_are_told_within_a_loop(self) -> None:
        kinds = {**KINDS, "set": replace(KINDS["set"], complaints=(("values", "no"),))}
        found = validate(definition([loop("l", [step("a")])]), kinds)
        assert [problem.path for problem in found] == [
            "nodes[0].config.nodes[0].config.values"
        ]


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

"""The bodies of loops: read, checked and walked like the definition around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.definition.kinds import KINDS, definition, edge, step
from workflows.definition import (
    check,
    normalise,
    validate,
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

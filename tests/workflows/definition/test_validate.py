from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.definition.kinds import (
    KINDS,
    Kind,
    definition,
    edge,
    step,
)
from workflows.definition import Problem, check, validate
from workflows.definition.problems import MAX_COMPARED, MAX_PROBLEMS
from workflows.definition.rules import MAX_TEMPLATE_PROBLEMS
from workflows.definition.schema import MAX_CONNECTIONS, MAX_NODES


def told(value: dict[str, Any], **more: Any) -> dict[str, str]:
    """Messages by place; a place with two messages would lose one, so none may."""
    problems = validate(value, KINDS, **more)
    assert len({problem.path for problem in problems}) == len(problems)
    return {problem.path: problem.message for problem in problems}


def http(name: str = "call", **config: Any) -> dict[str, Any]:
    config.setdefault("url", "https://x.test")
    return {"id": name, "type": "http_request", "config": config}


class TestStructure:
    def test_a_sound_definition_has_no_problems(self) -> None:
        value = definition(
            [
                http(headers={"X": "{{ secrets.TOKEN }}"}, max_redirects=3),
                step("b", {"x": "{{ call.status }} {{ variables.region }}"}),
            ],
            [edge("call", "b")],
            variables={"region": "eu"},
            output={"x": "{{ steps.b.x }}"},
        )
        assert validate(value, KINDS) == []

    def test_everything_is_told_at_once_in_the_documents_order(self) -> None:
        nodes = [
            {"id": "a", "type": "htp_request", "config": {}},
            {"id": "b", "type": "http_request", "config": {"method": "BREW"}},
            {"id": "c", "type": "set", "confg": {}, "config": {"values": 1}},
            *[step(f"s{number}") for number in range(8)],
            step("run", {"x": "{{ nope }}"}),
        ]
        problems = validate(definition(nodes, [edge("a", "z")]), KINDS)
        assert [problem.path for problem in problems] == [
            "connections[0].to",
            "nodes[0].type",
            "nodes[1].config.method",
            "nodes[1].config.url",
            "nodes[2].confg",
            "nodes[2].config.values",
            "nodes[11].config.values.x",
            "nodes[11].id",
        ]

    @pytest.mark.parametrize(
        ("change", "place", "words"),
        [
            ({"type": "htp_request"}, "type", ["http_request", "did you mean"]),
            ({"type": "http-request"}, "type", ['did you mean "http_request"?']),
            ({"type": "http"}, "type", ['did you mean "http_request"?']),
            ({"type": None}, "type", ["unknown step type null", "delay"]),
            ({"id": "1a"}, "id", ["start with a letter"]),
            ({"id": "a\n"}, "id", ["start with a letter"]),
            ({"id": "a" * 65}, "id", ["64 characters"]),
            ({"id": 5}, "id", ["must be text"]),
            ({"id": "Steps"}, "id", ["reserved"]),
            ({"name": 5}, "name", ["must be text"]),
            ({"timeout": 0}, "timeout", ["at least 0.1"]),
            ({"timeout": 3601}, "timeout", ["at most 3600"]),
            ({"timeout": "1 day"}, "timeout", ["'1 day' is not a duration", '"2d"']),
            ({"timeout": True}, "timeout", ["must be a number"]),
            ({"on_error": "brunch"}, "on_error", ['did you mean "branch"?']),
            (
                {"on_unknown": "verified"},
                "on_unknown",
                ['"retry", "verify", "ask", "fail"', 'did you mean "verify"?'],
            ),
            ({"on_unknown": "verify"}, "on_unknown", ["cannot be verified"]),
            ({"on_eror": "stop"}, "on_eror", ['did you mean "on_error"?']),
            ({"config": []}, "config", ["must be an object"]),
            ({"config": {}}, "config.values", ["is required"]),
            (
                {"config": {"values": {}, "value": 1}},
                "config.value",
                ["unknown key", 'did you mean "values"?'],
            ),
        ],
    )
    def test_a_wrong_step_is_told_what_would_be_right(
        self, change: dict[str, Any], place: str, words: list[str]
    ) -> None:
        found = told(definition([{**step("a"), **change}]))
        assert set(found) == {f"nodes[0].{place}"}
        for word in words:
            assert word in found[f"nodes[0].{place}"]

    @pytest.mark.parametrize(
        ("retry", "place", "word"),
        [
            ({"max_attempts": 0}, "max_attempts", "at least 1"),
            ({"max_attempts": 101}, "max_attempts", "at most 100"),
            ({"max_attempts": 1.5}, "max_attempts", "a whole number"),
            ({"backoff": "linear"}, "backoff", '"exponential", "fixed"'),
            ({"initial": -1}, "initial", "at least 0"),
            ({"jitter": 1.1}, "jitter", "at most 1"),
            ({"waits": []}, "waits", "not be empty"),
            ({"waits": ["x"]}, "waits[0]", 'a text such as "500ms"'),
            ({"initial": "soon"}, "initial", 'a text such as "500ms"'),
            ({"max": "soon"}, "max", "is not a duration"),
            ({"waits": [1], "max": 5}, "max", 'together with "waits"'),
            ({"retry_on": ["6xx"]}, "retry_on[0]", '"5xx"'),
            ({"retry_on": [99]}, "retry_on[0]", "timeout"),
            ({"attempts": 3}, "attempts", '"max_attempts"'),
        ],
    )
    def test_a_wrong_retry_is_refused(
        self, retry: dict[str, Any], place: str, word: str
    ) -> None:
        found = told(definition([step("a", retry=retry)]))
        assert set(found) == {f"nodes[0].retry.{place}"}
        assert word in found[f"nodes[0].retry.{place}"]

    @pytest.mark.parametrize(
        ("value", "places"),
        [
            ({}, ["connections", "nodes", "variables"]),
            ({"nodes": {}, "connections": 5, "variables": []}, None),
            (definition([5], [5]), ["connections[0]", "nodes[0]"]),
            (definition([step("a")], [{"from": 1}]), None),
            (definition([step("a")], variables={"a b": 1}), ["variables"]),
            ({**definition([step("a")]), "x": 1}, ["x"]),
        ],
    )
    def test_what_is_hardly_a_definition_is_refused_and_never_breaks(
        self, value: dict[str, Any], places: list[str] | None
    ) -> None:
        found = [problem.path for problem in validate(value, KINDS)]
        assert found
        assert places is None or found == places

    @pytest.mark.parametrize(
        "retry",
        [
            {},
            {"max_attempts": 100, "backoff": "fixed", "initial": 0, "max": 0},
            {"waits": [0, 1.5, 600], "max_attempts": 4, "jitter": 0},
            {"retry_on": [503, "4xx", "timeout"]},
        ],
    )
    def test_a_right_retry_is_taken(self, retry: dict[str, Any]) -> None:
        assert told(definition([step("a", retry=retry)])) == {}

    def test_a_template_may_stand_for_any_typed_value(self) -> None:
        found = told(
            definition(
                [
                    http(
                        max_redirects="{{ variables.n }}",
                        method="{{ variables.m }}",
                        headers="{{ variables.h }}",
                    ),
                    {"id": "d", "type": "delay", "config": {"until": "{{ run.id }}"}},
                ]
            )
        )
        assert found == {}

    def test_a_connection_is_written_out(self) -> None:
        found = told(definition([http(connection="{{ variables.c }}")]))
        assert set(found) == {"nodes[0].config.connection"}
        assert "a template cannot be used here" in found["nodes[0].config.connection"]

    def test_a_schemas_own_words_are_used(self) -> None:
        node = {"id": "d", "type": "delay", "config": {}}
        found = told(definition([node]))
        assert found == {"nodes[0].config": 'needs either "duration" or "until"'}

    def test_a_definition_needs_a_step(self) -> None:
        assert told(definition([])) == {"nodes": "must not be empty"}

    def test_more_than_a_thousand_steps_are_refused_at_once(self) -> None:
        nodes = [step(f"s{number}") for number in range(MAX_NODES)]
        assert told(definition(nodes)) == {}
        nodes.append(step("one-more"))
        assert told(definition(nodes)) == {"nodes": "must have at most 1,000 entries"}

    def test_what_a_kind_complains_about_is_placed_in_its_config(self) -> None:
        kind = Kind(
            "odd",
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            complaints=(("a.b", "is odd"), ("", "is odd too")),
        )
        node = {"id": "x", "type": "odd", "config": {"a": 1}}
        assert validate(definition([node]), {"odd": kind}) == [
            Problem("nodes[0].config", "is odd too"),
            Problem("nodes[0].config.a.b", "is odd"),
        ]
        node["config"] = {"a": "x"}
        problems = validate(definition([node]), {"odd": kind})
        assert [str(p) for p in problems] == [
            "nodes[0].config.a: must be a whole number"
        ]


class TestBounds:
    """No document that fits into a request keeps the server busy."""

    def test_only_so_many_problems_are_listed_and_the_rest_counted(self) -> None:
        many = {f"k{number}": 1 for number in range(MAX_PROBLEMS + 7)}
        problems = validate(definition([{**step("a"), **many}]), KINDS)
        assert len(problems) == MAX_PROBLEMS + 1
        assert problems[-1] == Problem("", "and 7 more problems")

    def test_wrong_templates_by_the_thousand_are_not_all_explained(self) -> None:
        values = {f"k{number}": f"{{{{ nope{number} }}}}" for number in range(1000)}
        problems = validate(definition([step("a", values)]), KINDS)
        assert len(problems) == MAX_TEMPLATE_PROBLEMS

    def test_lists_without_end_are_not_read(self) -> None:
        for length in (2 * MAX_NODES + 1, MAX_CONNECTIONS + 1):
            _, problems = check({"nodes": [{"type": "set"}] * length}, KINDS)
            assert [problem.path for problem in problems] == ["nodes"]
        edges = [edge("a", "b")] * (MAX_CONNECTIONS + 1)
        _, problems = check({"nodes": [step("a")], "connections": edges}, KINDS)
        assert [problem.path for problem in problems] == ["connections"]

    def test_near_names_are_not_sought_among_thousands(self) -> None:
        nodes = [step(f"step-{number}") for number in range(MAX_COMPARED + 1)]
        found = told(definition(nodes, [edge("step-0", "step-x")]))
        assert found == {"connections[0].to": 'there is no step "step-x"'}


def to_itself(name: str) -> str:
    return f'leads from "{name}" to itself: a step cannot wait for it'


class TestGraphRules:
    def test_connections_name_steps_that_exist(self) -> None:
        found = told(definition([step("notify")], [edge("notfy", "x")]))
        assert found == {
            "connections[0].from": 'there is no step "notfy"; did you mean "notify"?',
            "connections[0].to": 'there is no step "x"',
        }

    def test_a_cycle_is_named(self) -> None:
        nodes = [step(name) for name in "abcd"]
        edges = [edge("d", "c"), edge("a", "b"), edge("b", "c"), edge("c", "b")]
        assert told(definition(nodes, edges)) == {
            "connections": "the steps form a cycle: b -> c -> b"
        }

    def test_a_step_that_follows_itself_is_a_cycle(self) -> None:
        found = told(definition([step("a")], [edge("a", "a")]))
        assert found == {"connections[0]": to_itself("a")}

    def test_it_is_told_whatever_else_is_wrong(self) -> None:
        nodes = [step(name) for name in "abc"]
        edges = [edge("a", "x"), edge("b", "b"), edge("b", "c"), edge("c", "b")]
        found = told(definition(nodes, edges))
        assert found == {
            "connections[0].to": 'there is no step "x"',
            "connections[1]": to_itself("b"),
            "connections": "the steps form a cycle: b -> c -> b",
        }

    def test_an_id_is_used_once(self) -> None:
        found = told(definition([step("a"), step("b"), step("a")]))
        assert found == {"nodes[2].id": 'the id "a" is used twice'}

    @pytest.mark.parametrize(
        "name", ["trigger", "steps", "variables", "run", "item", "index", "secrets"]
    )
    def test_an_id_is_not_a_root_of_expressions(self, name: str) -> None:
        assert set(told(definition([step(name)]))) == {"nodes[0].id"}

    def test_a_port_exists(self) -> None:
        switch = {"id": "s", "type": "switch", "config": {"cases": ["big"]}}
        nodes = [switch, step("a")]
        assert told(definition(nodes, [edge("s", "a", "big")])) == {}
        found = told(definition(nodes, [edge("s", "a", "bigg")]))
        assert found == {
            "connections[0].on": '"s" has no port "bigg"; it has big, default, '
            'failure, success; did you mean "big"?'
        }

    def test_a_failure_connection_needs_on_error_branch(self) -> None:
        edges = [edge("a", "b", "failure")]
        for on_error, expected in (
            ("branch", set()),
            ("stop", {"connections[0].on"}),
            ("continue", {"connections[0].on"}),
        ):
            nodes = [step("a", on_error=on_error), step("b")]
            assert set(told(definition(nodes, edges))) == expected

    def test_a_connection_is_drawn_once(self) -> None:
        nodes = [step("a", on_error="branch"), step("b")]
        edges = [edge("a", "b"), edge("a", "b", "failure"), edge("a", "b")]
        assert set(told(definition(nodes, edges))) == {"connections[2]"}

    def test_what_no_trigger_leads_to_is_told(self) -> None:
        value = definition([step("a"), step("b"), step("c")], [edge("a", "b")])
        assert told(value) == {}
        assert told(value, triggers=[{"start": []}]) == {}
        found = told(value, triggers=[{"start": ["a"]}])
        assert set(found) == {"nodes[2]"}
        assert 'no trigger leads to "c"' in found["nodes[2]"]
        assert told(value, triggers=[{"start": ["a"]}, {"start": ["c"]}]) == {}

    def test_a_diamond_is_sound(self) -> None:
        nodes = [step("a"), step("b"), step("c"), step("d", {"x": "{{ a.x }}"})]
        edges = [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")]
        assert told(definition(nodes, edges)) == {}


class TestPlaces:
    def test_problems_are_placed_in_the_document_as_written(self) -> None:
        document = {
            "definition": {
                "steps": [
                    {"type": "schedule", "config": {}},
                    {"name": "a", "type": "set", "config": {"values": {}}},
                    {"name": "b", "type": "webhook", "configuration": {"url": ""}},
                    {"name": "c", "type": "set", "config": {}, "timeot": 1},
                ]
            },
            "variables": {"x": "{{ y }}"},
        }
        _, problems = check(document, KINDS)
        assert [problem.path for problem in problems] == [
            "definition.steps[2].configuration.url",
            "definition.steps[3].config.values",
            "definition.steps[3].timeot",
            "variables.x",
        ]

    def test_connections_keep_their_numbers_beside_trigger_nodes(self) -> None:
        document = {
            "nodes": [
                {"id": "t", "type": "manual"},
                step("a"),
                step("b", {"x": "{{ nope.x }}"}),
            ],
            "connections": [{"from": "t", "to": "a"}, {"from": "a", "to": "x"}],
        }
        _, problems = check(document, KINDS)
        assert [problem.path for problem in problems] == [
            "connections[1].to",
            "nodes[2]",
            "nodes[2].config.values.x",
        ]

    def test_reading_and_validating_complain_together_but_once(self) -> None:
        document = {"nodes": [5, step("a", {"x": "{{ 1 + }}"})], "nmae": "x"}
        _, problems = check(document, KINDS)
        assert [problem.path for problem in problems] == [
            "nmae",
            "nodes[0]",
            "nodes[1].config.values.x",
        ]
        assert [p.path for p in check({"nodes": [5]}, KINDS)[1]] == ["nodes[0]"]
        assert [p.path for p in check(None, KINDS)[1]] == [""]
        assert [p.path for p in check({}, KINDS)[1]] == [""]
        assert [p.path for p in check({"nodes": []}, KINDS)[1]] == ["nodes"]

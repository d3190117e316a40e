from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.definition.kinds import edge, step
from workflows.definition import DefinitionError, Normalised, normalise
from workflows.definition.json_tree import MAX_DEPTH


def problems_of(document: Any) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        normalise(document)
    return {problem.path: problem.message for problem in caught.value.problems}


def ids(found: Normalised) -> list[str]:
    return [node["id"] for node in found.definition["nodes"]]


def line(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"steps": [{"type": "set", **item} for item in steps], **more}


HOOK = {"id": "hook", "type": "webhook", "config": {"path": "in"}}


class TestLines:
    def test_ids_come_from_names_and_are_made_unique(self) -> None:
        found = normalise(
            line({"name": "Tell the CRM"}, {"name": "tell the crm"}, {"name": "Ümlaut"})
        )
        assert ids(found) == ["tell-the-crm", "tell-the-crm-2", "umlaut"]

    def test_a_step_without_a_name_is_called_after_its_type(self) -> None:
        assert ids(normalise(line({}, {}))) == ["set", "set-2"]

    def test_an_id_that_is_given_stays_and_is_avoided_by_others(self) -> None:
        found = normalise(line({"name": "a"}, {"id": "a"}, {"name": "a"}))
        assert ids(found) == ["a-2", "a", "a-3"]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("run", "run-step"),
            ("True", "true-step"),
            ("2nd call", "step-2nd-call"),
            ("***", "set"),
            ("日本", "set"),
            ("x" * 300, "x" * 48),
        ],
    )
    def test_a_made_id_is_always_allowed(self, name: str, expected: str) -> None:
        assert ids(normalise(line({"name": name}))) == [expected]

    def test_each_step_leads_to_the_next(self) -> None:
        found = normalise(line({"name": "a"}, {"name": "b"}, {"name": "c"}))
        assert found.definition["connections"] == [edge("a", "b"), edge("b", "c")]

    def test_webhook_means_http_request_even_without_a_url(self) -> None:
        found = normalise({"steps": [{"type": "webhook", "config": {}}]})
        assert found.definition["nodes"][0]["type"] == "http_request"
        assert found.triggers == []

    def test_a_trigger_may_stand_before_the_first_step_only(self) -> None:
        schedule = {"type": "schedule", "config": {"cron": "0 * * * *"}}
        found = normalise({"steps": [schedule, {"type": "set"}]})
        assert [trigger["kind"] for trigger in found.triggers] == ["schedule"]
        assert ids(found) == ["set"]
        assert (
            "before the first step"
            in problems_of({"steps": [{"type": "set"}, schedule]})["steps[1]"]
        )

    def test_steps_exclude_nodes_and_connections(self) -> None:
        found = problems_of({"steps": [], "nodes": [], "connections": []})
        assert set(found) == {"nodes", "connections"}


class TestDocuments:
    def test_the_definition_may_be_wrapped(self) -> None:
        found = normalise(
            {
                "name": "W",
                "slug": "w",
                "variables": {"region": "eu"},
                "definition": {"steps": [{"type": "set"}], "output": None},
                "triggers": [{"kind": "manual"}],
            }
        )
        assert found.meta == {"name": "W", "slug": "w"}
        assert found.definition["variables"] == {"region": "eu"}
        assert found.definition["output"] is None
        assert found.original("nodes[0].config.url") == (
            "definition.steps[0].config.url"
        )
        assert found.original("variables.x") == "variables.x"

    def test_variables_are_not_given_twice(self) -> None:
        inner: dict[str, Any] = {"nodes": [], "variables": {}}
        assert "variables" in problems_of({"definition": inner, "variables": {}})

    def test_unknown_keys_are_told_with_a_suggestion(self) -> None:
        found = problems_of({"nodes": [], "conections": [], "definitionn": 1})
        assert 'did you mean "connections"?' in found["conections"]
        assert "definitionn" in found
        wrapped = problems_of({"definition": {"nodes": [], "slug": "x"}})
        assert "definition.slug" in wrapped

    @pytest.mark.parametrize(
        ("document", "place"),
        [
            (None, ""),
            ([], ""),
            ({}, ""),
            ({"nodes": {}}, "nodes"),
            ({"nodes": [1]}, "nodes[0]"),
            ({"steps": None}, "steps"),
            ({"nodes": [], "connections": {}}, "connections"),
            ({"nodes": [], "connections": ["a"]}, "connections[0]"),
            ({"nodes": [], "triggers": None}, "triggers"),
            ({"definition": []}, "definition"),
            ({"nodes": [{"type": "set", 1: 2}]}, "nodes[0]"),
            ({"nodes": [{"config": {"d": date(2030, 1, 1)}}]}, "nodes[0].config.d"),
            ({"nodes": [{"name": "a\x00"}]}, "nodes[0].name"),
            ({"nodes": [{"name": "\ud800"}]}, "nodes[0].name"),
            ({"nodes": [], "variables": {"x": float("nan")}}, "variables.x"),
            ({"nodes": [], "variables": {"x": 10**400}}, "variables.x"),
        ],
    )
    def test_what_is_no_document_is_told_with_its_place(
        self, document: Any, place: str
    ) -> None:
        assert place in problems_of(document)

    def test_depth_is_bounded(self) -> None:
        tree: Any = 1
        for _ in range(MAX_DEPTH * 30):
            tree = {"x": tree}
        found = problems_of({"nodes": [], "variables": tree})
        assert "nested deeper" in next(iter(found.values()))

    def test_all_problems_are_told_at_once(self) -> None:
        found = problems_of(
            {"nodes": [1, 2], "connections": [3], "triggers": [{}], "nmae": "x"}
        )
        assert set(found) == {
            "nodes[0]",
            "nodes[1]",
            "connections[0]",
            "triggers[0].kind",
            "nmae",
        }


class TestNodes:
    @pytest.mark.parametrize(
        ("written", "port"), [(True, "true"), (False, "false"), ("true", "true")]
    )
    def test_a_port_written_as_a_truth_is_that_of_a_branch(
        self, written: Any, port: str
    ) -> None:
        document = {
            "nodes": [step("a"), step("b")],
            "connections": [{"from": "a", "to": "b", "on": written}],
        }
        found = normalise(document).definition["connections"]
        assert found == [edge("a", "b", port)]

    def node(self, **item: Any) -> dict[str, Any]:
        node: dict[str, Any] = normalise(
            {"nodes": [{"id": "a", "type": "set", **item}]}
        ).definition["nodes"][0]
        return node

    def test_defaults_are_not_filled_in(self) -> None:
        assert self.node() == {"id": "a", "type": "set", "config": {}}

    def test_configuration_is_config(self) -> None:
        document = {"nodes": [{"type": "set", "configuration": {"values": 1}}]}
        found = normalise(document)
        assert found.definition["nodes"][0]["config"] == {"values": 1}
        assert found.original("nodes[0].config.values") == (
            "nodes[0].configuration.values"
        )

    def test_durations_become_seconds(self) -> None:
        retry = {"initial": "500ms", "max": "10m", "waits": ["1s", 2, "soon"]}
        node = self.node(timeout="1m", retry=retry)
        assert node["timeout"] == 60
        assert node["retry"] == {"initial": 0.5, "max": 600, "waits": [1, 2, "soon"]}

    def test_a_method_is_written_in_capitals(self) -> None:
        config = {"url": "https://x.test", "method": "put"}
        assert self.node(type="webhook", config=config)["config"]["method"] == "PUT"

    def test_a_failure_connection_means_on_error_branch(self) -> None:
        document = {
            "nodes": [step("a"), step("b"), step("c", on_error="continue")],
            "connections": [edge("a", "b", "failure"), edge("c", "b", "failure")],
        }
        found = normalise(document)
        assert [n.get("on_error") for n in found.definition["nodes"]] == [
            "branch",
            None,
            "continue",
        ]
        assert [warning.path for warning in found.warnings] == ["nodes[0]"]

    def test_the_document_is_not_changed(self) -> None:
        document = {
            "nodes": [HOOK, {**step("a"), "timeout": "1m"}],
            "connections": [{"from": "hook", "to": "a"}],
        }
        before = deepcopy(document)
        normalise(document)
        assert document == before


KEYS = (
    *("nodes", "steps", "connections", "triggers", "variables", "output", "definition"),
    *("id", "type", "name", "config", "configuration", "from", "to", "on", "kind"),
    *(
        "start",
        "secret",
        "retry",
        "timeout",
        "waits",
        "method",
        "methods",
        "path",
        "url",
    ),
)
json_trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a", "b", "webhook", "set", "schedule", "success", "5m"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
node_like = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "run"]) | json_trees,
        "type": st.sampled_from(["webhook", "set", "schedule"]) | json_trees,
        "name": json_trees,
        "config": json_trees,
        "retry": json_trees,
    },
)
document_like = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.lists(node_like | json_trees, max_size=4),
        "steps": st.lists(node_like | json_trees, max_size=4),
        "connections": st.lists(
            st.fixed_dictionaries(
                {"from": st.sampled_from(["a", "b", "x"]) | json_trees},
                optional={
                    "to": st.sampled_from(["a", "b", "x"]) | json_trees,
                    "on": st.sampled_from(["success", "failure"]) | json_trees,
                },
            ),
            max_size=4,
        ),
        "triggers": st.lists(json_trees, max_size=2),
        "variables": json_trees,
    },
)


@settings(max_examples=120, deadline=None)
@given(json_trees | document_like)
def test_any_json_is_normalised_or_refused_and_nothing_else(document: Any) -> None:
    try:
        found = normalise(document)
    except DefinitionError:
        return
    again = normalise(found.definition)
    assert again.definition == found.definition
    assert again.triggers == []

"""Reading documents: spellings, places, drafts that come back as they went."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.services import DocumentError, check_document, parse_document

NODES: dict[str, Any] = {
    "nodes": [
        {"id": "in", "type": "webhook", "config": {"scheme": "github", "path": "/x"}},
        {"id": "wait", "type": "delay", "config": {"duration": 1}},
    ],
    "connections": [{"from": "in", "to": "wait"}],
}
STEPS = [{"id": "wait", "type": "delay", "config": {"duration": 1}}]


def test_a_trigger_is_read_from_a_node_and_from_the_list_alike() -> None:
    [node] = parse_document(NODES).triggers
    listed = {
        "steps": STEPS,
        "triggers": [
            {
                "trigger_type": "webhook",
                "configuration": {"scheme": "github", "path": "x"},
                "node_id": "in",
                "start": ["wait"],
            }
        ],
    }
    [entry] = parse_document(listed).triggers
    assert (node.place, entry.place) == ("nodes[0]", "triggers[0]")
    for name in ("kind", "config", "path", "node_id", "start"):
        assert getattr(node, name) == getattr(entry, name)
    assert (node.path, node.config) == ("x", {"scheme": "github"})


@pytest.mark.parametrize("document", [NODES, {"steps": STEPS, "triggers": []}])
def test_a_stored_draft_reads_as_the_document_it_came_from(
    document: dict[str, Any],
) -> None:
    first = parse_document(document)
    stored = json.loads(json.dumps(first.draft()))
    for again in (parse_document(stored), parse_document({"definition": stored})):
        assert again.draft() == stored
        assert again.definition == first.definition
        assert again.names_triggers


def test_a_document_that_says_nothing_of_triggers_stores_nothing_of_them() -> None:
    document = parse_document({"steps": STEPS})
    assert not document.names_triggers
    assert "triggers" not in document.draft()


def test_a_secret_is_in_neither_the_draft_nor_the_print() -> None:
    hook = {"kind": "webhook", "config": {"scheme": "github", "secret": "canary"}}
    document = parse_document({"steps": STEPS, "triggers": [hook]})
    assert document.triggers[0].secret == "canary"
    assert "canary" not in repr(document) + json.dumps(document.draft())


def test_a_secret_that_nothing_uses_is_a_warning() -> None:
    document = parse_document(
        {"steps": STEPS, "triggers": [{"kind": "webhook", "secret": "x-value"}]}
    )
    assert [str(w) for w in document.warnings][-1] == (
        "triggers[0]: its secret is not used: nothing is signed with this config"
    )


def test_two_triggers_cannot_have_one_path() -> None:
    hook = {"kind": "webhook", "config": {"path": "x"}}
    [problem] = check_document({"steps": STEPS, "triggers": [hook, hook]})
    assert str(problem) == "triggers[1].config.path: is used twice"


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        ({"kind": "webhook", "config": {"scheme": "pgp"}}, "triggers[0].config.scheme"),
        ({"kind": "api", "config": {"x": 1}}, "triggers[0].config.x"),
        ({"kind": "schedule"}, "triggers[0].config.cron"),
        ({"kind": "tide"}, "triggers[0].kind"),
        ({"kind": "api", "start": ["gone"]}, "triggers[0].start[0]"),
        ({"kind": "api", "colour": 1}, "triggers[0].colour"),
        (
            {
                "kind": "webhook",
                "config": {"scheme": "standard_webhooks"},
                "secret": "%",
            },
            "triggers[0].secret",
        ),
    ],
)
def test_a_triggers_problem_has_its_place(trigger: dict[str, Any], place: str) -> None:
    found = check_document({"steps": STEPS, "triggers": [trigger]})
    assert [problem.path for problem in found] == [place]


def test_a_trigger_nodes_problem_is_told_at_the_node() -> None:
    nodes = json.loads(json.dumps(NODES))
    nodes["nodes"][0]["config"]["scheme"] = "pgp"
    assert [p.path for p in check_document(nodes)] == ["nodes[0].config.scheme"]
    inside = check_document({"name": "D", "definition": nodes})
    assert [p.path for p in inside] == ["definition.nodes[0].config.scheme"]


def test_a_trigger_that_is_no_more_is_refused_with_those_that_are() -> None:
    [problem] = check_document({"steps": STEPS, "triggers": [{"kind": "scheduled"}]})
    assert "api, manual, run_finished, schedule, webhook" in problem.message
    assert 'did you mean "schedule"?' in problem.message


def test_an_error_tells_all_problems_in_one_line_too() -> None:
    with pytest.raises(DocumentError) as error:
        parse_document({"steps": [{"type": "nope"}], "name": 3})
    assert len(error.value.problems) == 2
    assert error.value.message == "; ".join(map(str, error.value.problems))
    assert error.value.code == "VALIDATION_ERROR"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
OWN_KEYS = ("name", "slug", "id", "status", "tags", "team", "search_keys")
GRAPH_KEYS = ("steps", "nodes", "connections", "triggers", "definition", "variables")
KEYS = st.sampled_from([*OWN_KEYS, *GRAPH_KEYS, "output", "run_timeout"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_document_is_more_than_refused(document: dict[str, Any]) -> None:
    try:
        parsed = parse_document(document, allow_problems=True)
    except DocumentError:
        return
    stored = json.loads(json.dumps(parsed.draft()))
    assert parse_document(stored, allow_problems=True).draft() == stored


def test_a_draft_that_cannot_be_read_is_told_all_that_is_wrong_with_it() -> None:
    """Shown to fail when what no draft can hold is told without the rest."""
    document = {
        "name": "Three mistakes",
        "colour": "red",
        "nodes": [{"id": "a", "type": "http_request", "config": {"url": 5}}],
        "connections": [],
        "triggers": [{"kind": "webhook", "config": {"methods": ["FETCH"]}}],
    }
    with pytest.raises(DocumentError) as raised:
        parse_document(document, allow_problems=True)

    places = {problem.path for problem in raised.value.problems}
    assert {"colour", "nodes[0].config.url", "triggers[0].config.methods[0]"} <= places

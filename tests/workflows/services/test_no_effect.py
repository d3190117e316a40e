"""Publishing tells of what is written and will never have an effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runs.flows import edge, given, loop, node
from workflows.services import create_workflow
from workflows.services.no_effect import no_effect

CALL = {"method": "POST", "url": "https://example.com"}


def warned(*nodes: dict[str, Any], connections: Any = ()) -> dict[str, str]:
    """What is told, by place."""
    definition = {"nodes": list(nodes), "connections": list(connections)}
    return {problem.path: problem.message for problem in no_effect(definition)}


@pytest.mark.parametrize("kind", ["set", "delay", "branch", "approval", "for_each"])
def test_attempts_of_a_kind_that_has_only_one(kind: str) -> None:
    found = warned(node("a", kind, {}, retry={"max_attempts": 3}, timeout=5))
    assert list(found) == ["nodes[0].retry", "nodes[0].timeout"]
    assert (
        f'has no effect: "{kind}" sends and stores nothing' in found["nodes[0].retry"]
    )


@pytest.mark.parametrize("kind", ["http_request", "slack", "email", "store_file"])
def test_not_of_kinds_that_send_or_store(kind: str) -> None:
    assert not warned(node("a", kind, {}, retry={"max_attempts": 3}, timeout=5))


def test_an_answer_inside_a_loop() -> None:
    answer = node("answer", "respond", {"body": "x"})
    assert not warned(answer)
    found = warned(given("a"), loop("each", [1], answer))
    assert list(found) == ["nodes[1].config.nodes[0]"]
    assert 'answers nobody inside the loop "each"' in found["nodes[1].config.nodes[0]"]


@pytest.mark.parametrize("fields", [{}, {"on_item_error": "stop"}])
def test_failed_items_of_a_loop_that_stops_at_the_first(fields: Any) -> None:
    nodes = [loop("each", [1], given("in"), **fields), given("b")]
    found = warned(*nodes, connections=[edge("each", "b", "item_failed")])
    assert found == {
        "connections[0].on": 'is never taken: it needs "on_item_error": "continue" at '
        '"each"'
    }


def test_failed_items_of_a_loop_that_goes_on_are_taken() -> None:
    each = loop("each", [1], given("in"), on_item_error="continue")
    assert not warned(each, given("b"), connections=[edge("each", "b", "item_failed")])


@pytest.mark.django_db
def test_publishing_says_so() -> None:
    nodes = [{**given("a"), "timeout": 5}, node("b", "http_request", CALL)]
    result = create_workflow({"name": "A", "steps": nodes}, by=None)
    assert any("has no effect" in warning.message for warning in result.warnings)

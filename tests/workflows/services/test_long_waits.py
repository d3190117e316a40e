"""Publishing warns of waits that their run's time-out would cut short."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.services import create_workflow
from workflows.services.long_waits import long_waits

DAY = 86_400
ASK: dict[str, Any] = {"type": "approval", "config": {"message": "?"}}


def warned(run_timeout: int, *nodes: dict[str, Any]) -> dict[str, str]:
    steps = [{"id": f"s{number}", **node} for number, node in enumerate(nodes)]
    found = long_waits({"nodes": steps, "connections": []}, run_timeout)
    return {problem.path: problem.message for problem in found}


def wait(kind: str, **config: Any) -> dict[str, Any]:
    return {"type": kind, "config": config}


def test_a_wait_that_the_run_does_not_last_is_told() -> None:
    assert warned(DAY, ASK) == {
        "nodes[0].config": "waits up to 7d, but its run is failed after 1d: give the "
        "workflow a longer run_timeout"
    }


@pytest.mark.parametrize(
    ("node", "run_timeout", "places"),
    [
        (ASK, 7 * DAY, ["nodes[0].config"]),
        (ASK, 7 * DAY + 1, []),
        (wait("approval", message="?", timeout="1h"), 3601, []),
        (wait("wait_for_webhook", timeout="90s"), 90, ["nodes[0].config"]),
        (wait("wait_for_webhook"), 8 * DAY, []),
        (wait("delay", duration="2d"), DAY, ["nodes[0].config"]),
        (wait("delay", duration=60), DAY, []),
        (wait("delay", until="2099-01-01T00:00:00Z"), DAY, []),
        (wait("approval", message="?", timeout="{{ variables.t }}"), 60, []),
        (wait("delay", duration="{{ variables.t }}"), 60, []),
        (wait("set", values={}), 1, []),
    ],
)
def test_only_what_is_known_to_be_longer_is_told(
    node: dict[str, Any], run_timeout: int, places: list[str]
) -> None:
    assert list(warned(run_timeout, node)) == places


def test_a_wait_within_a_loop_is_told_with_its_place() -> None:
    body = {"nodes": [{"id": "in", **ASK}], "connections": []}
    loop = wait("for_each", items=[], **body)
    assert list(warned(DAY, loop)) == ["nodes[0].config.nodes[0].config"]


@pytest.mark.django_db
def test_publishing_warns_and_publishes() -> None:
    document = {"name": "Ask", "steps": [{"id": "ask", **ASK}]}
    saved = create_workflow({**document, "slug": "short"}, by=None)
    assert "give the workflow a longer run_timeout" in str(saved.warnings)
    assert saved.workflow.published is not None
    patient = {**document, "slug": "patient", "run_timeout": "8d"}
    assert "run_timeout" not in str(create_workflow(patient, by=None).warnings)

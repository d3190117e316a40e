"""Publishing warns of steps that could not run their workflow."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import Team
from workflows.models import Workflow
from workflows.services import create_workflow
from workflows.services.calls import refused_calls

pytestmark = pytest.mark.django_db


def made(
    name: str, *steps: dict[str, Any], **fields: Any
) -> tuple[Workflow, list[str]]:
    """A published workflow, and what publishing it warned of."""
    document = {
        "name": name,
        "steps": list(steps)
        or [{"name": "n", "type": "set", "config": {"values": {}}}],
        **fields,
    }
    created = create_workflow(document, by=None)
    warnings = created.warnings
    return created.workflow, [f"{item.path}: {item.message}" for item in warnings]


def run(slug: str) -> dict[str, Any]:
    return {"name": "call", "type": "run_workflow", "config": {"workflow": slug}}


def of_calls(warnings: list[str]) -> list[str]:
    return [item for item in warnings if "workflow" in item.split(":")[0]]


def test_a_workflow_that_can_be_run_is_no_matter() -> None:
    made("Callee")
    assert of_calls(made("Caller", run("callee"))[1]) == []


def test_one_that_does_not_exist_is_told_with_its_place() -> None:
    _, warnings = made("Caller", run("nowhere"))
    assert of_calls(warnings) == [
        'nodes[0].config.workflow: the workflow "nowhere" does not exist for this '
        "workflow's team: until then this step fails"
    ]


def test_another_teams_is_told_like_what_nobody_has() -> None:
    callee, _ = made("Callee")
    callee.team = Team.objects.create(name="Others", slug="others")
    callee.save()
    _, warnings = made("Caller", run("callee"))
    assert "does not exist for this workflow's team" in of_calls(warnings)[0]


def test_drafts_and_inactive_ones_are_told() -> None:
    made("Draft", status="draft")
    inactive, _ = made("Asleep")
    inactive.status = Workflow.Status.INACTIVE
    inactive.save()
    _, warnings = made("Caller", run("draft"), {**run("asleep"), "name": "second"})
    told = of_calls(warnings)
    assert "has no published version; publish it first" in told[0]
    assert "is inactive; activate it first" in told[1]


def test_calls_in_loops_are_looked_at_too() -> None:
    each = {
        "name": "each",
        "type": "for_each",
        "config": {"items": [1], "steps": [run("nowhere")]},
    }
    _, warnings = made("Caller", each)
    assert "nodes[0].config.nodes[0].config.workflow" in of_calls(warnings)[0]


def test_a_workflow_that_runs_itself_and_a_template_are_no_matter() -> None:
    workflow, warnings = made(
        "Caller", run("caller"), {**run("{{ variables.w }}"), "name": "b"}
    )
    assert of_calls(warnings) == []
    assert refused_calls(workflow, workflow.definition) == []

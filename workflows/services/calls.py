"""Workflows that steps of others run: whether they can be run, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from workflows.actions import base as actions
from workflows.definition import Problem, walk_nodes
from workflows.models import Workflow


def refusal(workflow: Workflow | None, slug: str, team: UUID | None) -> str:
    """Why a run of this team may not start the workflow of this slug; empty if it may.

    Another team's workflow does not exist.
    """
    name = f'the workflow "{slug[:100]}"'
    if workflow is None or workflow.team_id not in (None, team):
        return f"{name} does not exist for this workflow's team"
    if workflow.published_id is None:
        return f"{name} has no published version; publish it first"
    if workflow.status != Workflow.Status.ACTIVE:
        return f"{name} is {workflow.status}; activate it first"
    return ""


def refused_calls(workflow: Workflow, definition: Mapping[str, Any]) -> list[Problem]:
    """A warning for each step that could not run its workflow now; at most one query.

    Only a warning: two workflows may run each other, and one must be the first.
    """
    called = list(_called(definition))
    if not called:
        return []
    slugs = {slug for _, slug in called} - {workflow.slug}
    found = {row.slug: row for row in Workflow.objects.filter(slug__in=slugs)}
    return [
        Problem(path, f"{why}: until then this step fails")
        for path, slug in called
        if slug != workflow.slug
        and (why := refusal(found.get(slug), slug, workflow.team_id))
    ]


def _called(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The places and slugs of workflows that are named as they are."""
    for item in walk_nodes(definition):
        slug = item.node["config"].get("workflow")
        is_plain = isinstance(slug, str) and "{{" not in slug
        if is_plain and actions.get(item.node["type"]).calls:
            yield f"{item.path}.config.workflow", slug

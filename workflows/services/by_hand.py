"""Triggers that people and programs make one by one, beside a workflow's document.

Each change is written into the draft too, so that the next publish leaves it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automate.accounts.audit import record
from workflows.definition import Problem
from workflows.models import Trigger, Workflow
from workflows.services import matching, scheduling, triggers
from workflows.services.documents import TriggerSpec
from workflows.services.drafts import Actor, save_draft
from workflows.services.errors import DocumentError, StateRefused
from workflows.services.transactions import lock, unit_of_work
from workflows.triggers.base import get, problems_of


@dataclass(frozen=True, slots=True)
class Added:
    """A new trigger; `secret` when one was made, the one time that it is shown."""

    trigger: Trigger
    secret: str | None = field(default=None, repr=False)
    warnings: Sequence[Problem] = ()


def document_of(
    workflow: Workflow, definition: Mapping[str, Any], **meta: Any
) -> dict[str, Any]:
    """The workflow as a document: this definition, and its triggers as they are now."""
    inner = {key: value for key, value in definition.items() if key != "triggers"}
    entries = [entry_of(row) for row in matching.rows_of(workflow)]
    return {**meta, "definition": inner, "triggers": entries}


def entry_of(row: Trigger) -> dict[str, Any]:
    """A row as an entry of a document's triggers."""
    config = {**row.config, **({"path": row.path} if row.path else {})}
    entry: dict[str, Any] = {
        "kind": row.kind,
        "config": config,
        "is_active": row.is_active,
    }
    if row.node_id:
        entry["node_id"] = row.node_id
    if row.start:
        entry["start"] = row.start
    return entry


def remember(workflow: Workflow, by: Actor) -> None:
    """Write the rows into the draft, so that the next publish leaves them alone."""
    workflow.refresh_from_db()
    document = document_of(workflow, workflow.definition)
    save_draft(workflow, document, by=by)


def add_trigger(
    workflow: Workflow,
    kind: str,
    config: Mapping[str, Any],
    *,
    secret: str | None = None,
    by: Actor,
) -> Added:
    """A trigger that takes events at once, with a secret where its config needs one.

    `config` in any spelling that documents know, `path` within it. Raises DocumentError
    with places below the config (`secret` for the secret), and StateRefused.
    """
    found = get(kind)
    wanted = found.normalise(config)
    problems = problems_of(found, wanted, "")
    if problems:
        raise DocumentError(problems)
    if secret is not None:
        wrong = "is not used by this scheme"
        if found.needs_secret(wanted):
            wrong = found.check_secret(wanted, secret)
        if wrong:
            raise DocumentError([Problem("secret", wrong)])
    path = wanted.pop("path", None)
    spec = TriggerSpec(kind=kind, config=wanted, path=path, secret=secret)
    with unit_of_work():
        locked = lock(workflow)
        if locked.status == Workflow.Status.ARCHIVED:
            raise StateRefused("This workflow is archived; activate it first.")
        triggers.refuse_taken_paths([spec], ())
        row, made = triggers.make(locked, spec, by)
        scheduling.follow(locked)
        remember(locked, by)
    row.refresh_from_db()
    notes = [Problem("authentication", text) for text in found.warnings(wanted)]
    return Added(row, made, notes)


def remove_trigger(trigger: Trigger, by: Actor) -> None:
    """Delete it: its address is nobody's, its runs stay."""
    with unit_of_work():
        locked = lock(trigger.workflow)
        record("trigger.delete", trigger, by=by)
        Trigger.objects.filter(pk=trigger.pk).delete()
        remember(locked, by)

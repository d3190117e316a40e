"""Rolling back: an earlier version is what new events start, once more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from automate.accounts.audit import record
from workflows.definition import Problem
from workflows.models import Workflow, WorkflowVersion
from workflows.services import by_hand, credentials, matching, scheduling, triggers
from workflows.services.documents import Document, TriggerSpec, parse_document
from workflows.services.errors import DocumentError, StateRefused
from workflows.services.publishing import Actor, Publication, warnings_of
from workflows.services.transactions import lock, unit_of_work


def rollback(
    workflow: Workflow,
    number: int,
    *,
    by: Actor,
    note: str = "",
    expected_edit_count: int | None = None,
) -> Publication:
    """Publish the version of this number again: itself, not a copy of it.

    The draft becomes its definition and the triggers those that it was published
    with, except that one switched off by hand stays off. Versions from before 0.2
    know no triggers: then those that there are stay. A version that says nothing of
    triggers leaves those that were made one by one, and the draft tells of them. Runs
    in flight finish on the version that they began with.

    Raises StateRefused (no such version, archived), EditConflict, and DocumentError
    for what is missing today, such as a secret.
    """
    with unit_of_work():
        locked = lock(workflow, expected_edit_count)
        if locked.status == Workflow.Status.ARCHIVED:
            raise StateRefused("This workflow is archived; activate it first.")
        version = locked.versions.filter(number=number).first()
        if version is None:
            raise StateRefused(f"There is no version {number} of {locked}.")
        try:
            with transaction.atomic():
                publication = _roll_back(locked, version, by, note)
        except IntegrityError as error:
            raise StateRefused("A path was taken at the same moment; retry.") from error
    workflow.refresh_from_db()
    return publication


def _roll_back(
    workflow: Workflow, version: WorkflowVersion, by: Actor, note: str
) -> Publication:
    current = _current_draft(workflow)
    described = _described(workflow, current)
    document = _document_of(workflow, version, described)
    problems = credentials.missing_names(document.definition, workflow.team)
    if problems:
        raise DocumentError(problems)
    ids = [node["id"] for node in document.definition["nodes"]]
    if version.triggers is None:
        rows = matching.rows_of(workflow)
        synced = triggers.Synced(rows, warnings=triggers.warnings_about(rows, ids))
    else:
        synced = triggers.sync(workflow, document, by, ids)
    before = workflow.published
    draft = document.draft()
    if version.triggers is None and current is not None:
        draft = replace(current, definition=document.definition).draft()
    elif synced.triggers and not document.names_triggers:
        # They stay, so the draft tells of them, as of all that are made one by one;
        # not where it would tell of one that no document has as of one switched off.
        told_of = {row.pk for row in synced.triggers if row.is_active} | described
        stay = [row for row in synced.triggers if row.pk in told_of]
        if stay == matching.rows_of(workflow):
            told = by_hand.document_of(workflow, draft)
            draft = parse_document(told, allow_problems=True).draft()
    if draft != workflow.definition:
        workflow.definition = draft
        workflow.edit_count += 1
    workflow.published = version
    fields = ("definition", "edit_count", "published", "updated_at")
    workflow.save(update_fields=fields)
    scheduling.follow(workflow)
    changes: dict[str, Any] = {"version": version.number, "note": note}
    if before is not None:
        changes["from"] = before.number
    record("workflow.rollback", workflow, by=by, changes=changes)
    return Publication(
        version=version,
        is_new=False,
        triggers=tuple(synced.triggers),
        new_secrets=synced.new_secrets,
        warnings=warnings_of(workflow, document, synced),
    )


def _current_draft(workflow: Workflow) -> Document | None:
    """The draft as it is; None for one that cannot be read, which is replaced."""
    try:
        return parse_document(workflow.definition, allow_problems=True)
    except DocumentError:
        return None


def _document_of(
    workflow: Workflow, version: WorkflowVersion, described: Collection[UUID]
) -> Document:
    """The version as a document; raises DocumentError when it is sound no more."""
    tree: dict[str, Any] = {"definition": dict(version.definition)}
    if version.triggers:
        tree["triggers"] = version.triggers
    document = parse_document(tree)
    if document.definition != version.definition:
        where = f"version {version.number}"
        raise DocumentError([Problem("", f"{where} is read differently today")])
    switches = _switches(workflow, document, described)
    return replace(document, triggers=tuple(switches))


def _described(workflow: Workflow, current: Document | None) -> set[UUID]:
    """The triggers that the current draft tells of."""
    if current is None:
        return set()
    rows = matching.governed(current, matching.rows_of(workflow))
    claimed, _ = matching.match(current.triggers, rows)
    return {row.pk for row in claimed if row is not None}


def _switches(
    workflow: Workflow, wanted: Document, described: Collection[UUID]
) -> list[TriggerSpec]:
    """The triggers, off where a person has switched them off.

    One that the current draft does not describe is off because no document had it:
    that is nobody's wish.
    """
    rows = matching.rows_of(workflow)
    found, _ = matching.match(wanted.triggers, matching.governed(wanted, rows))
    return [
        replace(spec, is_active=False)
        if row is not None and row.pk in described and not row.is_active
        else spec
        for spec, row in zip(wanted.triggers, found, strict=True)
    ]

"""Publishing: a draft becomes an immutable version, its triggers follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, User
from workflows.definition import Problem, digest
from workflows.models import Trigger, Workflow, WorkflowVersion
from workflows.services import credentials, scheduling, triggers
from workflows.services.calls import refused_calls
from workflows.services.documents import Document, parse_document
from workflows.services.errors import DocumentError, StateRefused
from workflows.services.long_waits import long_waits
from workflows.services.no_effect import no_effect
from workflows.services.out_of_reach import out_of_reach
from workflows.services.transactions import lock, unit_of_work

Actor = User | ApiKey | None


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing did.

    `is_new` is False when the draft was published already. `new_secrets` holds the
    signing secrets that were generated, by trigger id: the one time they are shown.
    """

    version: WorkflowVersion
    is_new: bool
    triggers: Sequence[Trigger] = ()
    new_secrets: dict[UUID, str] = field(default_factory=dict, repr=False)
    warnings: Sequence[Problem] = ()
    messages: Sequence[Problem] = ()


def publish(
    workflow: Workflow,
    *,
    by: Actor,
    note: str = "",
    expected_edit_count: int | None = None,
) -> WorkflowVersion:
    """The version that the draft becomes; see `publish_in_full`."""
    return publish_in_full(
        workflow, by=by, note=note, expected_edit_count=expected_edit_count
    ).version


def publish_in_full(
    workflow: Workflow,
    *,
    by: Actor,
    note: str = "",
    expected_edit_count: int | None = None,
) -> Publication:
    """Check the draft, make it the published version, let the triggers follow.

    A draft becomes active; an inactive workflow stays inactive. Raises DocumentError
    (places are those of the draft), EditConflict, and StateRefused for an archived
    one.
    """
    with unit_of_work():
        locked = lock(workflow, expected_edit_count)
        if locked.status == Workflow.Status.ARCHIVED:
            raise StateRefused("This workflow is archived; activate it first.")
        document = parse_document(locked.definition)
        try:
            with transaction.atomic():
                publication = _publish(locked, document, by, note)
        except IntegrityError as error:
            raise StateRefused(
                "A name or path was taken at the same moment; try again."
            ) from error
    workflow.refresh_from_db()
    return publication


def _publish(workflow: Workflow, given: Document, by: Actor, note: str) -> Publication:
    document, messages, problems = credentials.settle(given, workflow.team, by)
    if problems:
        raise DocumentError(problems)
    version, is_new = _version(workflow, document, by, note)
    ids = [node["id"] for node in document.definition["nodes"]]
    synced = triggers.sync(workflow, document, by, ids)
    draft = document.draft()
    if draft != workflow.definition:
        workflow.definition = draft
        workflow.edit_count += 1
    workflow.published = version
    if workflow.status == Workflow.Status.DRAFT:
        workflow.status = Workflow.Status.ACTIVE
    workflow.save(
        update_fields=(
            "definition",
            "edit_count",
            "published",
            "status",
            "updated_at",
        )
    )
    scheduling.follow(workflow)
    if is_new:
        changes = {"version": version.number, "sha256": version.sha256, "note": note}
        record("workflow.publish", workflow, by=by, changes=changes)
    return Publication(
        version=version,
        is_new=is_new,
        triggers=tuple(synced.triggers),
        new_secrets=synced.new_secrets,
        warnings=warnings_of(workflow, document, synced),
        messages=tuple(messages),
    )


def warnings_of(
    workflow: Workflow, document: Document, synced: triggers.Synced
) -> tuple[Problem, ...]:
    """What who makes this document the published one should know, each once."""
    waits = long_waits(document.definition, workflow.run_timeout)
    calls = refused_calls(workflow, document.definition)
    idle = no_effect(document.definition)
    far = out_of_reach(workflow, document.definition)
    found = [*document.warnings, *synced.warnings, *waits, *calls, *idle, *far]
    return tuple(dict.fromkeys(found))


def _version(
    workflow: Workflow, document: Document, by: Actor, note: str
) -> tuple[WorkflowVersion, bool]:
    sha256 = digest(document.definition)
    published = workflow.published
    stored = document.published_triggers()
    if published is not None and published.sha256 == sha256:
        # Versions from before 0.2 know no triggers: they differ from nothing.
        known = published.triggers in (None, stored)
        if known or not document.names_triggers:
            return published, False
    last = workflow.versions.aggregate(last=Max("number"))["last"] or 0
    version = WorkflowVersion(
        workflow=workflow,
        number=last + 1,
        definition=document.definition,
        triggers=stored,
        sha256=sha256,
        created_by=by.user if isinstance(by, ApiKey) else by,
        note=note,
    )
    version.save()
    return version, True


def activate(workflow: Workflow, by: Actor) -> bool:
    """inactive or archived -> active. False: it was active. Raises StateRefused."""
    return _move(workflow, Workflow.Status.ACTIVE, by)


def deactivate(workflow: Workflow, by: Actor) -> bool:
    """active -> inactive: events are refused, runs in flight finish."""
    return _move(workflow, Workflow.Status.INACTIVE, by)


def archive(
    workflow: Workflow, by: Actor, *, expected_edit_count: int | None = None
) -> bool:
    """Any state -> archived: nothing starts it any more, its history stays.

    Raises EditConflict.
    """
    with unit_of_work():
        lock(workflow, expected_edit_count)
        return _move(workflow, Workflow.Status.ARCHIVED, by)


def switch(workflow: Workflow, status: str, by: Actor) -> bool:
    """Activate, deactivate or archive, by the status that is wanted."""
    return _move(workflow, Workflow.Status(status), by)


_ALLOWED = {
    Workflow.Status.ACTIVE: (Workflow.Status.INACTIVE, Workflow.Status.ARCHIVED),
    Workflow.Status.INACTIVE: (Workflow.Status.ACTIVE,),
    Workflow.Status.ARCHIVED: (
        Workflow.Status.DRAFT,
        Workflow.Status.ACTIVE,
        Workflow.Status.INACTIVE,
    ),
}


def _move(workflow: Workflow, status: Workflow.Status, by: Actor) -> bool:
    with unit_of_work():
        allowed = Workflow.objects.filter(pk=workflow.pk, status__in=_ALLOWED[status])
        if status == Workflow.Status.ACTIVE:
            allowed = allowed.filter(published__isnull=False)
        moved = allowed.update(status=status, updated_at=timezone.now()) == 1
        workflow.refresh_from_db()
        if moved:
            scheduling.follow(workflow)
            record("workflow." + _VERBS[status], workflow, by=by)
        elif workflow.status != status:
            raise StateRefused(_refusal(workflow, status))
    return moved


_VERBS = {
    Workflow.Status.ACTIVE: "activate",
    Workflow.Status.INACTIVE: "deactivate",
    Workflow.Status.ARCHIVED: "archive",
}


def _refusal(workflow: Workflow, status: Workflow.Status) -> str:
    if workflow.published_id is None:
        return "This workflow was never published; publish it first."
    return f"A workflow that is {workflow.status} cannot become {status}."

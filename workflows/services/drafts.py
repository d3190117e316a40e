"""Drafts: workflows are created and changed; nothing here changes what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, Team, User
from workflows.definition import Problem, digest
from workflows.definition.problems import in_order
from workflows.models import Trigger, Workflow, WorkflowVersion
from workflows.services import credentials, matching, publishing, triggers
from workflows.services.documents import Document, parse_document
from workflows.services.errors import DocumentError
from workflows.services.transactions import lock, unit_of_work

Actor = User | ApiKey | None
UNTITLED = "Untitled workflow"


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What was saved, and what the author should know.

    `problems` stand in the way of publishing a draft; `version` is None when nothing
    was published; `new_secrets` by trigger id, the one time that they are shown.
    """

    workflow: Workflow
    warnings: Sequence[Problem] = ()
    messages: Sequence[Problem] = ()
    problems: Sequence[Problem] = ()
    version: WorkflowVersion | None = None
    triggers: Sequence[Trigger] = ()
    new_secrets: dict[UUID, str] = field(default_factory=dict, repr=False)
    is_new: bool = False


def create_workflow(
    document: Document | Mapping[str, Any],
    *,
    by: Actor,
    team: Team | None = None,
    publish: bool = True,
    owner: User | None = None,
) -> SaveResult:
    """A new workflow; published and active unless its status is `draft`.

    Without a name or slug it gets one from the other, or from the definition. Its
    `owner` is who makes it unless somebody else is named.
    Raises DocumentError; a document that is only a draft may have problems.
    """
    wanted = parsed(document)
    publishes = publish and wanted.meta.status != Workflow.Status.DRAFT
    with unit_of_work():
        workflow = _create(wanted, by, team or _team(wanted, by), owner)
        saved = store(workflow, wanted, by)
        result = publish_as_said(saved, wanted, by) if publishes else saved
    return replace(result, is_new=True)


def save_draft(
    workflow: Workflow,
    document: Document | Mapping[str, Any],
    *,
    by: Actor,
    expected_edit_count: int | None = None,
) -> SaveResult:
    """Store a draft and what the document says of the workflow; nothing that runs.

    The slug, the team and the status stay. A trigger's secret takes effect at once.
    Raises DocumentError for what no draft could hold, and EditConflict.
    """
    wanted = parsed(document)
    with unit_of_work():
        result = store(lock(workflow, expected_edit_count), wanted, by)
    workflow.refresh_from_db()
    return replace(result, workflow=workflow)


def save_document(
    document: Document | Mapping[str, Any],
    *,
    by: Actor,
    publish: bool,
    default_name: str = "",
    owner: User | None = None,
    team: Team | None = None,
) -> SaveResult:
    """Create the workflow of the document's slug, or change it: what an import does.

    `owner` and `team` are a new workflow's; the owner also of one that nobody owns.

    With `publish` its status becomes the workflow's. Only a document whose status is
    `draft` may have problems; names that are missing are told, until it is published.
    """
    wanted = _named(parsed(document), default_name)
    only_draft = wanted.meta.status == Workflow.Status.DRAFT
    if wanted.problems and not only_draft:
        raise DocumentError(wanted.problems)
    slug = wanted.meta.slug or slugify(wanted.meta.name)[:100]
    with unit_of_work():
        known = Workflow.objects.filter(slug=slug).first() if slug else None
        if known is None:
            return create_workflow(
                wanted, by=by, team=team, publish=publish, owner=owner
            )
        known = lock(known)
        if known.owner_id is None and owner is not None:
            known.owner = owner
            known.save(update_fields=("owner",))
        saved = store(known, wanted, by)
        if not publish or only_draft:
            return saved
        return publish_as_said(saved, wanted, by)


def _named(document: Document, name: str) -> Document:
    """The document under this name when it has none of its own."""
    meta = document.meta
    if not name or meta.name or meta.slug:
        return document
    slug = slugify(name)[:100]
    fields = {**meta.fields, "name": name}
    return replace(document, meta=replace(meta, fields=fields, slug=slug))


def parsed(document: Document | Mapping[str, Any]) -> Document:
    if isinstance(document, Document):
        return document
    return parse_document(document, allow_problems=True)


def _create(
    document: Document, by: Actor, team: Team | None, owner: User | None
) -> Workflow:
    meta = document.meta
    slug = meta.slug or _free_slug(document)
    if Workflow.objects.filter(slug=slug).exists():
        text = f'a workflow "{slug}" exists already'
        raise DocumentError([Problem(meta.slug_key, text)])
    workflow = Workflow(
        slug=slug,
        name=meta.name or meta.slug or UNTITLED,
        owner=owner or (by.user if isinstance(by, ApiKey) else by),
        team=team,
    )
    try:
        with transaction.atomic():
            workflow.save(force_insert=True)
    except IntegrityError as error:
        text = f'"{slug}" is taken'
        raise DocumentError([Problem(meta.slug_key, text)]) from error
    changes = {"slug": workflow.slug, "name": workflow.name}
    record("workflow.create", workflow, by=by, changes=changes)
    return workflow


def _free_slug(document: Document) -> str:
    """From the name, with a number where it is taken; else from the definition."""
    base = slugify(document.meta.name)[:90]
    if not base:
        return f"workflow-{digest(document.definition)[:12]}"
    slug, number = base, 1
    while Workflow.objects.filter(slug=slug).exists():
        number += 1
        slug = f"{base}-{number}"
    return slug


def _team(document: Document, by: Actor) -> Team | None:
    """The team that the document names, if the author is one of its members."""
    if not document.meta.team:
        return None
    user = by.user if isinstance(by, ApiKey) else by
    teams = Team.objects.filter(slug=document.meta.team)
    if user is not None and not user.is_superuser:
        teams = teams.filter(members=user)
    team = teams.first()
    if team is None:
        problem = Problem("team", f'there is no team "{document.meta.team}" of yours')
        raise DocumentError([problem])
    return team


def store(workflow: Workflow, document: Document, by: Actor) -> SaveResult:
    """Store everything but what publishing changes; `workflow` is locked or new.

    In the caller's transaction, as `publish_as_said`.
    """
    settled, messages, problems = credentials.settle(document, workflow.team, by)
    wanted = {**document.meta.fields, "definition": settled.draft()}
    changed = [
        name for name, value in wanted.items() if getattr(workflow, name) != value
    ]
    for name, value in wanted.items():
        setattr(workflow, name, value)
    if changed:
        workflow.edit_count += 1
        workflow.save(update_fields=(*changed, "edit_count", "updated_at"))
        record("workflow.save", workflow, by=by, changes={"changed": sorted(changed)})
    triggers.hold_secrets(workflow, settled, by)
    return SaveResult(
        workflow=workflow,
        warnings=document.warnings,
        messages=tuple(messages),
        problems=tuple(in_order([*document.problems, *problems])),
        triggers=matching.rows_of(workflow),
    )


def publish_as_said(saved: SaveResult, document: Document, by: Actor) -> SaveResult:
    """Publish a draft just saved, and make the workflow's status what it says."""
    if saved.problems:
        raise DocumentError(saved.problems)
    workflow = saved.workflow
    status = document.meta.status
    if workflow.status == status == Workflow.Status.ARCHIVED:
        return saved
    done = publishing.publish_in_full(workflow, by=by, note=document.meta.note)
    if status and status != Workflow.Status.DRAFT:
        publishing.switch(workflow, status, by)
    # Publishing reads the stored draft: it says the same again, at the draft's places.
    said = {warning.message for warning in saved.warnings}
    more = [warning for warning in done.warnings if warning.message not in said]
    return replace(
        saved,
        warnings=(*saved.warnings, *more),
        messages=tuple(dict.fromkeys([*saved.messages, *done.messages])),
        version=done.version,
        triggers=done.triggers,
        new_secrets=done.new_secrets,
    )

"""Changing a workflow by a document: as a whole, or only what the document names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, Team, User
from workflows.definition import Problem
from workflows.definition.reader import DEFINITION_KEYS
from workflows.models import Workflow
from workflows.services import publishing
from workflows.services.documents import Document, parse_document
from workflows.services.drafts import Actor, SaveResult, publish_as_said, store
from workflows.services.errors import DocumentError, StateRefused
from workflows.services.meta import Meta
from workflows.services.transactions import lock, unit_of_work

GRAPH = ("nodes", "connections", "steps")
# What of a document changes what runs.
RUNS = DEFINITION_KEYS | {"definition", "triggers"}


def replace_workflow(
    workflow: Workflow,
    document: Mapping[str, Any],
    *,
    by: Actor,
    expected_edit_count: int | None = None,
) -> SaveResult:
    """Make the workflow what the document says, and publish it.

    With the status `draft` only the draft is stored, which may have problems; what runs
    stays. Slug, team and limits that the document does not name stay too. Raises
    DocumentError, EditConflict and StateRefused.
    """
    wanted = parse_document(document, allow_problems=_is_draft(document))
    with unit_of_work():
        locked = lock(workflow, expected_edit_count)
        return _change(locked, wanted, by, publish=True)


def patch_workflow(
    workflow: Workflow,
    patch: Mapping[str, Any],
    *,
    by: Actor,
    expected_edit_count: int | None = None,
) -> SaveResult:
    """Change what the patch names; each of its keys takes the place of the whole value.

    A patch of what runs is published, unless its status is `draft`; one of names and
    limits is not, and leaves a draft that waits alone. Raises as `replace_workflow`.
    """
    changes_runs = bool(RUNS & patch.keys())
    with unit_of_work():
        locked = lock(workflow, expected_edit_count)
        document = patched(locked.definition, patch)
        lenient = _is_draft(patch) or not changes_runs
        wanted = parse_document(document, allow_problems=lenient)
        if _is_draft(patch) and not changes_runs and locked.status != "draft":
            text = f"A workflow that is {locked.status} cannot become a draft again."
            raise StateRefused(text)
        return _change(locked, wanted, by, publish=changes_runs)


def patched(draft: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The document that a stored draft and a patch make.

    A definition, or nodes, connections or steps, without triggers leaves the triggers
    as the draft describes them.
    """
    own = {key: value for key, value in patch.items() if key not in RUNS}
    if "definition" in patch:
        document = dict(patch)
    else:
        inner = {key: draft[key] for key in DEFINITION_KEYS & draft.keys()}
        if "steps" in patch:  # a line has its own connections
            inner = {key: inner[key] for key in inner.keys() - set(GRAPH)}
        inner |= {key: patch[key] for key in DEFINITION_KEYS & patch.keys()}
        document = {**own, **inner}  # so that faults have the names of the patch
        if "triggers" in patch:
            document["triggers"] = patch["triggers"]
    if "triggers" in draft and not _names_triggers(document):
        document["triggers"] = draft["triggers"]
    return document


def _names_triggers(document: Mapping[str, Any]) -> bool:
    return parse_document(document, allow_problems=True).names_triggers


def _is_draft(document: Mapping[str, Any]) -> bool:
    return document.get("status") == Workflow.Status.DRAFT


def _change(
    workflow: Workflow, wanted: Document, by: Actor, *, publish: bool
) -> SaveResult:
    """Store, publish and switch as the document says; `workflow` is locked."""
    _move(workflow, wanted.meta, by)
    status = wanted.meta.status
    if workflow.status == Workflow.Status.ARCHIVED and status == Workflow.Status.ACTIVE:
        publishing.switch(workflow, status, by)  # nothing archived is published
    saved = store(workflow, wanted, by)
    if status == Workflow.Status.DRAFT:
        return saved
    if publish:
        return publish_as_said(saved, wanted, by)
    if status:
        publishing.switch(workflow, status, by)
    return replace(saved, version=workflow.published)


def _move(workflow: Workflow, meta: Meta, by: Actor) -> None:
    """Another slug, another team. Raises DocumentError."""
    moved: dict[str, Any] = {}
    if meta.slug and meta.slug != workflow.slug:
        if Workflow.objects.filter(slug=meta.slug).exists():
            text = f'a workflow "{meta.slug}" exists already'
            raise DocumentError([Problem(meta.slug_key, text)])
        moved["slug"] = meta.slug
    if meta.team and (workflow.team is None or meta.team != workflow.team.slug):
        moved["team"] = team_for(by, meta.team)
    if not moved:
        return
    for name, value in moved.items():
        setattr(workflow, name, value)
    try:
        with transaction.atomic():
            workflow.save(update_fields=(*moved, "updated_at"))
    except IntegrityError as error:
        text = f'"{meta.slug}" is taken'
        raise DocumentError([Problem(meta.slug_key, text)]) from error
    shown = {name: str(value) for name, value in moved.items()}
    record("workflow.change", workflow, by=by, changes=shown)


def team_for(by: Actor, named: str) -> Team | None:
    """The team of what `by` makes: the named one of theirs, else their only one.

    Superusers, and people of no team, make what every team sees unless they name one.
    Raises DocumentError for a team that is not theirs, and where they must choose.
    """
    user = by.user if isinstance(by, ApiKey) else by
    teams = Team.objects.order_by("slug")
    if isinstance(user, User) and not user.is_superuser:
        teams = teams.filter(members=user)
        if not named:
            own = list(teams)
            if len(own) > 1:
                known = ", ".join(team.slug for team in own)
                text = f"say which of your teams it belongs to: {known}"
                raise DocumentError([Problem("team", text)])
            return own[0] if own else None
    if not named:
        return None
    team = teams.filter(slug=named).first()
    if team is None:
        text = f'there is no team "{named}" of yours'
        raise DocumentError([Problem("team", text)])
    return team

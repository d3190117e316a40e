"""Trigger rows: made and changed at publish, switched by people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, User
from automate.lib.encryption import is_readable
from workflows.definition import Problem
from workflows.definition.problems import place
from workflows.models import Trigger, Workflow
from workflows.services import scheduling
from workflows.services.documents import Document, TriggerSpec, parse_document
from workflows.services.errors import DocumentError
from workflows.services.matching import governed, match, rows_of
from workflows.services.signing_secrets import set_secret
from workflows.services.transactions import lock, unit_of_work
from workflows.triggers.base import all_kinds

WEBHOOKS = "/v1/webhooks/"
ALIAS = "webhook/"  # a path's beginning that an address may leave out
Actor = User | ApiKey | None


@dataclass(slots=True)
class Synced:
    """What a publish did to the triggers; `new_secrets` by trigger id, shown once."""

    triggers: list[Trigger] = field(default_factory=list)
    new_secrets: dict[UUID, str] = field(default_factory=dict, repr=False)
    warnings: list[Problem] = field(default_factory=list)


def trigger_url(trigger: Trigger) -> str:
    """The address that events are posted to; "" for a kind that has none."""
    kind = all_kinds().get(trigger.kind)
    if kind is None or not kind.addressed:
        return ""
    return f"{settings.PUBLIC_URL}{WEBHOOKS}{trigger.path or trigger.key}"


def sync(
    workflow: Workflow, document: Document, by: Actor, ids: Collection[str]
) -> Synced:
    """Make the rows follow the document: called by publish, in its transaction.

    Raises DocumentError for a path that is taken. `ids` are the published steps.
    """
    rows = rows_of(workflow)
    mine = governed(document, rows)
    found, removed = match(document.triggers, mine)
    refuse_taken_paths(document.triggers, mine)
    for row in removed:
        _remove(row, by)
    # Two rows may trade paths: free all that change before any is taken.
    moving = [
        row.pk
        for spec, row in zip(document.triggers, found, strict=True)
        if row is not None and row.path and row.path != spec.path
    ]
    Trigger.objects.filter(pk__in=moving).update(path=None)
    result = Synced()
    for spec, claimed in zip(document.triggers, found, strict=True):
        result.triggers.append(_follow(workflow, spec, claimed, by))
    by_hand = [row for row in rows if row not in mine]
    result.triggers += by_hand
    for row in result.triggers:
        _ensure_secret(row, result, by)
    result.warnings += warnings_about(by_hand, ids)
    return result


def hold_secrets(workflow: Workflow, document: Document, by: Actor) -> None:
    """Keep the secrets of a draft that is not published: encrypted, in its rows.

    New rows are inactive and have no path until publish.
    """
    if not any(spec.secret for spec in document.triggers):
        return
    found, _ = match(document.triggers, governed(document, rows_of(workflow)))
    for spec, claimed in zip(document.triggers, found, strict=True):
        row = claimed or _inactive(workflow, spec, by)
        if spec.secret and row.secret != spec.secret:
            set_secret(row, spec.secret)
            record("trigger.set_secret", row, by=by)


def _inactive(workflow: Workflow, spec: TriggerSpec, by: Actor) -> Trigger:
    row = Trigger.objects.create(
        workflow=workflow,
        kind=spec.kind,
        node_id=spec.node_id,
        config=spec.config,
        is_active=False,
    )
    record("trigger.create", row, by=by, changes={"kind": row.kind})
    return row


def set_trigger_active(trigger: Trigger, *, active: bool, by: Actor) -> bool:
    """Switch one trigger; it stays so at the next publish. False: it was so already."""
    with unit_of_work():
        workflow = lock(trigger.workflow)
        changed = Trigger.objects.filter(pk=trigger.pk, is_active=not active).update(
            is_active=active, updated_at=timezone.now()
        )
        if changed:
            scheduling.follow(workflow)
            _remember_switch(workflow, trigger, active=active)
            action = "trigger.activate" if active else "trigger.deactivate"
            record(action, trigger, by=by)
    trigger.is_active = active
    return changed == 1


def _remember_switch(workflow: Workflow, trigger: Trigger, *, active: bool) -> None:
    """Say it in the draft too, where the draft describes this trigger."""
    try:
        document = parse_document(workflow.definition, allow_problems=True)
    except DocumentError:
        return
    found, _ = match(document.triggers, governed(document, rows_of(workflow)))
    specs = [
        replace(spec, is_active=active) if row == trigger else spec
        for spec, row in zip(document.triggers, found, strict=True)
    ]
    draft = replace(document, triggers=tuple(specs)).draft()
    if draft != workflow.definition:
        workflow.definition = draft
        workflow.edit_count += 1
        workflow.save(update_fields=("definition", "edit_count", "updated_at"))


def refuse_taken_paths(specs: Sequence[TriggerSpec], mine: Sequence[Trigger]) -> None:
    """Raises DocumentError for paths that lead to another trigger than `mine` already.

    `webhook/abc` and `abc` are one address: `/webhook/abc`.
    """
    others = Trigger.objects.exclude(pk__in=[row.pk for row in mine])
    problems = []
    seen: set[str] = set()
    for spec in specs:
        if not spec.path:
            continue
        bare = spec.path.removeprefix(ALIAS)
        names = {spec.path, bare, ALIAS + bare}
        if others.filter(Q(path__in=names) | Q(key__in=names)).exists():
            reason = "is taken"
        elif bare in seen:
            reason = f'is the same address as "{bare}"'
        else:
            seen.add(bare)
            continue
        path = place(spec.place, "config", "path") if spec.place else "path"
        problems.append(Problem(path, f'"{spec.path}" {reason}'))
    if problems:
        raise DocumentError(problems)


def make(
    workflow: Workflow, spec: TriggerSpec, by: Actor
) -> tuple[Trigger, str | None]:
    """A new row, and the secret that was made for it, if one was.

    Raises DocumentError where its scheme wants a secret that only the provider makes.
    """
    row = _follow(workflow, spec, None, by)
    result = Synced()
    _ensure_secret(row, result, by)
    if result.warnings:
        raise DocumentError([Problem("secret", result.warnings[0].message)])
    return row, result.new_secrets.get(row.pk)


def _remove(row: Trigger, by: Actor) -> None:
    """Its path is free again; its key stays, should the trigger come back."""
    if row.is_active or row.path:
        row.is_active, row.path = False, None
        row.save(update_fields=("is_active", "path", "updated_at"))
        record("trigger.deactivate", row, by=by, changes={"reason": "not in document"})


def _follow(
    workflow: Workflow, spec: TriggerSpec, known: Trigger | None, by: Actor
) -> Trigger:
    row = known or Trigger(workflow=workflow, kind=spec.kind)
    wanted = {
        "config": spec.config,
        "start": list(spec.start),
        "node_id": spec.node_id,
        "path": spec.path,
        "is_active": spec.is_active is not False,
    }
    changes = {k: v for k, v in wanted.items() if getattr(row, k) != v}
    for name, value in wanted.items():
        setattr(row, name, value)
    if "config" in changes:
        row.next_fire_at = None  # its moments are others now
    if known is None or changes:
        row.save()
        action = "trigger.change" if known else "trigger.create"
        record(action, row, by=by, changes=wanted if known is None else changes)
    if spec.secret and row.secret != spec.secret:
        set_secret(row, spec.secret)
        record("trigger.set_secret", row, by=by)
    return row


def _ensure_secret(row: Trigger, result: Synced, by: Actor) -> None:
    kind = all_kinds().get(row.kind)
    if kind is None or not row.is_active or not kind.needs_secret(row.config):
        return
    if not is_readable(row.secret):
        return
    if row.secret and not kind.check_secret(row.config, row.secret):
        return
    try:
        secret = kind.new_secret(row.config)
    except LookupError as error:
        text = f"{row} has no secret that fits; nobody gets in. {error.args[0]}"
        result.warnings.append(Problem("triggers", text))
        return
    set_secret(row, secret, timedelta(0))
    result.new_secrets[row.pk] = secret
    record("trigger.generate_secret", row, by=by)


def warnings_about(rows: Sequence[Trigger], ids: Collection[str]) -> list[Problem]:
    """About rows that no document describes, when `ids` are the published steps."""
    warnings: list[Problem] = []
    for row in rows:
        if not row.is_active:
            continue
        gone = [name for name in row.start if name not in ids]
        if gone:
            text = f"{row} starts {', '.join(gone)}, which this version does not have"
            warnings.append(Problem("triggers", text))
        kind = all_kinds().get(row.kind)
        notes = kind.warnings(row.config) if kind else ()
        warnings += [Problem("triggers", f"{row} {text}") for text in notes]
    return warnings

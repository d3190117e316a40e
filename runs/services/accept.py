"""An event becomes a run, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from automate.lib.database import write_transaction
from automate.lib.ids import uuid7
from runs.engine import wake
from runs.models import IdempotencyKey
from runs.payloads import discard
from runs.services.bodies import put_aside, with_payload
from runs.services.errors import NotRunnable
from runs.services.events import Event, Target, own_trigger, target_of
from runs.services.overrides import checked
from runs.services.search import search_keys
from runs.services.store import Dedupe, NewRun, key_hash, store
from workflows.models import Workflow


@dataclass(frozen=True, slots=True)
class Accepted:
    """The run that an event became, or had become before.

    `conflict`: the same key came with another body.
    """

    run_id: UUID
    duplicate: bool = False
    conflict: bool = False


def accept(
    target: Target,
    event: Event,
    dedupe: Dedupe | None = None,
    *,
    variables: Mapping[str, Any] | None = None,
    search_keys: Mapping[str, Any] | None = None,
    awaited_as: UUID | None = None,
    caused_by: UUID | None = None,
    decisions: Mapping[str, str] | None = None,
) -> Accepted:
    """Commit the event as a queued run, or find the run it became before.

    One transaction decides and stores; when this returns outside a transaction, the
    run is on disk (I1), a large body before it. Wakes the drains after the commit.
    `awaited_as` is the id that a new run gets because somebody waits for its answer by
    that id already; `caused_by` the ended run that this one follows; `decisions` what
    let the event pass (Run.decisions). Raises PayloadStoreAway.
    """
    kept = event.kept
    if kept is None and len(event.body) > settings.INLINE_LIMIT:
        # What came before is not put again.
        first = known(dedupe)
        if first is not None:
            return first
        kept = put_aside(event.body)
    run = NewRun(
        awaited_as or uuid7(),
        {
            "workflow_id": target.workflow_id,
            "version_id": target.version_id,
            "trigger_id": target.trigger_id,
            "start": list(target.start),
            "body": event.body if kept is None else kept.value,
            "content_type": event.content_type[:200],
            "headers": dict(event.headers),
            "query": dict(event.query),
            "event_id": event.event_id[:200],
            "source_ip": event.source_ip,
            "traceparent": event.traceparent[:55],
            "variables": dict(variables or {}),
            "search_keys": dict(search_keys or {}),
            "caused_by_id": caused_by,
            "decisions": dict(decisions) if decisions else None,
        },
        target,
        dedupe,
        awaited=awaited_as is not None,
    )
    put = store if kept is None else with_payload(kept, store)
    while True:
        if put(run):
            transaction.on_commit(wake.notify)
            return Accepted(run.pk)
        assert dedupe is not None  # noqa: S101 - only a key can refuse a run
        first = _first_run(dedupe)
        if first is not None:
            if kept is not None and not connection.in_atomic_block:
                discard(kept)
            return first


def known(dedupe: Dedupe | None) -> Accepted | None:
    """The run that an event with this identity became before, while its key is kept.

    For an event that does not become one whatever this says: `accept` decides by the
    key's constraint.
    """
    return None if dedupe is None else _first_run(dedupe, live=True)


def _first_run(dedupe: Dedupe, *, live: bool = False) -> Accepted | None:
    """The run that holds this key, by a fresh snapshot; None when purged since.

    `live`: None too when the key has expired.
    """
    keys = IdempotencyKey.objects.filter(
        scope=dedupe.scope, key_hash=key_hash(dedupe.key)
    )
    if live:
        keys = keys.filter(expires_at__gt=Now())
    row = keys.values_list("run_id", "body_hash").first()
    if row is None:
        return None
    conflict = row[1] != dedupe.body_hash
    return Accepted(row[0], duplicate=not conflict, conflict=conflict)


def execute_manually(
    workflow: Workflow,
    payload: Any,
    by: User | ApiKey | None,
    variables: Mapping[str, Any] | None = None,
    priority: int | None = None,
    *,
    dedupe: Dedupe | None = None,
    awaited_as: UUID | None = None,
    through: str = "",
) -> Accepted:
    """Start the published version with a payload of one's own.

    `dedupe` and `awaited_as` are `accept`'s. The run belongs to the workflow's trigger
    of the kind `through` (`manual`, or `api` when an API key starts it), if there is
    one, and begins where that begins. `priority`: instead of
    the workflow's own (Job.PRIORITIES). Raises NotRunnable when nothing is published,
    the workflow is not active, or its `exclusive` fails, and BadVariables for
    `variables` that the version does not declare.
    """
    if workflow.published_id is None:
        raise NotRunnable(f"{workflow} has no published version; publish it first.")
    if workflow.status != Workflow.Status.ACTIVE:
        raise NotRunnable(f"{workflow} is {workflow.status}; activate it first.")
    assert workflow.published is not None  # noqa: S101 - its id was there
    variables = checked(workflow.published, variables or {})
    body = jsonio.dumps(payload).encode()
    event = Event(body, "application/json", kept=put_aside(body))
    target = target_of(
        workflow,
        event,
        trigger=own_trigger(workflow, through or _kind(by)),
        variables=variables,
        priority=priority,
    )
    keys = search_keys(workflow, event, variables)
    with write_transaction():
        accepted = accept(
            target,
            event,
            dedupe,
            variables=variables,
            search_keys=keys,
            awaited_as=awaited_as,
        )
        if not (accepted.duplicate or accepted.conflict):
            audit("run.start", workflow, by=by, changes={"run": str(accepted.run_id)})
    return accepted


def _kind(by: User | ApiKey | None) -> str:
    return "api" if isinstance(by, ApiKey) else "manual"

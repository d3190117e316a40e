"""The chore that tells the ends of runs to `run_finished` triggers, each once.

The end of a run is noted in the transaction that ends it (`runs.engine.finished`).
Here the notes become runs and are deleted, in one transaction: a crash in between
repeats nothing and loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, transaction

from automate.lib.database import is_away, is_repeatable, repeat, write_transaction
from runs.engine.payload import NO_EVENT
from runs.models import FinishedRun, Run, RunLog, StepRun
from runs.services.started import start_run
from workflows import expressions
from workflows.actions.base import all_actions
from workflows.models import Trigger, Workflow
from workflows.triggers.run_finished import TYPE, wants

logger = logging.getLogger(__name__)

KIND = "run_finished"
BATCH = 50
MOST_CAUSES = 10  # ends that lead to one another before a chain stops
LOOKS_BACK = 200  # runs that the search for causes follows
LINKS = ("workflow_id", "caused_by_id", "parent_id", "replay_of_id")
# What is told of an ended run is small; what lies in its payload may be 25 MiB.
NOT_TOLD = (
    "body", "headers", "query", "variables", "output", "version__definition",
    "version__triggers", "workflow__definition",
)  # fmt: skip


def start_followers() -> float:
    """Start what follows from ended runs; the seconds until it looks again."""
    if not FinishedRun.objects.exists():
        return float(settings.POLL)
    return 0.0 if repeat(_follow_some) == BATCH else float(settings.POLL)


def _follow_some() -> int:
    """One transaction: the oldest notes that nobody else has in hand; how many."""
    with write_transaction():
        notes = FinishedRun.objects.order_by("id").select_for_update(
            skip_locked=True, no_key=True
        )
        rows = list(notes[:BATCH])
        known = Run.objects.select_related("workflow", "version", "trigger")
        runs = known.defer(*NOT_TOLD).in_bulk([row.run_id for row in rows])
        triggers = _triggers() if rows else []
        items = _items(runs.values()) if triggers else set()
        told = [runs[row.run_id] for row in rows if row.run_id not in items]
        asked = [(run, _wanting(run, triggers)) for run in told]
        causes = _causes([run for run, wanting in asked if wanting])
        for run, wanting in asked:
            if wanting:
                _follow(run, wanting, *causes[run.pk])
        FinishedRun.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _triggers() -> Sequence[Trigger]:
    active = Trigger.objects.filter(
        kind=KIND,
        is_active=True,
        workflow__status=Workflow.Status.ACTIVE,
        workflow__published__isnull=False,
    )
    return list(active.select_related("workflow").order_by("id"))


def _wanting(run: Run, triggers: Iterable[Trigger]) -> list[Trigger]:
    return [trigger for trigger in triggers if _concerns(trigger, run)]


def _follow(
    run: Run, triggers: Iterable[Trigger], causes: Collection[UUID], ends: int
) -> None:
    payload = payload_of(run)
    for trigger in triggers:
        if trigger.workflow_id in causes or ends >= MOST_CAUSES:
            logger.debug("%s is not started by %s: a loop", trigger, run.pk)
            continue
        try:
            with transaction.atomic():
                _start(trigger, run, payload)
        except Exception as error:
            if isinstance(error, Error) and (is_away(error) or is_repeatable(error)):
                raise
            logger.exception("%s (%s) did not start", trigger, trigger.pk)
            text = f"{trigger} could not start after this run: {error}"
            RunLog.objects.create(run=run, level="error", message=text)


def _concerns(trigger: Trigger, run: Run) -> bool:
    """By the rule of teams, then by the trigger's own choice."""
    if run.workflow.team_id not in (None, trigger.workflow.team_id):
        return False
    return wants(trigger.config, run.workflow.slug, run.status)


def _items(runs: Iterable[Run]) -> set[UUID]:
    """Those that are items of a loop, and so part of their parent's run."""
    children = [run for run in runs if run.parent_id is not None]
    if not children:
        return set()
    loops = StepRun.objects.filter(
        run__in={run.parent_id for run in children},
        kind__in=[kind for kind, action in all_actions().items() if action.body],
    )
    steps = set(loops.values_list("run_id", "node_id"))
    return {run.pk for run in children if (run.parent_id, run.parent_node) in steps}


def _causes(runs: Collection[Run]) -> dict[UUID, tuple[set[UUID], int]]:
    """The workflows whose runs led to each of these, its own too; how many ends did.

    A cause is a run whose end started the next, a parent, or what was redriven. One
    query a step back, whatever the number of runs.
    """
    found = {
        run.pk: ({run.workflow_id}, int(run.caused_by_id is not None)) for run in runs
    }
    back = {run.pk: _cause(run) for run in runs}
    for _ in range(LOOKS_BACK - 1):
        wanted = {cause for cause in back.values() if cause is not None}
        if not wanted:
            break
        rows = Run.objects.only(*LINKS).in_bulk(wanted)
        for start, cause in back.items():
            run = rows.get(cause) if cause else None
            back[start] = None if run is None else _cause(run)
            if run is not None:
                workflows, ends = found[start]
                workflows.add(run.workflow_id)
                found[start] = workflows, ends + (run.caused_by_id is not None)
    return found


def _cause(run: Run) -> UUID | None:
    return run.caused_by_id or run.parent_id or run.replay_of_id


def _start(trigger: Trigger, run: Run, payload: dict[str, Any]) -> None:
    source = trigger.config.get("condition")
    if source is not None and not _holds(source, run, payload):
        return
    start_run(trigger, payload, event_id=str(run.pk), caused_by=run.pk)


def _holds(source: str, run: Run, payload: dict[str, Any]) -> bool:
    """A condition that cannot be evaluated does not hold, as at a webhook."""
    scope = {**NO_EVENT, "payload": payload, "id": str(run.pk)}
    try:
        return expressions.truth(source, {"trigger": scope})
    except expressions.ExpressionError as error:
        logger.info("the condition %s failed: %s", source, error)
        return False


def payload_of(run: Run) -> dict[str, Any]:
    """What is told of an ended run: nothing of its payload, variables or output."""
    return {"type": TYPE, "run_id": str(run.pk), **dict(_facts(run))}


def _facts(run: Run) -> Iterator[tuple[str, Any]]:
    began, ended = run.started_at or run.created_at, run.finished_at
    yield "workflow", run.workflow.slug
    yield "workflow_name", run.workflow.name
    yield "version", run.version.number
    yield "status", run.status
    yield "trigger", run.trigger.kind if run.trigger else None
    yield "search_keys", run.search_keys
    yield "created_at", run.created_at.isoformat()
    yield "started_at", run.started_at.isoformat() if run.started_at else None
    yield "finished_at", ended.isoformat() if ended else None
    yield "duration", (ended - began).total_seconds() if ended else None
    yield "stopped_by", run.stopped_by
    yield "error", _error(run)


def _error(run: Run) -> dict[str, str] | None:
    if not run.error_class:
        return None
    return {
        "class": run.error_class,
        "message": run.error_message,
        "fingerprint": run.error_fingerprint,
    }

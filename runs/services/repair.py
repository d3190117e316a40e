"""Cancelling and redriving runs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from automate.lib.encryption import is_readable
from automate.lib.ids import uuid7
from automate.lib.jsonio import storable
from runs.engine import wake
from runs.engine.record import database_now
from runs.models import Job, Run, RunLog, StepRun
from runs.services.carry import carry_over
from runs.services.errors import RedriveRefused
from runs.states import FINAL_RUN, RunStatus, StepStatus
from workflows.models import Workflow, WorkflowVersion

By = User | ApiKey | None


def cancel(run: Run, *, by: By, reason: str = "") -> bool:
    """End a run at once, whatever it is doing. False when it had ended already.

    Steps in flight are not interrupted; their results will be discarded as late.
    """
    return repeat(lambda: _cancel(run, by, reason))


def _cancel(run: Run, by: By, reason: str) -> bool:
    with write_transaction():
        now = database_now()
        list(Job.objects.filter(run=run).select_for_update(no_key=True))
        ended = (
            Run.objects.filter(pk=run.pk)
            .exclude(status__in=FINAL_RUN)
            .update(
                status=RunStatus.CANCELLED,
                finished_at=now,
                error_class="cancelled",
                error_message=storable(reason or f"Cancelled by {by or 'the system'}."),
            )
        )
        if not ended:
            return False
        StepRun.objects.filter(
            run=run,
            status__in=(StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING),
        ).update(status=StepStatus.CANCELLED, finished_at=now, due_at=None)
        Job.objects.filter(run=run).delete()
        RunLog.objects.create(run=run, message=f"Cancelled by {by or 'the system'}.")
        audit("run.cancel", run, by=by, changes={"reason": storable(reason)})
        transaction.on_commit(wake.notify)  # it may have held a slot
    return True


def redrive(run: Run, *, by: By, start: str = "start", version: str = "pinned") -> Run:
    """A new run of the same event: from the `start`, or from what `failed`.

    `version`: the `pinned` one, or the workflow's `latest`. Succeeded steps before
    the failed one are carried over with their outputs. An effect whose outcome is
    unknown keeps its idempotency key; after a definite answer, or from the start, it
    gets a new one. Raises RedriveRefused.
    """
    if start not in ("start", "failed") or version not in ("pinned", "latest"):
        raise RedriveRefused("Redrive from start or failed, on pinned or latest.")
    return repeat(lambda: _redrive(run.pk, by, start, version))


def _redrive(run_id: UUID, by: By, start: str, version: str) -> Run:
    with write_transaction():
        run = _locked(run_id)
        _check(run, start)
        chosen = _version(run, version)
        fresh = _copy(run, chosen)
        fresh.save(force_insert=True)
        carried = carry_over(run, fresh, chosen) if start == "failed" else 0
        job = Job(run=fresh, workflow_id=run.workflow_id, seq=1 if carried else 0)
        job.save(force_insert=True)
        RunLog.objects.create(
            run=run, message=f"Redriven by {by or 'the system'} as {fresh.pk}."
        )
        audit(
            "run.redrive",
            run,
            by=by,
            changes={"from": start, "version": chosen.number, "run": str(fresh.pk)},
        )
        transaction.on_commit(wake.notify)
    return fresh


def _locked(run_id: UUID) -> Run:
    """The run, locked with the first of its family: one redrive of an event at once."""
    root = Run.objects.values_list("root_run", flat=True).get(pk=run_id)
    family = Run.objects.filter(pk__in={run_id, root or run_id}).order_by("pk")
    list(family.select_for_update(no_key=True).values_list("pk"))
    return Run.objects.select_related("workflow", "version").get(pk=run_id)


def _family(run: Run) -> Q:
    """The first run of the event and every redrive of it."""
    root = run.root_run_id or run.pk
    return Q(pk=root) | Q(root_run=root)


def _check(run: Run, start: str) -> None:
    if not run.is_final:
        raise RedriveRefused(
            f"Run {run.pk} is still {run.status}; cancel it or wait for its end."
        )
    alive = Run.objects.filter(_family(run), job__isnull=False).first()
    if alive is not None:
        raise RedriveRefused(
            f"Run {alive.pk}, a redrive of the same event, is still under way."
        )
    if run.workflow.status == Workflow.Status.ARCHIVED:
        raise RedriveRefused(f"{run.workflow} is archived.")
    if start == "failed" and run.status == RunStatus.SUCCEEDED:
        raise RedriveRefused(f"Run {run.pk} succeeded; redrive it from the start.")
    for name in ("body", "headers", "query", "variables"):
        if not is_readable(getattr(run, name)):
            raise RedriveRefused(f"The run's {name} is {getattr(run, name)}.")


def _version(run: Run, version: str) -> WorkflowVersion:
    if version == "pinned":
        return run.version
    latest = run.workflow.published
    if latest is None:
        raise RedriveRefused(f"{run.workflow} has no published version.")
    ids = {node["id"] for node in latest.definition.get("nodes", [])}
    gone = [item for item in run.start if item not in ids]
    if gone:
        raise RedriveRefused(
            f"The run began with step {gone[0]}, which version {latest.number} lacks; "
            "redrive it on the pinned version."
        )
    return latest


def _copy(run: Run, version: WorkflowVersion) -> Run:
    same = (
        "workflow_id", "trigger_id", "body", "content_type", "headers", "query",
        "variables", "start", "search_keys", "traceparent", "event_id", "source_ip",
    )  # fmt: skip
    values = {name: getattr(run, name) for name in same}
    # Above that of every run of this event: no two of them share a key by chance.
    last = Run.objects.filter(_family(run)).aggregate(last=Max("generation"))["last"]
    return Run(
        id=uuid7(),
        version=version,
        replay_of=run,
        root_run_id=run.root_run_id or run.pk,
        generation=last + 1,
        created_at=Now(),
        deadline=database_now() + timedelta(seconds=run.workflow.run_timeout),
        **values,
    )

"""Cancelling and redriving runs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from automate.lib.encryption import is_readable
from automate.lib.ids import uuid7
from runs.engine import wake
from runs.engine.record import database_now
from runs.models import Job, Run, RunLog, StepRun
from runs.services.errors import RedriveRefused
from runs.states import FINAL_RUN, AttemptOutcome, RunStatus, StepStatus
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
                error_message=reason or f"Cancelled by {by or 'the system'}.",
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
        audit("run.cancel", run, by=by, changes={"reason": reason})
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
        run = (
            Run.objects.select_related("workflow", "version")
            .select_for_update(of=("self",), no_key=True)
            .get(pk=run_id)
        )
        _check(run, start)
        chosen = _version(run, version)
        fresh = _copy(run, chosen)
        fresh.save(force_insert=True)
        carried = _carry_over(run, fresh, chosen) if start == "failed" else 0
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


def _check(run: Run, start: str) -> None:
    if not run.is_final:
        raise RedriveRefused(
            f"Run {run.pk} is still {run.status}; cancel it or wait for its end."
        )
    if Job.objects.filter(run__replay_of=run).exists():
        raise RedriveRefused(f"A redrive of run {run.pk} is still under way.")
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
    if run.workflow.published is None:
        raise RedriveRefused(f"{run.workflow} has no published version.")
    return run.workflow.published


def _copy(run: Run, version: WorkflowVersion) -> Run:
    same = (
        "workflow_id", "trigger_id", "body", "content_type", "headers", "query",
        "variables", "start", "search_keys", "traceparent", "event_id", "source_ip",
    )  # fmt: skip
    values = {name: getattr(run, name) for name in same}
    return Run(
        id=uuid7(),
        version=version,
        replay_of=run,
        root_run_id=run.root_run_id or run.pk,
        generation=run.generation + 1,
        created_at=Now(),
        deadline=database_now() + timedelta(seconds=run.workflow.run_timeout),
        **values,
    )


def _carry_over(run: Run, fresh: Run, version: WorkflowVersion) -> int:
    """Copy succeeded steps; give open effects of unknown outcome their old key."""
    nodes = {node["id"]: node for node in version.definition.get("nodes", [])}
    copies = []
    for row in run.step_runs.all():
        node = nodes.get(row.node_id)
        if row.status == StepStatus.SUCCEEDED:
            if node is None or node["type"] != row.kind:
                raise RedriveRefused(
                    f"Step {row.node_id} had succeeded but is not in version "
                    f"{version.number}; redrive from the start."
                )
            copies.append(_copy_of(row, fresh))
        elif node is not None and row.attempt and _undecided(row):
            pending = StepRun(
                run=fresh,
                node_id=row.node_id,
                kind=row.kind,
                status=StepStatus.PENDING,
                generation=row.generation,
                idempotency_key=row.idempotency_key,
            )
            copies.append(pending)
    StepRun.objects.bulk_create(copies)
    return len(copies)


def _undecided(row: StepRun) -> bool:
    """True when the last attempt may have had its effect, or was never sent."""
    last = row.attempts.order_by("-number").values_list("outcome", flat=True).first()
    return last in (AttemptOutcome.UNKNOWN, AttemptOutcome.NOT_SENT)


def _copy_of(row: StepRun, fresh: Run) -> StepRun:
    if not is_readable(row.output):
        raise RedriveRefused(f"The output of step {row.node_id} is {row.output}.")
    return StepRun(
        run=fresh,
        node_id=row.node_id,
        kind=row.kind,
        status=StepStatus.SUCCEEDED,
        attempt=row.attempt,
        port=row.port,
        generation=row.generation,
        idempotency_key=row.idempotency_key,
        input=row.input,
        output=row.output,
        carried_from=row,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )

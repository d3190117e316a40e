"""Redriving a run: a new run of the same event, with what the old one had done."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from automate.lib.encryption import is_readable, may_be_copied
from automate.lib.ids import uuid7
from runs.engine import wake
from runs.engine.clock import database_now
from runs.engine.exclusive_key import exclusive_key
from runs.models import Job, Run, RunLog, StepRun
from runs.payloads import open_rows, share
from runs.services.carry import carry_over, loops_left_undone
from runs.services.errors import RedriveRefused
from runs.states import RunStatus, StepStatus
from workflows.expressions import ExpressionError
from workflows.models import Workflow, WorkflowVersion

By = User | ApiKey | None
DEEPEST = 50  # levels of child runs; the engine allows fewer


def redrive(run: Run, *, by: By, start: str = "start", version: str = "pinned") -> Run:
    """A new run of the same event: from the `start`, what `failed`, or a step.

    A step is named by its id (`step:ID` where that is a keyword): it and all that comes
    after it run anew. `version`: the `pinned` one, or the workflow's `latest`. Finished
    steps before are carried over with their outputs. An effect whose outcome is
    unknown keeps its idempotency key; after a definite answer, or from the start, it
    gets a new one. Raises RedriveRefused with all the reasons.
    """
    if version not in ("pinned", "latest"):
        raise RedriveRefused("Redrive on the pinned or the latest version.")
    key = key_again(run, version)
    return repeat(lambda: _redrive(run.pk, by, start, version, key))


def key_again(run: Run, version: str) -> str:
    """The exclusive key of a redrive of this run, as its workflow has it by now.

    Not within a transaction: the event may have to be fetched from the payload store.
    Raises RedriveRefused.
    """
    run = Run.objects.select_related("workflow", "version").get(pk=run.pk)
    if not run.workflow.exclusive or run.item_index is not None:
        return ""
    chosen = _version(run, version)
    open_rows([run])
    _must_be_readable(run, is_readable)
    try:
        return exclusive_key(
            run.workflow, run, version_id=chosen.pk, variables=run.variables
        )
    except ExpressionError as error:
        raise RedriveRefused(f"`exclusive` of {run.workflow} fails: {error}.") from None


def redrive_here(
    run_id: UUID, *, by: By, start: str, version: str, exclusive_key: str
) -> Run:
    """The same inside the caller's transaction; the caller wakes the drains."""
    run = _locked(run_id)
    _check(run, start)
    chosen = _version(run, version)
    fresh = _copy(run, chosen)
    fresh.save(force_insert=True)
    share(fresh.pk, [fresh.body])
    carried = 0 if start == "start" else carry_over(run, fresh, chosen, start)
    job = Job(
        run=fresh,
        workflow_id=run.workflow_id,
        priority=run.workflow.priority,
        exclusive_key=exclusive_key,
        seq=1 if carried else 0,
    )
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
    return fresh


def _redrive(run_id: UUID, by: By, start: str, version: str, key: str) -> Run:
    with write_transaction():
        fresh = redrive_here(
            run_id, by=by, start=start, version=version, exclusive_key=key
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
    """The first run of the event, all redrives of it, and all that these started."""
    root = run.root_run_id or run.pk
    return Q(pk=root) | Q(root_run=root)


def _same(run: Run) -> Q:
    """This run, and the redrives of it: what stands in the same place."""
    return _family(run) & Q(
        parent=run.parent_id,
        parent_node=run.parent_node,
        item_index=run.item_index,
    )


def _live_descendant(parents: Collection[UUID]) -> UUID | None:
    """A child of these runs, at any depth, that has not ended.

    Redrives of children count too: they do what the children of a new run would do
    again. One that its parent's step does not wait for is a run of its own.
    """
    step = StepRun.objects.filter(
        run=OuterRef("parent"),
        node_id=OuterRef("parent_node"),
        status=StepStatus.SUCCEEDED,
    )
    for _ in range(DEEPEST):
        children = Run.objects.filter(~Exists(step), parent__in=parents)
        alive = children.filter(job__isnull=False).values_list("pk", flat=True).first()
        if alive is not None:
            return alive
        # Only steps that have children of their own lead further down.
        inner = children.filter(children__isnull=False).values_list("pk", flat=True)
        parents = list(inner.distinct())
        if not parents:
            return None
    return None


def _check(run: Run, start: str) -> None:
    if not run.is_final:
        raise RedriveRefused(
            f"Run {run.pk} is still {run.status}; cancel it or wait for its end."
        )
    alive = Run.objects.filter(_same(run), job__isnull=False).first()
    if alive is not None:
        raise RedriveRefused(
            f"Run {alive.pk}, a redrive of the same event, is still under way.",
            transient=True,
        )
    child = _live_descendant([run.pk])
    if child is not None:
        raise RedriveRefused(
            f"Run {child}, which this run started, is still under way; it ends within "
            "seconds, then try again.",
            transient=True,
        )
    if run.workflow.status == Workflow.Status.ARCHIVED:
        raise RedriveRefused(f"{run.workflow} is archived.")
    done = run.status == RunStatus.SUCCEEDED and not loops_left_undone(run)
    if start == "failed" and done:
        raise RedriveRefused(
            f"Run {run.pk} succeeded; redrive it from the start or from a step."
        )
    _must_be_readable(run, may_be_copied)


def _must_be_readable(run: Run, holds: Callable[[Any], bool]) -> None:
    for name in ("body", "headers", "query", "variables"):
        if not holds(getattr(run, name)):
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
        "parent_id", "parent_node", "item_index", "depth", "caused_by_id", "hidden",
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

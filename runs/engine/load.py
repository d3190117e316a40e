"""Everything a drain needs to know about the runs that it has just claimed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from automate.lib.encryption import may_be_copied
from runs.engine import gathering, large
from runs.engine.ancestry import Ancestors, children, variables_of
from runs.engine.claim import Claim
from runs.engine.held import Held, state_of
from runs.engine.payload import run_scope, trigger_scope
from runs.engine.supplies import hide_callers, hide_family, supply
from runs.engine.versions import Compiled, compiled
from runs.models import Run, StepRun
from runs.states import StepStatus

NEEDED = (
    "workflow_id",
    "version_id",
    "status",
    "body",
    "content_type",
    "headers",
    "query",
    "variables",
    "hidden",
    "start",
    "event_id",
    "root_run_id",
    "replay_of_id",
    "parent_id",
    "parent_node",
    "item_index",
    "depth",
    "generation",
    "traceparent",
    "created_at",
    "deadline",
)


def load(claim: Claim, lease_ends: float) -> list[Held]:
    """The claimed runs, ready to be planned; what cannot be loaded is `broken`.

    At most seven queries whatever the number of runs, two of them only for runs that
    have steps already, two only where secrets or connections are named, one only for
    redrives; those on another version take a few more each. Child runs take one more
    for each level that they stand below, and one for outer steps that they refer to.
    """
    if not claim.jobs:
        return []
    found = Run.objects.filter(pk__in=[job.run_id for job in claim.jobs])
    runs = {run.pk: run for run in found.only(*NEEDED)}
    versions = compiled(run.version_id for run in runs.values())
    held = [
        Held(
            job_id=job.id,
            run_id=job.run_id,
            workflow_id=job.workflow_id,
            team_id=job.team_id,
            token=claim.token,
            lease_ends=lease_ends,
            run=runs[job.run_id],
            seq=job.seq,
            signal_count=job.signal_count,
            priority=job.priority,
            exclusive_key=job.exclusive_key,
            wants_answer=job.wants_answer,
            solo=job.expiries > 0,
            limited=job.limit is not None,
            slug=job.slug,
        )
        for job in claim.jobs
    ]
    ancestors = Ancestors.of(children(held), versions)
    for item in held:
        _fill(item, versions, ancestors)
    load_steps([item for item in held if item.seq and item.broken is None])
    usable = [item for item in held if item.broken is None]
    large.read_stored(usable)
    supply(usable)
    hide_family(usable)
    hide_callers(usable, ancestors)
    return held


def _fill(
    held: Held, versions: dict[UUID, Compiled | Exception], ancestors: Ancestors
) -> None:
    run = held.run
    held.parent_job, held.place = ancestors.parent_job(run), ancestors.place(run)
    version = versions[run.version_id]
    if isinstance(version, Exception):
        held.broken = version
        return
    try:
        if run.item_index is not None:
            held.version = version.body(run.parent_node)
            held.scope = ancestors.scope(held, held.version)
            return
        held.version = version.as_child() if run.parent_id else version
        held.scope = {
            "trigger": trigger_scope(run),
            "steps": {},
            "variables": {**version.variables, **variables_of(run)},
            "run": run_scope(run, held.slug, version.number),
        }
    except Exception as error:  # noqa: BLE001 - one run's data ends that run alone
        held.broken = error


def load_steps(held: Sequence[Held]) -> None:
    """Read the step rows of these runs again, with the outputs that are referred to."""
    if not held:
        return
    by_run = {item.run_id: item for item in held}
    for item in held:
        item.rows, item.states, item.loops = {}, {}, {}
    rows = StepRun.objects.filter(run__in=by_run).defer("input", "output")
    for row in rows:
        item = by_run[row.run_id]
        item.rows[row.node_id] = row
        item.states[row.node_id] = state_of(row)
    _load_outputs(by_run)
    gathering.load(held)
    large.read_stored(held)


def load_again(held: Held) -> None:
    """Somebody else changed this run: read its steps again, and what they were told."""
    load_steps([held])
    held.supplies.give(*held.outputs.values())


def _load_outputs(by_run: dict[UUID, Held]) -> None:
    wanted = Q()
    for item in by_run.values():
        assert item.version is not None  # noqa: S101 - broken runs are not loaded
        reads = item.version.reads
        names = [
            row.pk
            for row in item.rows.values()
            if row.node_id in reads or row.status == StepStatus.WAITING
        ]
        if names:
            wanted |= Q(pk__in=names)
    if not wanted:
        return
    outputs = StepRun.objects.filter(wanted).values_list("run", "node_id", "output")
    for run_id, node_id, output in outputs:
        item = by_run[run_id]
        if not may_be_copied(output):
            item.broken = ValueError(f"the output of step {node_id} is {output}")
        item.rows[node_id].output = output
        if item.states[node_id].status in (StepStatus.SUCCEEDED, StepStatus.FAILED):
            item.outputs[node_id] = output

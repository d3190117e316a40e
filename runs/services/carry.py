"""What a redrive from the failed step takes along: outputs, and keys still in doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from automate.lib.encryption import is_readable
from runs.models import Run, StepRun
from runs.services.errors import RedriveRefused
from runs.states import AttemptOutcome, StepStatus
from workflows import expressions
from workflows.models import WorkflowVersion

IN_DOUBT = (AttemptOutcome.UNKNOWN, AttemptOutcome.NOT_SENT)


def carry_over(run: Run, fresh: Run, version: WorkflowVersion) -> int:
    """Give `fresh` the succeeded steps of `run`, and the keys that it must keep.

    A step that failed keeps its idempotency key while its last attempt may have had
    its effect, or had surely none, and it would send the same again. Returns the
    number of step runs made; raises RedriveRefused.
    """
    nodes = _nodes(version)
    rows = list(run.step_runs.all())
    done = [row for row in rows if row.status == StepStatus.SUCCEEDED]
    for row in done:
        if row.node_id not in nodes or nodes[row.node_id]["type"] != row.kind:
            raise RedriveRefused(
                f"Step {row.node_id} had succeeded but is not in version "
                f"{version.number}; redrive from the start."
            )
    copies = [_copy_of(row, fresh) for row in done]
    carried = {row.node_id for row in done}
    for row in rows:
        if row.node_id in carried or not _in_doubt(row, run):
            continue
        if _sends_the_same(row.node_id, run.version, version, carried):
            copies.append(_pending(row, fresh))
    StepRun.objects.bulk_create(copies)
    return len(copies)


def _nodes(version: WorkflowVersion) -> Mapping[str, Any]:
    return {node["id"]: node for node in version.definition.get("nodes", [])}


def _in_doubt(row: StepRun, run: Run) -> bool:
    """True unless the receiver's answer to the last attempt is known.

    A step that was cancelled in flight has no attempt yet: nobody knows either.
    """
    if not row.attempt:  # perhaps a key brought along from an earlier run, unused here
        return row.generation < run.generation
    last = row.attempts.filter(number=row.attempt).values_list("outcome", flat=True)
    outcome = last.first()
    return outcome is None or outcome in IN_DOUBT


def _sends_the_same(
    node_id: str, old: WorkflowVersion, new: WorkflowVersion, carried: Collection[str]
) -> bool:
    """True when the step's input cannot differ from what it was."""
    before, after = _nodes(old).get(node_id), _nodes(new).get(node_id)
    if before is None or after is None or before["type"] != after["type"]:
        return False
    config = after.get("config") or {}
    if (before.get("config") or {}) != config:
        return False
    if old.definition.get("variables") != new.definition.get("variables"):
        return False
    names = expressions.references(config, frozenset(_nodes(new)))
    reads = {name[1] for name in names if name[0] == "steps" and name[1:]}
    return reads <= set(carried)


def _pending(row: StepRun, fresh: Run) -> StepRun:
    return StepRun(
        run=fresh,
        node_id=row.node_id,
        kind=row.kind,
        status=StepStatus.PENDING,
        generation=row.generation,
        idempotency_key=row.idempotency_key,
    )


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

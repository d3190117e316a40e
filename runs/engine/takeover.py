"""Children of a redriven run: those that were done are not done again.

A loop that failed is brought along by a redrive as a pending step with its old
generation (runs/services/carry.py). When it begins again, an item whose child
succeeded with the same input is taken over by reference; the child of another goes on
where it stopped, with its keys, as the redrive of a whole run does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from automate.lib import jsonio
from automate.lib.encryption import is_readable, may_be_copied
from automate.lib.payloads import Elsewhere, opened
from runs.engine.carried import IN_DOUBT, copy_of, is_done, pending
from runs.engine.held import Held
from runs.engine.loops import Before
from runs.engine.versions import Compiled, compiled
from runs.models import DeliveryAttempt, Job, Run, StepRun
from runs.payloads import DatabaseStore, share
from runs.states import AttemptOutcome, RunStatus

PAGE = 500
LINKS = ("replay_of_id", "parent_id", "parent_node", "item_index")


def look_up(wanted: Iterable[tuple[Held, str, Sequence[Any]]]) -> None:
    """Fill `before` of these runs for steps that go on with these inputs.

    No query for a run that is no redrive, and for a step that was not brought along.
    """
    for held, node_id, inputs in wanted:
        row = held.rows.get(node_id)
        if row is None or row.generation >= held.run.generation:
            continue
        runs = _before(held.run)
        if runs:
            held.before[node_id] = _found(runs, node_id, inputs)


def _before(run: Run) -> list[UUID]:
    """The runs that stood in this one's place before it, newest first."""
    if run.replay_of_id is not None:
        last = Run.objects.only(*LINKS).get(pk=run.replay_of_id)
        return [last.pk, *_before(last)]
    if run.parent_id is None:
        return []
    above = _before(Run.objects.only(*LINKS).get(pk=run.parent_id))
    rows = Run.objects.filter(
        parent__in=above, parent_node=run.parent_node, item_index=run.item_index
    )
    return list(rows.order_by("-pk").values_list("pk", flat=True)) if above else []


def _found(runs: Sequence[UUID], node_id: str, inputs: Sequence[Any]) -> Before:
    """What the children of the step in these runs have done of these inputs."""
    done: dict[int, UUID] = {}
    begun: dict[int, UUID] = {}
    rows = Run.objects.filter(parent__in=runs, parent_node=node_id).order_by("-pk")
    columns = rows.values_list("pk", "item_index", "status", "body")
    for run_id, item_index, status, body in columns.iterator(chunk_size=PAGE):
        index = item_index or 0
        if isinstance(body, Elsewhere) and body.store == DatabaseStore.kind:
            body = opened(body)
        if index >= len(inputs) or not is_readable(body):
            continue
        if bytes(body) != jsonio.dumps(inputs[index]).encode():
            continue
        if status == RunStatus.SUCCEEDED:
            done.setdefault(index, run_id)
        else:
            begun.setdefault(index, run_id)
    return Before(done, {key: run for key, run in begun.items() if key not in done})


def carry(pairs: Mapping[UUID, UUID]) -> None:
    """Give new children, the values, the finished steps of old ones, the keys.

    Part of the transaction that stores the new children. One whose steps do not fit,
    or cannot be read, starts afresh.
    """
    olds = {run.pk: run for run in Run.objects.filter(pk__in=pairs).only(*_SHAPE)}
    news = {
        run.pk: run for run in Run.objects.filter(pk__in=pairs.values()).only(*_SHAPE)
    }
    rows: dict[UUID, list[StepRun]] = defaultdict(list)
    for row in StepRun.objects.filter(run__in=pairs).order_by("pk"):
        rows[row.run_id].append(row)
    outcomes = _outcomes([row for group in rows.values() for row in group])
    versions = compiled(run.version_id for run in news.values())
    copies: list[StepRun] = []
    for old_id, new_id in pairs.items():
        old, new = olds.get(old_id), news.get(new_id)
        if old is None or new is None or old.version_id != new.version_id:
            continue
        version = versions[new.version_id]
        if not isinstance(version, Exception):
            level = version.bodies.get(new.parent_node, version)
            if new.item_index is None:
                level = version
            copies += _carried(rows[old_id], old, new_id, level, outcomes)
    StepRun.objects.bulk_create(copies)
    for copy in copies:
        share(copy.run_id, [copy.output])
    # So that whoever claims them reads their steps.
    Job.objects.filter(run__in={copy.run_id for copy in copies}).update(seq=1)


_SHAPE = ("version_id", "generation", "parent_node", "item_index")


def _outcomes(rows: Sequence[StepRun]) -> dict[int, str]:
    """The outcome of the last attempt of each step, where it made one."""
    numbers = {row.pk: row.attempt for row in rows}
    made = DeliveryAttempt.objects.filter(step_run__in=numbers, verify=0)
    return {
        step: outcome
        for step, number, outcome in made.values_list("step_run", "number", "outcome")
        if numbers[step] == number
    }


def _carried(
    rows: Sequence[StepRun],
    old: Run,
    new_id: UUID,
    level: Compiled,
    outcomes: Mapping[int, str],
) -> list[StepRun]:
    rules = level.graph.on_error
    done = [row for row in rows if row.node_id in level.nodes and is_done(row, rules)]
    if not all(may_be_copied(row.output) for row in done):
        return []
    names = {row.node_id for row in done}
    copies = [copy_of(row, new_id) for row in done]
    for row in rows:
        if row.node_id in names or row.node_id not in level.nodes:
            continue
        reads = level.nodes[row.node_id].reads & level.nodes.keys()
        if _in_doubt(row, old, outcomes) and reads <= names:
            unknown = (
                row.interrupted
                if not row.attempt
                else (outcomes.get(row.pk) != AttemptOutcome.NOT_SENT)
            )
            copies.append(pending(row, new_id, unknown=unknown))
    return copies


def _in_doubt(row: StepRun, run: Run, outcomes: Mapping[int, str]) -> bool:
    """True unless the receiver's answer to the last attempt is known."""
    if not row.attempt:  # perhaps a key brought along from an earlier run, unused
        return row.generation < run.generation
    outcome = outcomes.get(row.pk)
    return outcome is None or outcome in IN_DOUBT

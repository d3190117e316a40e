"""How the children of a waiting step stand, as the database knows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Max, Q

from automate.lib import jsonio
from automate.lib.encryption import is_readable
from automate.lib.payloads import opened_all
from runs.engine.children import ITEM_FAILED, MAX_RESULTS, waits
from runs.engine.held import Held
from runs.engine.loops import Before, Child, Ended, Loop
from runs.models import Run, StepRun
from runs.models.run import RunQuerySet
from runs.states import FINAL_RUN, RunStatus

PAGE = 100
COLUMNS = ("pk", "item_index", "status", "output", "error_message")

Waiting = tuple[Held, StepRun]


def load(held: Sequence[Held]) -> None:
    """Fill `loops` of these runs from their waiting steps; no query without any.

    One query for all steps that go on waiting; for each whose wait is over one a
    hundred children.
    """
    waiting = [(item, row) for item in held for row in item.rows.values() if waits(row)]
    if not waiting:
        return
    started = _started([pair for pair in waiting if not is_over(pair[1])])
    for item, row in waiting:
        loop = _loop(row, started.get((item.run_id, row.node_id), -1) + 1)
        if is_over(row):
            loop = _over(item, row, loop)
        item.loops[row.node_id] = loop


def is_over(row: StepRun) -> bool:
    """Whether a step that waits for children need not wait any longer."""
    return row.children_left == 0 or (row.children_stop and row.port == ITEM_FAILED)


def _loop(row: StepRun, started: int) -> Loop:
    kept = row.output if isinstance(row.output, dict) else {}
    done, begun = (
        {int(key): UUID(run) for key, run in kept.get(name, {}).items()}
        for name in ("done", "begun")
    )
    return Loop(
        count=kept.get("count", 0),
        inputs=tuple(kept.get("inputs", ())),
        concurrency=kept.get("concurrency", 1),
        started=started,
        before=Before(done, begun),
    )


def _started(waiting: Sequence[Waiting]) -> dict[tuple[UUID, str], int]:
    """The last child that is stored, for each of these steps with any."""
    if not waiting:
        return {}
    each = (Q(parent=item.run_id, parent_node=row.node_id) for item, row in waiting)
    where = Q()
    for one in each:
        where |= one
    rows = Run.objects.filter(where, replay_of=None).values_list(
        "parent", "parent_node"
    )
    last = rows.annotate(last=Max("item_index", default=0)).order_by()
    return {(parent, node): index for parent, node, index in last if parent}


def _over(item: Held, row: StepRun, loop: Loop) -> Loop:
    own = Run.objects.filter(
        parent=item.run_id, parent_node=row.node_id, replay_of=None
    )
    if row.children_left:  # the first failure ended the wait
        failed = own.filter(status__in=FINAL_RUN).exclude(status=RunStatus.SUCCEEDED)
        first = failed.order_by("item_index").values_list(*COLUMNS)[:1]
        ended = Ended(tuple(_children(list(first), {})))
    else:
        ended = _ended(own, loop)
    return replace(loop, ended=ended, started=loop.count, inputs=())


def _ended(own: RunQuerySet, loop: Loop) -> Ended:
    """All children in the order of their items, as long as they are small enough."""
    found: dict[int, Child] = {}
    size = 0
    for page in _pages(own, loop.before.done):
        for child in page:
            found[child.index] = child
            size += len(jsonio.dumps(child.output))
        if size > MAX_RESULTS:
            return Ended(too_large=True)
    return Ended(
        tuple(found.get(index) or _missing(index) for index in range(loop.count))
    )


def _missing(index: int) -> Child:
    return Child(index, None, RunStatus.FAILED, None, "Its run was deleted.")


def _pages(own: RunQuerySet, done: Mapping[int, UUID]) -> Iterator[list[Child]]:
    """The step's own children, then those of runs before."""
    rows = own.order_by("item_index").values_list(*COLUMNS)
    page = list(rows[:PAGE])
    while page:
        yield _children(page, {})
        last = page[-1][1]
        full = len(page) == PAGE and last is not None
        page = list(rows.filter(item_index__gt=last)[:PAGE]) if full else []
    indexes = {run_id: index for index, run_id in done.items()}
    for ids in _batched(indexes, PAGE):
        others = Run.objects.filter(pk__in=ids).values_list(*COLUMNS)
        yield _children(list(others), indexes)


def _children(
    rows: Sequence[tuple[Any, ...]], indexes: Mapping[UUID, int]
) -> list[Child]:
    outputs = opened_all([row[3] for row in rows])
    return [
        _child(row, indexes.get(row[0], row[1] or 0), output)
        for row, output in zip(rows, outputs, strict=True)
    ]


def _child(row: tuple[Any, ...], index: int, output: Any) -> Child:
    run_id, _, status, _, error = row
    if not is_readable(output):
        return Child(index, run_id, RunStatus.FAILED, None, f"Its output is {output}.")
    return Child(index, run_id, status, output, error)


def _batched(keys: Iterable[UUID], size: int) -> Iterator[list[UUID]]:
    """The keys in lists of at most `size`."""
    rest = iter(keys)
    while page := list(islice(rest, size)):
        yield page

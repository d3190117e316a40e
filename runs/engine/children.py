"""Child runs: started by a step of their parent, collected when they end.

Here is what is decided in memory, in the transaction of a drain: `spawn` stores what
begins, `gathering` reads how it ended, `countdown` is the other end, in the
transaction that ends a child (docs/adr/0014).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from automate.lib.ids import uuid7
from runs.engine import callees
from runs.engine.loops import CHUNK, Before, Birth, Births, Child, Ended, Loop
from runs.engine.rows import Rows
from runs.models import StepRun
from runs.states import RunStatus, StepStatus
from workflows.actions.outcomes import ErrorInfo, StartChildren

MAX_DEPTH = 10
MAX_RESULTS = 8 * 1024 * 1024
ITEM_FAILED = "item_failed"  # the port, and the class of the error


def waits(row: StepRun | None) -> bool:
    """Whether the step waits for child runs."""
    if row is None or row.status != StepStatus.WAITING:
        return False
    return row.waiting_for == "children"


def begin(rows: Rows, row: StepRun, outcome: StartChildren) -> None:
    """The step waits for children, which `advance` begins to start."""
    depth = rows.held.run.depth + 1
    if depth > MAX_DEPTH:
        message = (
            f"This would be a run {depth} below the first one; the limit is "
            f"{MAX_DEPTH}. Does a workflow run itself?"
        )
        rows.fail(row, ErrorInfo("too_deep", message))
        return
    callee = rows.held.callees.get(outcome.workflow)
    if isinstance(callee, str):
        rows.fail(row, ErrorInfo("workflow_refused", callee))
        return
    key, variables = "", {}
    try:
        if callee is not None:
            variables = callees.variables_for(callee, outcome)
            key = callees.key_for(callee, rows.held, outcome)
    except ValueError as error:
        message = rows.held.supplies.redactor.text(str(error))
        rows.fail(row, ErrorInfo("workflow_refused", message))
        return
    before = rows.held.before.get(row.node_id, Before())
    loop = Loop(
        count=len(outcome.inputs),
        inputs=outcome.inputs,
        concurrency=outcome.concurrency,
        before=before,
        callee=callee,
        variables=variables,
        exclusive_key=key,
        waits=outcome.waits,
    )
    if not outcome.waits:
        births = _births(row.node_id, loop)
        rows.births.append(births)
        _done_without_waiting(rows, row, births)
        return
    rows.wait(row, "children", None)
    row.children_left = loop.count - len(before.done)
    row.children_stop = outcome.on_item_error == "stop"
    row.output = stored(loop)
    rows.loops[row.node_id] = loop


def stored(loop: Loop) -> dict[str, Any]:
    """What the row of a waiting step keeps, for a worker that takes over."""
    return {
        "count": loop.count,
        "inputs": list(loop.inputs),
        "concurrency": loop.concurrency,
        "done": {str(index): str(run) for index, run in loop.before.done.items()},
        "begun": {str(index): str(run) for index, run in loop.before.begun.items()},
    }


def _done_without_waiting(rows: Rows, row: StepRun, births: Births) -> None:
    run_id = str(births.children[0].id)
    output = {"run_id": run_id, "status": RunStatus.QUEUED.value, "output": None}
    rows.finish(row, StepStatus.SUCCEEDED, output)


def advance(rows: Rows) -> None:
    """Steps whose wait is over are done; others start their next children."""
    for node_id, loop in list(rows.loops.items()):
        if not waits(rows.rows.get(node_id)):
            continue
        if loop.ended is not None:
            _finish(rows, rows.change(node_id), loop, loop.ended)
        elif not loop.is_started:
            births = _births(node_id, loop)
            rows.births.append(births)
            rows.loops[node_id] = births.loop
            if births.first and births.loop.is_started:
                # Just written by `begin`: nobody will start more of them.
                rows.change(node_id).output = stored(births.loop)


def due(rows: Rows) -> datetime | None:
    """Now, when some loop has more children to start or to look for."""
    for node_id, loop in rows.loops.items():
        row = rows.rows.get(node_id)
        if waits(row) and (not loop.is_started or _is_unread(row, loop)):
            return rows.now
    return None


def unread(rows: Rows) -> bool:
    """Whether the children of a step have ended before anybody waited for them."""
    return any(_is_unread(rows.rows.get(key), loop) for key, loop in rows.loops.items())


def _is_unread(row: StepRun | None, loop: Loop) -> bool:
    return (
        row is not None
        and waits(row)
        and loop.is_started
        and row.children_left == 0
        and loop.ended is None
    )


def _births(node_id: str, loop: Loop) -> Births:
    """The next children of the loop, and the loop as it is with them."""
    found: list[Birth] = []
    index = loop.started
    while index < loop.count and len(found) < CHUNK:
        if index not in loop.before.done:
            old = loop.before.begun.get(index)
            found.append(Birth(uuid7(), index, loop.inputs[index], old))
        index += 1
    after = replace(loop, started=index)
    if after.is_started:
        after = replace(after, inputs=())
    return Births(node_id, after, tuple(found), first=loop.started == 0)


# --- the end ------------------------------------------------------------------------


def _finish(rows: Rows, row: StepRun, loop: Loop, ended: Ended) -> None:
    if ended.too_large:
        message = (
            f"The results of {loop.count:,} child runs have more than "
            f"{MAX_RESULTS // 1024 // 1024} MB together; have each give back less: "
            "say in output what is needed of it."
        )
        rows.fail(row, ErrorInfo("too_large", message))
    elif rows.node(row).action.body:
        _collect(rows, row, loop, ended)
    else:
        _take(rows, row, ended.children[0])


def _collect(rows: Rows, row: StepRun, loop: Loop, ended: Ended) -> None:
    results: list[Any] = [None] * loop.count
    failed = []
    for child in ended.children:
        if child.status == RunStatus.SUCCEEDED:
            results[child.index] = child.output
        else:
            failed.append(
                {
                    "index": child.index,
                    "run_id": str(child.run_id) if child.run_id else None,
                    "error": child.error,
                }
            )
    if failed and row.children_stop:
        first = next(c for c in ended.children if c.status != RunStatus.SUCCEEDED)
        message = f"Item {first.index} ({_told(first)}"
        rows.fail(row, ErrorInfo(ITEM_FAILED, message), {"failed": failed[:1]})
        return
    output = {"results": results, "count": loop.count, "failed": failed}
    rows.held.supplies.give(output)
    rows.finish(row, StepStatus.SUCCEEDED, output, ITEM_FAILED if failed else "")
    rows.keep(row)


def _take(rows: Rows, row: StepRun, child: Child) -> None:
    output = {
        "run_id": str(child.run_id) if child.run_id else None,
        "status": child.status,
        "output": child.output,
    }
    rows.held.supplies.give(output)
    if child.status == RunStatus.SUCCEEDED:
        rows.finish(row, StepStatus.SUCCEEDED, output)
        rows.keep(row)
    else:
        rows.fail(row, ErrorInfo("child_failed", f"The run ({_told(child)}"), output)


def _told(child: Child) -> str:
    """The run that failed and why, to be said behind an opening bracket."""
    words = {RunStatus.CANCELLED: "was cancelled", RunStatus.DEAD_LETTER: "gave up"}
    how = words.get(RunStatus(child.status), "failed")
    return f"run {child.run_id}) {how}: {child.error}"

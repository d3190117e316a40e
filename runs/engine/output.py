"""The output of a run: rendered at its end, by a thread where a store must be asked.

The drain renders it in its transaction when all that it refers to is in memory and the
result fits its row. Else it begins one more task, which is no step, and the run ends
with that task's result.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from automate.lib.payloads import get_ring
from runs.engine import large
from runs.engine.ending import Ending
from runs.engine.retry import RetryPolicy
from runs.engine.task import PutOff, Result, Task
from runs.engine.versions import Compiled, Node
from runs.payloads import OUTPUT, is_large, keep_output
from runs.states import RunStatus
from workflows import expressions
from workflows.actions.base import Action, Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail

if TYPE_CHECKING:
    from runs.engine.draft import Draft

NODE_ID = ""  # no step has it
TIMEOUT = 60.0  # seconds


class _Output(Action):
    """Gives its config, which the engine has rendered; not registered."""

    kind = ""
    label = ""
    config_schema: ClassVar[dict[str, Any]] = {}

    def execute(self, context: Context) -> Done:
        """The run's output is the output."""
        return Done(context.config)


_action = _Output()


def node_of(version: Compiled) -> Node:
    """The output of this version as if it were a step's config."""
    return Node(
        id=NODE_ID,
        kind=_action.kind,
        config=version.output,
        action=_action,
        retry=RetryPolicy.of(None, {}),
        retry_on=None,
        timeout=TIMEOUT,
        on_unknown="retry",
        reads=version.output_reads,
        secrets=frozenset(),
        connection="",
    )


def give(draft: Draft, ending: Ending, free: int) -> None:
    """End the run with its output, or have a thread render that first.

    In that case the draft has no ending, and a task where one is free.
    """
    if draft.rendered is not None:
        _take(draft, ending, draft.rendered)
    elif NODE_ID in draft.held.in_flight:
        _stay(draft)
    elif large.lacks(
        draft.held, {**draft.held.outputs, **draft.outputs}, node_of(draft.version)
    ):
        _begin(draft, free)
    else:
        _render(draft, ending, free)


def _render(draft: Draft, ending: Ending, free: int) -> None:
    held = draft.held
    try:
        output = expressions.render(
            draft.version.output,
            {**held.scope, "steps": {**held.outputs, **draft.outputs}},
            known_names=draft.version.step_ids,
        )
    except expressions.ExpressionError as error:
        _fail(draft, "template", held.supplies.redactor.text(f"output: {error}"))
        return
    kept = None
    if is_large(output) and held.run.parent_id is None:
        if get_ring().writer.external:
            _begin(draft, free)
            return
        kept = keep_output(OUTPUT, output)
    if kept is not None:
        draft.kept.append(kept)
    ending.output = output if kept is None else kept.value
    draft.ending = ending


def _take(draft: Draft, ending: Ending, result: Result) -> None:
    match result.outcome:
        case Done(output=output):
            if result.kept is not None:
                draft.kept.append(result.kept)
                output = result.kept.value
            ending.output = output
            draft.ending = ending
        case Fail(error=error):
            message = error.message.removeprefix("config.")
            _fail(draft, error.error_class, f"output: {message}")
        case PutOff(seconds=seconds):
            draft.due_at = draft.now + timedelta(seconds=seconds)
            draft.released = True
        case _:  # the lease ran out, or the worker stops
            draft.due_at, draft.released = draft.now, True


def _fail(draft: Draft, error_class: str, message: str) -> None:
    draft.ending = Ending(RunStatus.FAILED, ErrorInfo(error_class, message))


def _begin(draft: Draft, free: int) -> None:
    _stay(draft)
    if free > 0:
        draft.tasks.append(Task(draft.held, node_of(draft.version), 1, ""))
    else:
        draft.starved = True


def _stay(draft: Draft) -> None:
    """The lease is kept until the thread is done, or the run's deadline."""
    draft.due_at, draft.released = draft.held.run.deadline, False

"""Trying one step: rendered against real data, shown, and sent only when asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from automate.lib.ids import uuid7
from automate.lib.jsonio import storable
from automate.lib.net import Client, Policy
from automate.lib.payloads import opened
from runs.engine import large
from runs.engine.held import Held
from runs.engine.payload import (
    NO_EVENT,
    Trigger,
    UnreadablePayload,
    readable,
    run_scope,
    trigger_scope,
)
from runs.engine.perform import Performer, forbid_database
from runs.engine.supplies import supply
from runs.engine.task import Task
from runs.engine.versions import Compiled, compile_version
from runs.models import Run
from runs.payloads import open_rows
from runs.services.errors import TrialRefused
from runs.states import StepStatus
from workflows.actions.base import all_actions
from workflows.actions.outcomes import (
    AttemptRecord,
    Done,
    ErrorInfo,
    Fail,
    Retry,
    StartChildren,
    Wait,
    WaitForSignal,
)
from workflows.definition import validate, walk_nodes
from workflows.models import Workflow, WorkflowVersion
from workflows.services import DocumentError, parse_document

ROOTS = frozenset({"trigger", "steps", "variables", "item", "index"})
FINISHED = (StepStatus.SUCCEEDED, StepStatus.FAILED)
By = User | ApiKey | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a step makes of the data; all of it redacted, nothing of it stored.

    `input` is the rendered config, `request` what it would send (`{"method", "url",
    "headers", "body"}` for HTTP; None for a step that sends nothing), `attempt` what
    was sent and answered when it was asked to. `status`: `rendered` (it was not
    executed), `succeeded`, `failed`, `retry` (it would be tried again) or `waiting`.
    """

    status: str
    input: Any = None
    request: Any = None
    output: Any = None
    port: str = ""
    error: ErrorInfo | None = None
    attempt: AttemptRecord | None = None
    logs: tuple[str, ...] = ()


def try_step(
    workflow: Workflow,
    node_id: str,
    *,
    by: By,
    run: Run | None = None,
    data: Mapping[str, Any] | None = None,
    definition: Mapping[str, Any] | None = None,
    send: bool = False,
) -> Trial:
    """Render one step of the draft, and say what it would do.

    Against a stored `run` of this workflow (its event and the outputs of its steps),
    or pinned `data`: `{"trigger": {"payload", ...}, "steps": {id: output},
    "variables", "item", "index"}`; what `data` holds goes before the run's. A step
    that sends or stores something does so only with `send`, under a key of its own.
    Steps without an effect are executed. Raises TrialRefused.
    """
    version = _compiled(workflow, node_id, definition)
    held = _held(workflow, version, run, dict(data or {}))
    supply([held])
    node = version.nodes[node_id]
    key = f"trial-{uuid4().hex}"
    task = Task(held, node, 1, key)
    has_effect = node.action.sends or node.action.stores
    if has_effect and send:
        audit("step.try", workflow, by=by, changes={"step": node_id, "key": key})
    return _in_thread(task, execute=send or not has_effect)


def _compiled(
    workflow: Workflow, node_id: str, definition: Mapping[str, Any] | None
) -> Compiled:
    """The draft, or the given definition, as far as this step needs it.

    The other steps lend their names; what is wrong with them does not matter here.
    This step keeps all rules: what may not be published is not shown either.
    """
    published = workflow.published.definition if workflow.published else {}
    draft = definition or workflow.definition or published
    try:
        document = parse_document(draft, allow_problems=True)
    except DocumentError as error:
        raise TrialRefused(f"The draft cannot be read: {error}") from None
    located = list(walk_nodes(document.definition))
    places = {item.node["id"]: item.path for item in located}
    if node_id not in places:
        known = ", ".join(str(name) for name in places)
        raise TrialRefused(f'There is no step "{node_id}"; there are: {known}.')
    wrong = [
        str(problem)
        for problem in validate(document.definition, all_actions())
        if problem.path.startswith(places[node_id])
    ]
    if wrong:
        raise TrialRefused(f'Step "{node_id}" is not sound: {"; ".join(wrong)}.')
    nodes = [item.node for item in located]
    alone = {
        "nodes": [node if node["id"] == node_id else _name(node) for node in nodes],
        "connections": [],
        "variables": document.definition.get("variables") or {},
    }
    return compile_version(
        WorkflowVersion(id=uuid7(), workflow=workflow, number=0, definition=alone)
    )


def _name(node: Mapping[str, Any]) -> dict[str, Any]:
    """A step that is only there to be named."""
    return {"id": node["id"], "type": "set", "config": {"values": {}}}


def _held(
    workflow: Workflow, version: Compiled, run: Run | None, data: dict[str, Any]
) -> Held:
    unknown = sorted(data.keys() - ROOTS)
    if unknown:
        raise TrialRefused(
            f"Unknown data {', '.join(unknown)}. Known: {', '.join(sorted(ROOTS))}."
        )
    if run is not None and run.workflow_id != workflow.pk:
        raise TrialRefused("This run is of another workflow.")
    basis = run or Run(id=uuid7(), workflow=workflow, created_at=timezone.now())
    scope = _scope(run, version)
    trigger = data.pop("trigger", {})
    scope["trigger"].update(trigger)
    scope["steps"] = {**scope["steps"], **data.pop("steps", {})}
    scope["variables"] = {**scope["variables"], **data.pop("variables", {})}
    scope |= data
    scope["run"] = run_scope(basis, workflow.slug, version.number)
    held = Held(
        job_id=0,
        run_id=basis.pk,
        workflow_id=workflow.pk,
        team_id=workflow.team_id,
        token=uuid4(),
        lease_ends=float("inf"),
        run=basis,
        version=version,
        slug=workflow.slug,
        scope=scope,
    )
    large.read_stored([held])
    return held


def _scope(run: Run | None, version: Compiled) -> dict[str, Any]:
    if run is None:
        empty = Trigger(NO_EVENT, id="trial")
        return {"trigger": empty, "steps": {}, "variables": dict(version.variables)}
    line = _line(run)
    base = line[0]
    try:
        variables = {**version.variables, **readable(base.variables, "variables")}
        scope: dict[str, Any] = {
            "trigger": trigger_scope(base),
            "steps": {name: found for at in line for name, found in _outputs(at)},
            "variables": variables,
        }
        if run.item_index is not None:
            body = readable(opened(run.body), "item")
            scope |= {"item": jsonio.loads(body), "index": run.item_index}
    except UnreadablePayload as error:
        raise TrialRefused(f"{error}."[:1].upper() + f"{error}."[1:]) from None
    return scope


def _line(run: Run) -> list[Run]:
    """The runs that an item stands in and itself, the outermost first."""
    line = [run]
    while line[0].item_index is not None:
        if line[0].parent is None:
            raise TrialRefused("The run around this item was deleted.")
        line.insert(0, line[0].parent)
    return line


def _outputs(run: Run) -> Iterator[tuple[str, Any]]:
    rows = list(run.step_runs.filter(status__in=FINISHED))
    open_rows(rows)
    for row in rows:
        yield row.node_id, readable(row.output, f"output of {row.node_id}")


def _in_thread(task: Task, *, execute: bool) -> Trial:
    """Work as a drain's thread does: without the database, behind the guard."""
    found: list[Trial | BaseException] = []

    def work() -> None:
        forbid_database()
        client = Client(Policy(settings.ALLOWED_NETWORKS), pool_size=1)
        try:
            found.append(_tried(Performer(client), task, execute=execute))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            found.append(error)
        finally:
            client.close()

    thread = threading.Thread(target=work, name="trial", daemon=True)
    thread.start()
    thread.join()
    result = found[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _tried(performer: Performer, task: Task, *, execute: bool) -> Trial:
    shown = performer.preview(task)
    if shown.failure is not None:
        return Trial("failed", input=shown.input, error=shown.failure)
    preview = Trial("rendered", input=shown.input, request=shown.request)
    if not execute:
        return preview
    return _told(preview, performer.perform(task).outcome, task)


def _told(preview: Trial, outcome: Any, task: Task) -> Trial:
    shown = task.held.supplies.redactor.data
    match outcome:
        case Done(output=output, attempt=attempt, port=port, logs=logs):
            return replace(
                preview,
                status="succeeded",
                output=shown(storable(output)),
                attempt=attempt,
                port=port,
                logs=tuple(line.message for line in logs),
            )
        case Fail(error=error, attempt=attempt, output=output):
            status = "failed"
        case Retry(error=error, attempt=attempt, output=output):
            status = "retry"
        case Wait(until=until, output=output):
            return replace(preview, status="waiting", output={"until": until})
        case WaitForSignal(until=until):
            return replace(preview, status="waiting", output={"until": until})
        case StartChildren(inputs=inputs):
            return replace(preview, status="waiting", output={"children": len(inputs)})
        case _:
            raise TypeError(f"{type(outcome).__name__} is no outcome of a step")
    return replace(
        preview,
        status=status,
        error=error,
        attempt=attempt,
        output=shown(storable(output)),
    )

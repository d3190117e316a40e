"""What a redrive takes along: outputs of finished steps, and keys still in doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from automate.lib.encryption import may_be_copied
from runs.engine.carried import IN_DOUBT, copy_of, is_done, pending
from runs.engine.children import ITEM_FAILED
from runs.engine.clock import database_now
from runs.engine.held import state_of
from runs.engine.plan import Graph, plan
from runs.engine.versions import side_ports
from runs.models import Run, StepRun
from runs.payloads import share
from runs.services.errors import RedriveRefused
from runs.states import AttemptOutcome, RunStatus, StepStatus
from workflows import expressions
from workflows.actions import base as actions
from workflows.definition import node_ids, walk_nodes
from workflows.definition.graph import Graph as Shape
from workflows.models import WorkflowVersion

NAMED = "step:"  # an id has no colon

Definition = Mapping[str, Any]


def loops_left_undone(run: Run) -> list[str]:
    """The loops of a run that succeeded although items of theirs had failed."""
    if run.status != RunStatus.SUCCEEDED:
        return []
    rows = run.step_runs.filter(status=StepStatus.SUCCEEDED, port=ITEM_FAILED)
    return list(rows.order_by("pk").values_list("node_id", flat=True))


def carry_over(run: Run, fresh: Run, version: WorkflowVersion, start: str) -> int:
    """Give `fresh` the finished steps of `run`, and the keys that it must keep.

    `start` is `failed`, or the id of a step that runs anew with all that comes after
    it; `step:ID` for a step that is called like a keyword. Finished is also a step
    whose failure the run had gone on from. One that failed keeps its idempotency key
    while its last attempt may have had its effect, or had surely none, and it would
    send the same again. Returns the number of step runs made; raises RedriveRefused
    with all that does not fit.
    """
    definition = definition_of(run, version)
    rows = list(run.step_runs.all())
    undone = loops_left_undone(run) if start == "failed" else []
    anew = _anew(rows, definition, version, start, undone)
    rules = {n: node.get("on_error", "stop") for n, node in _nodes(definition).items()}
    done = [row for row in rows if row.node_id not in anew and is_done(row, rules)]
    misfits = _misfits(done, definition, version)
    if misfits:
        raise RedriveRefused(*misfits, "Redrive from the start.")
    if start != "failed":
        _must_be_reached(done, definition, run.start, start.removeprefix(NAMED))
    copies = [_copy_of(row, fresh) for row in done]
    carried = {row.node_id for row in done}
    old = definition_of(run, run.version)
    for row in rows:
        if row.node_id in undone:  # it goes on with the items that had failed
            copies.append(pending(row, fresh.pk))
        if row.node_id in {*carried, *undone} or not _in_doubt(row, run):
            continue
        if _sends_the_same(row.node_id, old, definition, carried):
            unknown = _last_outcome(row) != AttemptOutcome.NOT_SENT
            copies.append(pending(row, fresh.pk, unknown=unknown))
    StepRun.objects.bulk_create(copies)
    share(fresh.pk, [row.output for row in copies])
    return len(copies)


def definition_of(run: Run, version: WorkflowVersion) -> Definition:
    """The graph that this run walks: the version's, or the body of its loop.

    Raises RedriveRefused when the version has no such loop.
    """
    if run.item_index is None:
        whole: Definition = version.definition
        return whole
    for item in walk_nodes(version.definition):
        if item.node.get("id") == run.parent_node:
            return dict(item.node.get("config") or {})
    raise RedriveRefused(
        f"The run is an item of step {run.parent_node}, which version {version.number} "
        "lacks; redrive it on the pinned version."
    )


def _nodes(definition: Definition) -> Mapping[str, Any]:
    return {node["id"]: node for node in definition.get("nodes", [])}


def _anew(
    rows: Sequence[StepRun],
    definition: Definition,
    version: WorkflowVersion,
    start: str,
    undone: Sequence[str],
) -> Collection[str]:
    """The steps that must not be carried over: the named one and what follows it."""
    if start == "failed":
        return Shape.of(definition).reachable(undone)
    start = start.removeprefix(NAMED)
    nodes = _nodes(definition)
    if start not in nodes:
        known = ", ".join(nodes)
        raise RedriveRefused(
            f'Version {version.number} has no step "{start}"; it has {known}. Redrive '
            'from one of them, from "start" or from "failed".'
        )
    if not any(row.node_id == start and row.attempt for row in rows):
        raise RedriveRefused(
            f'Step "{start}" never began in this run; redrive from a step before it, '
            'or from "failed".'
        )
    return Shape.of(definition).reachable([start])


def _misfits(
    done: Sequence[StepRun], definition: Definition, version: WorkflowVersion
) -> list[str]:
    """Why the finished steps have no place in this version; empty when they have."""
    nodes = _nodes(definition)
    problems = []
    for row in done:
        node = nodes.get(row.node_id)
        if node is None:
            problems.append(
                f"Step {row.node_id} had finished and is not in version "
                f"{version.number}."
            )
        elif node["type"] != row.kind:
            problems.append(
                f"Step {row.node_id} had finished as {row.kind}; in version "
                f"{version.number} it is {node['type']}."
            )
        elif row.port and not _has_port(node, row.port):
            problems.append(
                f'Step {row.node_id} had taken "{row.port}", which it does not have '
                f"in version {version.number}."
            )
    return problems


def _has_port(node: Mapping[str, Any], port: str) -> bool:
    action = actions.get(node["type"])
    return port in action.side_ports or port in action.ports_for(node["config"])


def _must_be_reached(
    done: Sequence[StepRun], definition: Definition, entries: Sequence[str], start: str
) -> None:
    """Refuse a step that would be skipped again: its way was not taken."""
    graph = Graph.of(definition, side_ports(definition))
    states = {row.node_id: state_of(row) for row in done}
    if start in plan(graph, states, database_now(), entries).skip:
        raise RedriveRefused(
            f'No connection into "{start}" is taken by what the steps before it gave; '
            "redrive from one of those steps."
        )


def _in_doubt(row: StepRun, run: Run) -> bool:
    """True unless the receiver's answer to the last attempt is known.

    A step that was cancelled in flight has no attempt yet: nobody knows either.
    """
    if row.status == StepStatus.SUCCEEDED:  # and runs anew, because somebody wants it
        return False
    if not row.attempt:  # perhaps a key brought along from an earlier run, unused here
        return row.generation < run.generation
    outcome = _last_outcome(row)
    return outcome is None or outcome in IN_DOUBT


def _last_outcome(row: StepRun) -> str | None:
    """Of the last attempt; that of one not made yet in this run is in its doubt."""
    if not row.attempt:
        return None if row.interrupted else AttemptOutcome.NOT_SENT
    last = row.attempts.filter(number=row.attempt, verify=0)
    return last.values_list("outcome", flat=True).first()


def _sends_the_same(
    node_id: str, old: Definition, new: Definition, carried: Collection[str]
) -> bool:
    """True when the step's input cannot differ from what it was."""
    before, after = _nodes(old).get(node_id), _nodes(new).get(node_id)
    if before is None or after is None or before["type"] != after["type"]:
        return False
    config = _sent_by(after)
    if _sent_by(before) != config:
        return False
    if old.get("variables") != new.get("variables"):
        return False
    conditions = actions.get(after["type"]).condition_fields
    names = expressions.references(config, frozenset(_nodes(new)), conditions)
    reads = {name[1] for name in names if name[0] == "steps" and name[1:]}
    return reads - node_ids(config) <= set(carried)  # a loop's own steps aside


def _sent_by(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config without how its outcome is verified, which it does not send."""
    config = node.get("config") or {}
    if not actions.get(node["type"]).verifies:
        return config
    return {key: value for key, value in config.items() if key != "verify"}


def _copy_of(row: StepRun, fresh: Run) -> StepRun:
    if not may_be_copied(row.output):
        raise RedriveRefused(f"The output of step {row.node_id} is {row.output}.")
    return copy_of(row, fresh.pk)

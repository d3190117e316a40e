"""Where a run stands: why it waits, how it ended, which steps did not run and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from automate.accounts.models import AuditEntry
from runs.engine.plan import Graph, StepState, ports_taken
from runs.engine.versions import Compiled, compiled
from runs.models import Job, Run, StepRun, Worker
from runs.services.explained import Finding
from runs.services.holdups import run_waits, step_waits
from runs.services.origin import at, said_by
from runs.states import RunStatus, StepStatus
from workflows.definition import walk_nodes

MOST_STEPS = 200
MOST_AHEAD = 1000
LIVES = timedelta(minutes=1)


def standing(run: Run, steps: Sequence[StepRun]) -> Iterator[Finding]:
    """Why it waits, or how it ended; `steps` are its own, without their outputs."""
    yield from _end(run) if run.is_final else _now(run, steps)
    for node in run.stopped_by:
        yield Finding(node, "The filter did not let it pass: its branch ended here.")


def steps_of(run: Run) -> list[StepRun]:
    """The first of its steps, without what would have to be decrypted."""
    rows = StepRun.objects.filter(run=run).defer("input", "output")
    return list(rows.order_by("id")[:MOST_STEPS])


# --- unfinished -------------------------------------------------------------------


def _now(run: Run, steps: Sequence[StepRun]) -> Iterator[Finding]:
    job: Job | None = getattr(run, "job", None)
    if job is None:
        yield Finding("queue", "It is not in the queue, and has not ended.")
        return
    if job.lease_token is not None:
        yield Finding("worker", f"A worker has it, until {at(job.lease_until)}.")
    else:
        yield from _unleased(run, job)
    if job.expiries:
        yield Finding(
            "suspect",
            f"Its worker vanished {job.expiries} time(s) while it ran; it runs alone "
            "until that goes well.",
        )
    connections = _connections(run)
    for step in steps:
        waits = step_waits(step, connection=connections.get(step.node_id, ""))
        if waits:
            yield Finding(step.node_id, waits)


def _unleased(run: Run, job: Job) -> Iterator[Finding]:
    waits = run_waits(run)
    if waits is not None:
        runs = (waits.run_id,) if waits.run_id else ()
        yield Finding("queue", waits.text, runs=runs)
    elif Job.objects.filter(pk=job.pk, due_at__gt=Now()).exists():
        yield Finding("queue", f"It is due again at {at(job.due_at)}.")
    else:
        yield Finding("queue", _place(job))
    alive = Worker.objects.filter(beat_at__gt=Now() - LIVES)
    if not alive.exists():
        yield Finding(
            "workers",
            "No worker has given a sign of life for a minute: start one with "
            "`manage.py qcluster`, or look at those there are.",
            stopped=True,
        )


def _place(job: Job) -> str:
    before = Q(priority__lt=job.priority) | Q(
        priority=job.priority, due_at__lt=job.due_at
    )
    ahead = Job.objects.filter(before, lease_token=None, due_at__lte=Now())
    count = ahead.order_by()[:MOST_AHEAD].count()
    if not count:
        return "It is due, and the next to be taken."
    more = "at least " if count == MOST_AHEAD else ""
    return f"It is due, with {more}{count:,} other(s) before it in the queue."


def _connections(run: Run) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for item in walk_nodes(run.version.definition):
        config = item.node.get("config")
        if isinstance(config, Mapping) and config.get("connection"):
            found[item.node["id"]] = str(config["connection"])
    return found


# --- ended ------------------------------------------------------------------------


def _end(run: Run) -> Iterator[Finding]:
    when = at(run.finished_at)
    error = f" {run.error_class}: {run.error_message}" if run.error_message else ""
    if run.status == RunStatus.SUCCEEDED:
        yield Finding("end", f"It succeeded at {when}.")
    elif run.status == RunStatus.CANCELLED:
        yield _cancelled(run, when)
    elif run.status == RunStatus.DEAD_LETTER:
        yield Finding(
            "end", f"Its retries were used up at {when}.{error}", stopped=True
        )
    else:
        yield Finding(
            "end",
            f"It failed at {when}, and trying again by itself could not mend it."
            f"{error}",
            stopped=True,
        )
    again = list(run.replays.order_by("id").values_list("pk", "status")[:5])
    for pk, status in again:
        yield Finding("redrive", f"It was redriven as {pk} ({status}).", runs=(pk,))


def _cancelled(run: Run, when: str) -> Finding:
    entries = AuditEntry.objects.filter(
        object_type="runs.run", object_id=str(run.pk), action="run.cancel"
    )
    entry = entries.select_related("user", "api_key").first()
    if entry is None:
        why = run.error_message or "nobody is known to have done it"
        return Finding("end", f"It was cancelled at {when}: {why}", stopped=True)
    reason = entry.changes.get("reason")
    return Finding(
        "end",
        f"{said_by(entry)} cancelled it{f': {reason}' if reason else ''}.",
        stopped=True,
    )


# --- steps that did not run -------------------------------------------------------


def not_run(run: Run, steps: Sequence[StepRun]) -> Iterator[Finding]:
    """Each step that failed, was skipped or was cancelled, and why."""
    graph = _graph(run)
    states = {
        step.node_id: StepState(StepStatus(step.status), port=step.port)
        for step in steps
    }
    for step in steps:
        if step.status == StepStatus.FAILED:
            why = f"{step.error_class}: {step.error_message}".strip(": ")
            yield Finding(step.node_id, f"Failed: {why or 'no reason is known'}")
        elif step.status == StepStatus.CANCELLED:
            yield Finding(step.node_id, "Cancelled while it waited: the run ended.")
        elif step.status == StepStatus.SKIPPED:
            yield Finding(step.node_id, _skipped(run, step.node_id, graph, states))


def _graph(run: Run) -> Graph | None:
    version = compiled([run.version_id])[run.version_id]
    if not isinstance(version, Compiled):
        return None
    if run.item_index is not None:
        body = version.bodies.get(run.parent_node)
        return body.graph if body else None
    return version.graph


def _skipped(
    run: Run, node: str, graph: Graph | None, states: Mapping[str, StepState]
) -> str:
    edges = graph.incoming.get(node) if graph else None
    if graph is None or edges is None:
        return "Skipped."
    if not edges and run.start:
        return "Skipped: its trigger starts other steps."
    reasons = [_untaken(graph, edge, states.get(edge.source)) for edge in edges]
    told = [reason for reason in reasons if reason]
    if not told:
        return "Skipped: the run ended before its turn came."
    return f"Skipped: {'; '.join(told)}."


def _untaken(graph: Graph, edge: Any, state: StepState | None) -> str:
    """Why a connection was not taken; empty when it was, or never decided."""
    if state is None:
        return ""
    source, wanted = edge.source, f'"{edge.on}" of {edge.source}'
    if state.status is StepStatus.SKIPPED:
        return f"{source} was skipped itself"
    taken = ports_taken(graph, source, state)
    if edge.on in taken:
        return ""
    if state.status is StepStatus.FAILED:
        return f"{wanted} was not taken, because {source} failed"
    if state.status is StepStatus.SUCCEEDED:
        took = state.port or "success"
        return f'{wanted} was not taken: it took "{took}"'
    return f"{wanted} was not taken: {source} was {state.status}"

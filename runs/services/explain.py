"""Why did this run? One answer for the command, the admin and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from runs.models import Run
from runs.redaction import redactor_for
from runs.services.explained import Explanation, Finding, parts_of
from runs.services.origin import origin
from runs.services.standing import not_run, standing, steps_of
from runs.states import WAITING, RunStatus

Teller = Callable[[Run], Iterable[Finding]]
# The related rows that an explanation reads; the event's body besides.
READS = (
    "workflow", "version", "trigger", "job", "root_run__version", "root_run__trigger",
    "root_run__workflow",
)  # fmt: skip
Counter = Callable[[UUID], int]
_tellers: list[Teller] = []
_counters: list[Counter] = []


def tells(teller: Teller) -> Teller:
    """Register who knows more about how a run's event was let in (the edge does)."""
    _tellers.append(teller)
    return teller


def counts_repeats(counter: Counter) -> Counter:
    """Register who counts how often a run's event came again."""
    _counters.append(counter)
    return counter


def repeats_of(run: Run) -> int:
    """How often its event came again; no query unless the event has an identity."""
    if not (run.event_id or run.decisions) or run.replay_of_id is not None:
        return 0
    return sum(count(run.pk) for count in _counters)


def _state(run: Run) -> str:
    """Its status as people see it; `waiting` for a run that has nothing due."""
    if run.status == RunStatus.QUEUED:
        return "waiting for its turn"
    if run.status == RunStatus.RUNNING and Run.objects.waiting().filter(pk=run.pk):
        return WAITING
    return run.status.replace("_", " ")


def explain(run: Run) -> Explanation:
    """Why it ran, what it waits for or how it ended, and which steps did not run.

    Redacted: anybody may read it who may see the run. Not within a transaction: the
    values that a condition saw are read from the event, which may be in the payload
    store.
    """
    steps = steps_of(run)
    began = [*origin(run), *(item for tell in _tellers for item in tell(run))]
    state = _state(run)
    number = run.version.number
    found = Explanation(
        about="run",
        id=str(run.pk),
        subject=f"Run {run.pk} of {run.workflow} (version {number}): "
        f"{state}",
        answer=began[0].why,
        parts=parts_of(
            ("Why it ran", began),
            ("Where it stands" if not run.is_final else "How it ended",
             standing(run, steps)),
            ("Steps that did not run", not_run(run, steps)),
        ),
    )  # fmt: skip
    return found.redacted(redactor_for(run))

"""Why did this run? One answer for the command, the admin and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runs.models import Run
from runs.redaction import redactor_for
from runs.services.explained import Explanation, Finding, parts_of
from runs.services.origin import origin
from runs.services.standing import not_run, standing, steps_of

Teller = Callable[[Run], Iterable[Finding]]
_tellers: list[Teller] = []


def tells(teller: Teller) -> Teller:
    """Register who knows more about how a run's event was let in (the edge does)."""
    _tellers.append(teller)
    return teller


def explain(run: Run) -> Explanation:
    """Why it ran, what it waits for or how it ended, and which steps did not run.

    Redacted: anybody may read it who may see the run. Not within a transaction: the
    values that a condition saw are read from the event, which may be in the payload
    store.
    """
    steps = steps_of(run)
    began = [*origin(run), *(item for tell in _tellers for item in tell(run))]
    state = "waiting for its turn" if run.status == "queued" else run.status
    number = run.version.number
    found = Explanation(
        about="run",
        id=str(run.pk),
        subject=f"Run {run.pk} of {run.workflow} (version {number}): "
        f"{state.replace('_', ' ')}",
        answer=began[0].why,
        parts=parts_of(
            ("Why it ran", began),
            ("Where it stands" if not run.is_final else "How it ended",
             standing(run, steps)),
            ("Steps that did not run", not_run(run, steps)),
        ),
    )  # fmt: skip
    return found.redacted(redactor_for(run))

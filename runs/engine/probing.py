"""What a breaker decides whose row is locked, and what the runs' logs say of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from runs.engine.judging import Judged, Probe, Wanting
from runs.engine.task import Task
from workflows.models import Breaker

logger = logging.getLogger(__name__)

# A probe's worker that dies is missed so long after the step's time-out. A living one
# is let go by the heartbeat 30 s after it.
PROBE_MARGIN = timedelta(seconds=60)
PROBE_LOOK = 10.0  # seconds on average until a step looks how another's probe went
LONGEST_SPREAD = 60.0  # seconds over which held steps come back


def take_over(row: Breaker, judged: Judged, now: datetime) -> None:
    """How the probe went, if that is among what was judged."""
    for probe in judged.probes:
        if row.is_probe(probe[0].held.run_id, probe[1]):
            _probed(row, probe, judged.name, now)


def _probed(row: Breaker, probe: Probe, name: str, now: datetime) -> None:
    draft, node_id, good = probe
    row.probed(now, good=good)
    if good is None:
        return
    if row.is_closed:
        message = f"Connection {name} answers again: its breaker is closed."
    else:
        message = f"Connection {name} still fails: the next probe is in {row.pause} s."
    draft.log(message, node_id=node_id)
    logger.warning("%s (run %s)", message, draft.held.run_id)


def say_open(row: Breaker, judged: Judged) -> None:
    """In the log, and in that of the run whose failure was the last."""
    attempts, failures = row.totals()
    message = (
        f"The breaker of connection {judged.name} opens: {failures} of {attempts} "
        f"requests failed within a minute. Steps that use it wait; a probe is made in "
        f"{row.pause} s."
    )
    if judged.last is not None:
        judged.last.log(message, level="warning")
    logger.warning("%s Last error: %s", message, row.last_error)


def hold_back(row: Breaker, wanted: Sequence[Wanting], now: datetime) -> None:
    """Of these steps at most one goes through, as the probe; the others wait."""
    if row.is_closed:
        return
    first = True
    for draft, task in wanted:
        lease = timedelta(seconds=task.node.timeout) + PROBE_MARGIN
        if row.take_probe(draft.held.run_id, task.node.id, now, lease):
            continue
        draft.hold_back(task, _until(row, now, first=first), _why(row, task))
        first = False


def _until(row: Breaker, now: datetime, *, first: bool) -> datetime:
    """When a step that was held back comes again: not all of them at once."""
    if row.state == Breaker.State.PROBING or row.probe_at is None:
        wait = PROBE_LOOK * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
        return now + timedelta(seconds=wait)
    if first:
        return max(row.probe_at, now)
    spread = min(row.pause / 2, LONGEST_SPREAD)
    wait = random.uniform(0, spread)  # noqa: S311 - spreads load
    return max(row.probe_at, now) + timedelta(seconds=wait)


def _why(row: Breaker, task: Task) -> str:
    since = f"{row.opened_at:%Y-%m-%d %H:%M:%S} UTC" if row.opened_at else "a while"
    error = f" The last error: {row.last_error}" if row.last_error else ""
    return (
        f"Held back: connection {task.node.connection} has failed too often, its "
        f"breaker is open since {since}. This uses up no attempt.{error}"
    )

"""What the cluster's workers run: drains, the beat, and maintenance.

With `runs.broker`, one of the two modules that know django-q2.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import Any, NoReturn

from django.db import connections
from django.dispatch import receiver
from django_q.models import Schedule
from django_q.signals import post_execute, post_execute_in_worker, pre_execute

from automate.lib.database import tune_sessions
from runs.engine import pulse, seats
from runs.engine.drain import Drain
from runs.engine.shift import SLICE, Reason
from runs.services.chores import all_chores

logger = logging.getLogger(__name__)

CLUSTER_GONE = 5.0  # seconds without the pusher that mean: the cluster has stopped
# Without our broker a drain is an ordinary task with that time limit, which kills.
UNGUARDED_SLICE = 45.0
OURS = ("runs.tasks.drain", "runs.tasks.beat")


def drain(seat: int = 0) -> str:
    """Sit in a seat until the slice ends; returns why. At once when it is taken.

    The broker hands it out. As a django-q2 schedule of every minute it finishes runs
    too, slower.
    """
    with seats.taken(seat) as ours:
        if not ours:
            return "the seat is taken"
        return _sit(seat)


# Of a drain's database sessions. All its statements find rows by an index, and the
# queue changes faster than its statistics: a planner that believes them sorts 100,000
# jobs to find 64. Times in milliseconds.
SESSION: dict[str, str | int] = {
    "statement_timeout": 30_000,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}


def _sit(seat: int) -> str:
    parent = os.getppid()
    tune_sessions(**SESSION)
    guarded = pulse.get(pulse.Mark.PUSHER_BEAT) > 0

    def stopping() -> bool:
        return os.getppid() != parent or _cluster_stops(guarded=guarded)

    engine = Drain(
        seat=seat,
        stopping=stopping,
        slice_seconds=SLICE if guarded else UNGUARDED_SLICE,
        chores=all_chores(),
    )
    before = signal.signal(signal.SIGTERM, lambda *_: engine.stop())
    try:
        reason: str = engine.run()
    except Exception:
        # Its threads would go on without anybody who records what they do.
        logger.exception("drain %d failed", seat)
        _leave(1)
    finally:
        signal.signal(signal.SIGTERM, before)
        connections.close_all()
    if engine.stuck or os.getppid() != parent:
        logger.warning("drain %d leaves its process: %s", seat, reason)
        _leave(0 if reason != Reason.HUNG else 1)
    return str(reason)


def _cluster_stops(*, guarded: bool) -> bool:
    """True when it was told to, and when its pusher ended (plain django-q2 says so)."""
    if pulse.get(pulse.Mark.STOPPING):
        return True
    return guarded and pulse.age(pulse.Mark.PUSHER_BEAT) > CLUSTER_GONE


def _leave(code: int) -> NoReturn:
    logging.shutdown()
    os._exit(code)


def beat() -> None:
    """Nothing: that it passes through queue, worker and monitor is the sign of life."""


def purge() -> dict[str, int]:
    """The daily clean-up."""
    from runs import maintenance

    return dict(maintenance.purge())


@receiver(pre_execute)
def _task_began(task: dict[str, Any], **_: Any) -> None:
    if task["func"] not in OURS:
        pulse.put(pulse.Mark.TASK_PID, os.getpid())
        pulse.beat(pulse.Mark.TASK_BEGAN)


@receiver(post_execute_in_worker)
def _task_ended(task: dict[str, Any], **_: Any) -> None:
    if task["func"] not in OURS:
        pulse.beat(pulse.Mark.TASK_ENDED)


@receiver(post_execute)
def _task_passed(**_: Any) -> None:
    """In the monitor: a task went all the way."""
    pulse.beat(pulse.Mark.QUEUE_BEAT)


def ensure_schedules() -> None:
    """Maintenance is plain django-q2 schedules, made where they are missing."""
    Schedule.objects.get_or_create(
        name="automate: purge",
        defaults={"func": "runs.tasks.purge", "schedule_type": Schedule.DAILY},
    )

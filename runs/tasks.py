"""What the cluster's workers run: drains, the beat, and maintenance.

With `runs.broker`, one of the two modules that know django-q2.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

from django.db import connections
from django.dispatch import receiver
from django_q.models import Schedule
from django_q.signals import post_execute, post_execute_in_worker, pre_execute

from runs.engine import pulse, seats
from runs.engine.drain import Drain, Reason

logger = logging.getLogger(__name__)

CLUSTER_GONE = 2.0  # seconds without the pusher's beat that mean: the cluster stops
QUIET_PUSHER = 15.0
OURS = ("runs.tasks.drain", "runs.tasks.beat")


def drain(seat: int) -> str:
    """Sit in a seat until the slice ends; returns why. At once when it is taken."""
    with seats.taken(seat) as ours:
        if not ours:
            return "the seat is taken"
        return _sit(seat)


def _sit(seat: int) -> str:
    parent = os.getppid()
    guarded = pulse.get(pulse.Mark.PUSHER_BEAT) > 0

    def stopping() -> bool:
        orphaned = os.getppid() != parent
        return orphaned or (guarded and pulse.age(pulse.Mark.PUSHER_BEAT) > _silence())

    engine = Drain(seat=seat, stopping=stopping)
    before = signal.signal(signal.SIGTERM, lambda *_: engine.stop())
    try:
        reason = engine.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        connections.close_all()
    orphaned = os.getppid() != parent
    if engine.stuck or orphaned:
        logger.warning("drain %d leaves its process: %s", seat, reason)
        logging.shutdown()
        os._exit(0 if reason is not Reason.HUNG else 1)
    return str(reason)


def _silence() -> float:
    """Without our parent process a slow query of the pusher must not stop drains."""
    return CLUSTER_GONE if pulse.get(pulse.Mark.CLUSTER_BEGAN) else QUIET_PUSHER


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
def _task_passed(task: dict[str, Any], **_: Any) -> None:
    """In the monitor: a task went all the way."""
    pulse.beat(pulse.Mark.QUEUE_BEAT)


def ensure_schedules() -> None:
    """Maintenance is plain django-q2 schedules, made where they are missing."""
    Schedule.objects.get_or_create(
        name="automate: purge",
        defaults={"func": "runs.tasks.purge", "schedule_type": Schedule.DAILY},
    )

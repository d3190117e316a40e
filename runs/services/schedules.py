"""The chore that fires triggers by the clock, each of their moments once.

Every drain does it, on any number of hosts. A trigger's row is taken with SKIP LOCKED;
that a moment fires once is the unique constraint of `Firing`, not the lock: a row that
somebody saved with an old `next_fire_at` fires nothing twice.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from uuid import UUID

from django.db import Error, IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from automate.lib.database import is_away, is_repeatable, repeat, write_transaction
from runs.engine.clock import database_now
from runs.models import Firing
from runs.services.started import may_start, start_run
from workflows.models import Trigger
from workflows.triggers.base import TriggerKind, get
from workflows.triggers.moments import due

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 50  # triggers, before the drain does something else
LONGEST = 1.0  # seconds until a trigger that was published meanwhile is seen
SHORTEST = 0.05  # while other drains have what is due in their hands
BROKEN_PAUSE = 300.0


class Schedules:
    """The firing of one drain. Not thread-safe.

    A trigger that cannot fire here (bad config, a kind that this host lacks) is left
    to others and tried again later; it stays due, so that nothing of it is lost.
    """

    def __init__(self) -> None:
        self._broken: dict[UUID, float] = {}

    def fire(self) -> float:
        """Fire what is due; the seconds until something is due again."""
        self._forget()
        for _ in range(MOST_AT_ONCE):
            pause = self._pause()
            if pause > 0:
                return min(pause, LONGEST)
            if not repeat(self._fire_next):
                return SHORTEST
        return 0.0

    def _forget(self) -> None:
        now = time.monotonic()
        self._broken = {pk: end for pk, end in self._broken.items() if end > now}

    def _waiting(self) -> QuerySet[Trigger]:
        waiting = Trigger.objects.filter(next_fire_at__isnull=False)
        return waiting.exclude(pk__in=list(self._broken)).order_by("next_fire_at")

    def _pause(self) -> float:
        """Seconds until the first moment; not above 0 when it has come."""
        row = self._waiting().values_list("next_fire_at", Now()).first()
        return LONGEST if row is None else (row[0] - row[1]).total_seconds()

    def _fire_next(self) -> bool:
        """One transaction: one trigger. False when none is left to take."""
        with write_transaction():
            ready = self._waiting().filter(next_fire_at__lte=Now())
            locked = ready.select_for_update(
                skip_locked=True, no_key=True, of=("self",)
            )
            trigger = locked.select_related("workflow").first()
            if trigger is None:
                return False
            try:
                with transaction.atomic():
                    fire_trigger(trigger, database_now())
            except Exception as error:
                if isinstance(error, Error) and (
                    is_away(error) or is_repeatable(error)
                ):
                    raise
                logger.exception("%s (%s) cannot fire", trigger, trigger.pk)
                self._broken[trigger.pk] = time.monotonic() + BROKEN_PAUSE
        return True


def fire_trigger(trigger: Trigger, now: datetime) -> None:
    """Start the runs of what is due, and set what comes next; in a transaction."""
    following = None
    if may_start(trigger) and trigger.next_fire_at is not None:
        kind = get(trigger.kind)
        found = due(kind, trigger.config, trigger.next_fire_at, now)
        for moment in found.fire:
            _start(trigger, kind, moment, now)
        if found.passed_over is not None:
            logger.warning(
                "%s (%s) passes over what it missed up to %s",
                trigger,
                trigger.pk,
                found.passed_over.isoformat(),
            )
        following = found.next
    Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=following)


def _start(
    trigger: Trigger, kind: TriggerKind, moment: datetime, now: datetime
) -> None:
    slot = kind.slot(trigger.config, moment)
    payload = kind.payload(trigger.config, moment)
    if isinstance(payload, dict):
        payload = {**payload, "fired_at": now.isoformat()}
    try:
        with transaction.atomic():
            accepted = start_run(trigger, payload, event_id=slot)
            Firing.objects.create(
                trigger=trigger, slot=slot, scheduled_for=moment, run_id=accepted.run_id
            )
    except IntegrityError:
        if not Firing.objects.filter(trigger=trigger, slot=slot).exists():
            raise
        logger.info("%s has fired for %s already", trigger, slot)

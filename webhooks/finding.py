"""Runs and turned-away events by whatever id somebody has at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from runs.models import Run
from runs.services.explain import READS, explain
from runs.services.explained import Explanation
from webhooks.explain import explain_event
from webhooks.models import InboundEvent
from workflows.models import Trigger

MOST = 10
_PREFIX = re.compile(r"[0-9a-f]{8,32}\Z")
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """What has the id; `more`: not all of it."""

    runs: Sequence[Run]
    events: Sequence[InboundEvent]
    more: bool = False

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.runs) + len(self.events)

    def explanations(self) -> Iterator[Explanation]:
        """An explanation of each."""
        yield from map(explain, self.runs)
        yield from map(explain_event, self.events)


def find(wanted: str, trigger: Trigger | None = None) -> Found:
    """Runs by id, or 8 digits of it or more; events by number; both by the sender's id.

    `trigger`: only what came to it.
    """
    runs, events = runs_to_explain(), InboundEvent.objects.all()
    if trigger is not None:
        runs, events = runs.filter(trigger=trigger), events.filter(trigger=trigger)
    found_runs = list(runs.filter(_run_rule(wanted)).order_by("id")[: MOST + 1])
    rows = events.select_related("trigger__workflow").filter(_event_rule(wanted))
    found_events = list(rows.order_by("id")[: MOST + 1])
    more = len(found_runs) > MOST or len(found_events) > MOST
    return Found(found_runs[:MOST], found_events[:MOST], more)


def runs_to_explain() -> QuerySet[Run]:
    """Runs with what an explanation reads."""
    return Run.objects.select_related(*READS).defer("output")


def _run_rule(wanted: str) -> Q:
    rule = Q(event_id=wanted)
    digits = wanted.lower().replace("-", "")
    if _PREFIX.match(digits):
        low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
        rule |= Q(pk__range=(low, high))
    return rule


def _event_rule(wanted: str) -> Q:
    rule = Q(event_id=wanted)
    if _NUMBER.match(wanted):
        rule |= Q(pk=int(wanted))
    return rule

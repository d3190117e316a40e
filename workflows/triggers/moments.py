"""When a kind that goes by the clock is due: what comes, what was missed; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows.triggers.base import TriggerKind

# A moment that nobody took within this time was missed, and `catch_up` decides.
GRACE = timedelta(seconds=60)
MOST = 100  # firings that `all` catches up
_EXACT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now: the moments to fire in order, and what comes after them.

    `passed_over` is the latest of the missed moments that do not fire, if any.
    """

    fire: tuple[datetime, ...]
    next: datetime | None
    passed_over: datetime | None = None


def upcoming(
    kind: TriggerKind, config: Mapping[str, Any], after: datetime, count: int = 5
) -> list[datetime]:
    """The next `count` moments later than `after`; fewer when there are no more."""
    found: list[datetime] = []
    while len(found) < count:
        moment = kind.next_fire(config, found[-1] if found else after)
        if moment is None:
            break
        found.append(moment)
    return found


def due(
    kind: TriggerKind, config: Mapping[str, Any], first: datetime, now: datetime
) -> Due:
    """What is due of a trigger whose earliest moment not yet dealt with is `first`.

    `first` itself counts even when the config no longer names it: it was promised.
    """
    if first > now:
        return Due((), first)
    following = kind.next_fire(config, now)
    catch_up = kind.catch_up(config)
    latest = _latest(kind, config, first, now)
    if catch_up == "skip" and now - latest > GRACE:
        return Due((), following, passed_over=latest)
    fire = [latest]
    before = _before(kind, config, latest, first)
    while catch_up == "all" and before is not None and len(fire) < MOST:
        fire.append(before)
        before = _before(kind, config, before, first)
    return Due(tuple(reversed(fire)), following, passed_over=before)


def _before(
    kind: TriggerKind, config: Mapping[str, Any], moment: datetime, first: datetime
) -> datetime | None:
    """The latest moment before `moment` that is not before `first`."""
    if moment <= first:
        return None
    return _latest(kind, config, first, moment - _EXACT)


def _latest(
    kind: TriggerKind, config: Mapping[str, Any], first: datetime, until: datetime
) -> datetime:
    """The latest moment from `first` (one itself) up to `until`, by bisection."""
    best, low, high = first, first, until
    while high - low > _EXACT:
        middle = low + (high - low) / 2
        moment = kind.next_fire(config, middle)
        if moment is not None and moment <= until:
            best, low = moment, max(moment, middle)
        else:
            high = middle
    moment = kind.next_fire(config, low)
    return moment if moment is not None and best < moment <= until else best

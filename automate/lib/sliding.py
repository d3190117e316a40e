"""Sliding windows: at most so many in any window, whenever that begins.

What is kept is how many came in each part of a window, the newest part first. A part
counts until it lies wholly outside, so that the limit holds for every window of this
length and not for aligned ones alone; what was used comes back at most a part late.
The whole limit may be used at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from automate.lib.rates import Rate

PARTS = 20


@dataclass(frozen=True, slots=True)
class Window:
    """How many came in `part`, in the part before it, and so on; parts are counted
    since 1970."""

    part: int
    counts: tuple[int, ...]

    def at(self, part: int) -> Window:
        """What of it counts in a later part; a clock that goes back is ignored."""
        passed = part - self.part
        if passed <= 0:
            return self
        new = (0,) * min(passed, PARTS + 1)
        return Window(part, (*new, *self.counts)[: PARTS + 1])

    @property
    def used(self) -> int:
        """How many count."""
        return sum(self.counts)

    def plus(self, count: int) -> Window:
        """With so many more in its newest part."""
        return Window(self.part, (self.counts[0] + count, *self.counts[1:]))


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of asking: whether it is allowed, and how the asker stands now.

    `wait` is in how many seconds, 1 at least, more will be free: for who was refused,
    enough for what it asked.
    """

    allowed: bool
    rate: Rate
    remaining: int
    wait: int

    def headers(self, policy: str) -> dict[str, str]:
        """For the answer, by draft-ietf-httpapi-ratelimit-headers-11 (May 2026),
        sections 3 and 4, and Retry-After (RFC 9110, section 10.2.3) after a refusal.

        `policy` is the limit's name, without quotation marks.
        """
        rate = self.rate
        found = {
            "RateLimit-Policy": f'"{policy}";q={rate.count};w={rate.seconds}',
            "RateLimit": f'"{policy}";r={self.remaining};t={self.wait}',
        }
        return found if self.allowed else {**found, "Retry-After": str(self.wait)}


def part_at(rate: Rate, at: float) -> int:
    """The number of the part of this second since 1970."""
    return math.floor(at * PARTS / rate.seconds)


def fits(window: Window, rate: Rate, count: int) -> bool:
    """Whether so many more may come."""
    return window.used + count <= rate.count


def standing(
    window: Window, rate: Rate, at: float, *, allowed: bool, count: int
) -> Standing:
    """How one stands who asked for `count` and finds this window at that second."""
    window = window.at(part_at(rate, at))
    remaining = max(rate.count - window.used, 0)
    wanted = remaining + 1 if allowed else count
    wait = math.ceil(_free_at(window, rate, wanted) - at)
    return Standing(allowed, rate, remaining, max(wait, 1))


def _free_at(window: Window, rate: Rate, count: int) -> float:
    """The second from which so many are free; when all are, if they never will be."""
    free = rate.count - window.used
    age = len(window.counts)
    while age and free < count:
        age -= 1
        free += window.counts[age]
    return (window.part - age + PARTS + 1) * rate.seconds / PARTS

"""Rates as people write them: "10/s", "100/m", "1000/h"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_UNITS = {seconds: unit for unit, seconds in _SECONDS.items()}
# As JSON Schema has it too: no \d, which means other digits to others.
RATE_PATTERN = r"^[ ]*[1-9][0-9]{0,6}[ ]*/[ ]*[smh][ ]*$(?!\n)"
_PATTERN = re.compile(RATE_PATTERN)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any `seconds`, whenever these begin.

    A tenth of them, one at least, may come at once; the others are an `interval` apart,
    so much longer that both together stay within `count`. So the rate in the long run
    is up to a tenth below what is written.
    """

    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.count}/{_UNITS.get(self.seconds, f'{self.seconds} s')}"

    @property
    def burst(self) -> int:
        """How many may come at once after a pause."""
        return max(self.count // 10, 1)

    @property
    def interval(self) -> timedelta:
        """The time from one to the next where many come in a row."""
        return timedelta(seconds=self.seconds / (self.count - self.burst + 1))


def parse_rate(text: str) -> Rate:
    """The rate that `text` names. Raises ValueError, which says what would be right."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        shown = repr(text[:40])
        raise ValueError(
            f"{shown} is not a rate: write a number and a unit of time, such as 10/s, "
            "100/m or 1000/h."
        )
    count, _, unit = text.partition("/")
    return Rate(int(count), _SECONDS[unit.strip()])

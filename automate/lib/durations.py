"""Durations as people write them: 30, 2.5, "500ms", "1h30m", "2d"."""

from __future__ import annotations

import math
import re
from datetime import timedelta

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)"
_PATTERN = re.compile(
    "".join(rf"(?:{_NUMBER}\s*{unit}\s*)?" for unit in _SECONDS), re.ASCII
)
# The same for a JSON Schema, in any case and with space around: a plain number, or
# units from large to small of which there is one at least.
_UNIT = r"(?:[0-9]{1,15}(?:\.[0-9]{1,9})?[ \t\n\r\f\v]*%s[ \t\n\r\f\v]*)?"
TEXT_PATTERN = (
    r"^\s*(?=[0-9])(?:[0-9]{1,15}(?:\.[0-9]{1,9})?|"
    + "".join(_UNIT % unit for unit in ("[dD]", "[hH]", "[mM]", "[sS]", "[mM][sS]"))
    + r")\s*$"
)
_PLAIN = re.compile(_NUMBER, re.ASCII)
_HELP = 'use seconds (30, 2.5) or a text such as "500ms", "5m", "1h30m" or "2d"'


def parse_duration(value: float | str) -> timedelta:
    """The duration that `value` names; a bare number means seconds.

    Units are d, h, m, s and ms, each at most once, from large to small. Raises
    ValueError, with what would be right, for anything else, and for negative ones.
    """
    seconds = _from_text(value) if isinstance(value, str) else _from_number(value)
    if seconds is None:
        raise ValueError(f"{_shown(value)} is not a duration: {_HELP}.")
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{_shown(value)} is too long for a duration.") from None


def _from_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return math.inf if value > 0 else None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None


def _from_text(text: str) -> float | None:
    text = text.strip().lower()
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        return None
    parts = zip(match.groups(), _SECONDS.values(), strict=True)
    return sum(float(number) * unit for number, unit in parts if number is not None)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        return "The number"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Dates as text: the form of a given ISO 8601 time, no clock and no locale."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.filters.base import need_text, register

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
)  # fmt: skip
_LONGEST_FORMAT = 200


def _offset(moment: datetime, colon: str = "") -> str:
    """The offset as +HHMM; empty for a time without a zone."""
    offset = moment.utcoffset()
    if offset is None:
        return ""
    sign = "-" if offset < timedelta() else "+"
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    return f"{sign}{hours:02}{colon}{minutes:02}"


def _seconds(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(int(aware.timestamp()))


# strftime asks the process's locale; these do not.
_DIRECTIVES: dict[str, Callable[[datetime], str]] = {
    "%Y": lambda moment: f"{moment.year:04}",
    "%y": lambda moment: f"{moment.year % 100:02}",
    "%m": lambda moment: f"{moment.month:02}",
    "%d": lambda moment: f"{moment.day:02}",
    "%e": lambda moment: str(moment.day),
    "%H": lambda moment: f"{moment.hour:02}",
    "%I": lambda moment: f"{(moment.hour + 11) % 12 + 1:02}",
    "%M": lambda moment: f"{moment.minute:02}",
    "%S": lambda moment: f"{moment.second:02}",
    "%f": lambda moment: f"{moment.microsecond:06}",
    "%p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "%A": lambda moment: _DAYS[moment.weekday()],
    "%a": lambda moment: _DAYS[moment.weekday()][:3],
    "%B": lambda moment: _MONTHS[moment.month - 1],
    "%b": lambda moment: _MONTHS[moment.month - 1][:3],
    "%j": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "%u": lambda moment: str(moment.isoweekday()),
    "%V": lambda moment: f"{moment.isocalendar().week:02}",
    "%z": _offset,
    "%:z": lambda moment: _offset(moment, ":"),
    "%s": _seconds,
    "%%": lambda _moment: "%",
}
_DIRECTIVE = re.compile(r"%:?.?", re.DOTALL)


@register(
    example="'2026-03-07T14:05:00Z' | date_format('%d.%m.%Y %H:%M')",
    result="07.03.2026 14:05",
)
def date_format(evaluation: Evaluation, value: Any, form: Any = "%Y-%m-%d") -> str:
    """A given ISO 8601 date or time in another form, with strftime's letters."""
    moment = _moment(value)
    form = need_text(evaluation, form, "the form ")
    if len(form) > _LONGEST_FORMAT:
        raise RenderError(f"the form has at most {_LONGEST_FORMAT} characters")
    evaluation.emit(10 * len(form))
    return _DIRECTIVE.sub(lambda found: _written(found[0], moment), form)


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and len(value) <= 64:
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise RenderError("needs a date in ISO 8601, such as 2026-03-07T14:05:00Z")


def _written(directive: str, moment: datetime) -> str:
    if directive not in _DIRECTIVES:
        raise RenderError(f"the form knows only {' '.join(_DIRECTIVES)}")
    return _DIRECTIVES[directive](moment)

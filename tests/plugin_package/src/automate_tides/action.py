"""Step kind `tide_depth`: how deep the water is, so long after high water."""

from __future__ import annotations

from math import cos, pi
from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome

from . import PERIOD


@register
class TideDepth(Action):
    """Its output is `{"depth"}` in metres, between the config's `low` and `high`."""

    kind = "tide_depth"
    label = "Depth of the tide"
    description = "Computes the depth so many minutes after high water."
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["high", "low", "minutes"],
        "properties": {
            "high": {"title": "Depth at high water", "type": "number"},
            "low": {"title": "Depth at low water", "type": "number"},
            "minutes": {"title": "Minutes after high water", "type": "number"},
        },
    }

    def execute(self, context: Context) -> Outcome:
        numbers = [context.config[name] for name in ("high", "low", "minutes")]
        # A template may have given anything.
        if not all(isinstance(number, int | float) for number in numbers):
            return Fail(ErrorInfo("BadConfig", "high, low and minutes must be numbers"))
        high, low, minutes = numbers
        turn = cos(2 * pi * minutes * 60 / PERIOD.total_seconds())
        return Done({"depth": round((high + low + (high - low) * turn) / 2, 3)})

"""How much of a body may become a value in the memory of the web process."""

from __future__ import annotations

import re
from typing import Any

from automate.lib import jsonio
from automate.lib.errors import Code
from webhooks.answers import Reason, TurnedAway

LARGE = 256 * 1024  # bytes: below, a value is small whatever it is
MOST_VALUES = 120_000
_HOLDS_VALUES = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+[\[{]")


def bearable(raw: bytes) -> Any:
    """The value of a JSON text. Raises BadJSON, and TurnedAway for too many values."""
    refuse_heavy(raw)
    return jsonio.loads(raw)


def refuse_heavy(raw: bytes) -> None:
    """Raises TurnedAway where the value of this JSON text could take over 50 MB.

    Each value but the last stands before a comma or in brackets of its own; those
    within texts are counted too.
    """
    if len(raw) <= LARGE or not _HOLDS_VALUES.match(raw):
        return
    values = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if values > MOST_VALUES:
        raise TurnedAway(
            Reason.TOO_LARGE,
            413,
            Code.BODY_TOO_LARGE,
            f"The body holds {values:,} commas and opening brackets. A CloudEvent, and "
            f"a body that something of the trigger's reads, may hold {MOST_VALUES:,}.",
        )

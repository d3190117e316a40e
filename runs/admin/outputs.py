"""What steps gave and runs answered, redacted: for all who may see the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat

from automate.accounts.admin.html import pretty
from automate.lib.bodies import cut
from automate.lib.encryption import Unreadable
from automate.lib.payloads import Elsewhere
from automate.lib.redaction import Redactor

WHOLE = 64 * 1024  # bytes of one value that a page shows
OF_STEP = 16 * 1024  # characters of JSON of one step among the others
OF_STEPS = 512 * 1024  # of all steps of a run together: redaction takes its time


@dataclass(frozen=True, slots=True)
class Output:
    """A value for reading; `note` says why there is none, or that it goes on."""

    text: str = ""
    note: str = ""

    @property
    def is_short(self) -> bool:
        """Whether it is worth to be seen without a click."""
        return len(self.text) <= 600


def shown(value: Any, redactor: Redactor) -> Output | None:
    """One value, redacted as a whole before it is cut; None when there is none."""
    if value is None:
        return None
    if isinstance(value, Unreadable):
        return Output(note=str(value))
    text, is_cut = cut(pretty(redactor.data(value)), WHOLE)
    return Output(text, "It goes on; this is the beginning." if is_cut else "")


class StepOutputs:
    """The outputs of one run's steps in turn: small ones, as long as they are few."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = OF_STEPS

    def shown(self, value: Any) -> Output | None:
        """The redacted output, or how large it is; the step's page shows it then."""
        if value is None:
            return None
        if isinstance(value, Elsewhere):
            return _large(value.size)
        if not isinstance(value, Unreadable):
            size = len(json.dumps(value))
            if size > min(OF_STEP, self._left):
                return _large(size)
            self._left -= size
        return shown(value, self._redactor)


def _large(size: int) -> Output:
    return Output(note=f"{filesizeformat(size)}: the page of the step shows it.")

"""An explanation as a value: what was decided, by what, and why; pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from automate.lib.redaction import Redactor

WIDTH = 88
LABEL = 16


@dataclass(frozen=True, slots=True)
class Finding:
    """One decision: what decided (`by`), why in a sentence, and the values it saw.

    `stopped`: this is why nothing more happened. `runs` are those it speaks of.
    """

    by: str
    why: str
    saw: Mapping[str, Any] = field(default_factory=dict)
    stopped: bool = False
    runs: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Findings under a title, in the order in which they were made."""

    title: str
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something happened, or did not: `about` a "run" or an "event" of this id.

    `answer` says it in a sentence.
    """

    about: str
    id: str
    subject: str
    answer: str
    parts: Sequence[Part]

    def redacted(self, redactor: Redactor) -> Explanation:
        """The same without secrets, in every text."""
        return replace(
            self,
            subject=redactor.text(self.subject),
            answer=redactor.text(self.answer),
            parts=[
                Part(part.title, [_redacted(item, redactor) for item in part.findings])
                for part in self.parts
            ],
        )


def _redacted(finding: Finding, redactor: Redactor) -> Finding:
    saw = redactor.data(finding.saw)
    return replace(finding, why=redactor.text(finding.why), saw=saw)


def parts_of(*parts: tuple[str, Iterable[Finding]]) -> list[Part]:
    """The parts in which anything was found."""
    listed = ((title, list(findings)) for title, findings in parts)
    return [Part(title, findings) for title, findings in listed if findings]


def as_data(explanation: Explanation) -> dict[str, Any]:
    """What programs read: JSON data."""
    return {
        "about": explanation.about,
        "id": explanation.id,
        "subject": explanation.subject,
        "answer": explanation.answer,
        "parts": [
            {"title": part.title, "findings": [_data(item) for item in part.findings]}
            for part in explanation.parts
        ],
    }


def _data(finding: Finding) -> dict[str, Any]:
    return {
        "by": finding.by,
        "why": finding.why,
        "saw": dict(finding.saw),
        "stopped": finding.stopped,
        "runs": [str(pk) for pk in finding.runs],
    }


def as_text(explanation: Explanation) -> str:
    """What people read in a terminal."""
    lines = [explanation.subject, *_wrapped(explanation.answer, "")]
    for part in explanation.parts:
        lines += ["", part.title]
        for finding in part.findings:
            lines += _lines(finding)
    return "\n".join(lines)


def _lines(finding: Finding) -> list[str]:
    mark = "x" if finding.stopped else " "
    head = f"{mark} {finding.by[:LABEL]:<{LABEL}} "
    lines = _wrapped(finding.why, " " * len(head), head)
    for path, value in finding.saw.items():
        shown = json.dumps(value, ensure_ascii=False)
        lines += _wrapped(f"{path} = {shown}", " " * (len(head) + 4), " " * len(head))
    return lines


def _wrapped(text: str, indent: str, first: str = "") -> list[str]:
    found = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first or indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return found or [first.rstrip()]

"""What templates see of the event: the body parsed, once for engine and readers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from automate.lib import jsonio
from automate.lib.encryption import is_readable
from automate.lib.payloads import opened
from automate.lib.sealed import Elsewhere, Unreadable
from runs.models import Run


class UnreadablePayload(Exception):
    """The run's payload is encrypted under a key that the ring does not hold."""


def parse_body(body: bytes, content_type: str) -> Any:
    """JSON as its tree, a form as a mapping, anything else as text; empty is None.

    The stored bytes stay as they are. A body that claims to be JSON and is not, is
    given as text.
    """
    if not body:
        return None
    media = content_type.split(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        return _form(body.decode("utf-8", "replace"))
    text_first = media.startswith("text/")
    if not text_first:
        try:
            return jsonio.loads(body)
        except jsonio.BadJSON:
            pass
    return body.decode("utf-8", "replace")


def _form(text: str) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in form:
            form[name] = value
        elif isinstance(form[name], list):
            form[name].append(value)
        else:
            form[name] = [form[name], value]
    return form


@dataclass(frozen=True, slots=True)
class Later:
    """The event's payload before a step reads it, which is large: its body unparsed.

    `body` are the bytes, or what says where they are or why they cannot be read.
    """

    body: bytes | Unreadable = field(repr=False)
    content_type: str = ""

    def of(self, body: bytes | Unreadable) -> Later:
        """The same with the body itself."""
        return replace(self, body=body)

    def parsed(self) -> Any:
        """What templates see. Raises UnreadablePayload unless the bytes are there."""
        return parse_body(readable(self.body, "body"), self.content_type)


def trigger_payload(run: Run) -> Any:
    """The event's payload as `{{ trigger.payload }}` gives it.

    Got from the payload store where it is there: not within a transaction. Raises
    UnreadablePayload when its key is missing, or the payload, or its store away.
    """
    return parse_body(readable(opened(run.body), "body"), run.content_type)


def item_of(run: Run) -> Any:
    """The item that a loop gave to this run; raises as above, and ValueError."""
    return json.loads(readable(run.body, "item"))


def trigger_scope(run: Run) -> dict[str, Any]:
    """`trigger` as templates see it: payload, headers, query, id.

    A payload that is in the payload store is `Later`.
    """
    body = run.body
    return {
        "payload": Later(body, run.content_type)
        if isinstance(body, Elsewhere)
        else parse_body(readable(body, "body"), run.content_type),
        "headers": readable(run.headers, "headers"),
        "query": readable(run.query, "query"),
        "id": run.event_id or str(run.pk),
    }


def readable(value: Any, name: str) -> Any:
    """`value`, unless its key is missing: then UnreadablePayload."""
    if not is_readable(value):
        raise UnreadablePayload(f"the run's {name} is {value}")
    return value


def run_scope(run: Run, workflow_slug: str, number: int) -> Mapping[str, Any]:
    """`run` as templates see it; nothing in it changes between attempts."""
    return {
        "id": str(run.pk),
        "workflow": workflow_slug,
        "version": number,
        "created_at": run.created_at.isoformat(),
        "replay_of": str(run.replay_of_id) if run.replay_of_id else None,
    }

"""Sending a webhook a test event: signed as its sender would, through the same gates.

It stays within this process: no address of ours needs to be reachable from here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from webhooks.arrival import Incoming
from webhooks.inbound import receive
from webhooks.lookup import find
from webhooks.sending import CannotSend, Delivery, Sender
from workflows.models import Trigger
from workflows.services import trigger_url
from workflows.triggers.schemes import proof_headers

NAME = "test"


@dataclass(frozen=True, slots=True)
class Tried:
    """What was sent and what the sender would have been told."""

    delivery: Delivery = field(repr=False)
    hidden: frozenset[str]
    status: int
    answer: Any

    @property
    def run_id(self) -> str | None:
        """The run that it became, or that it had become before."""
        found = self.answer.get("run_id") if isinstance(self.answer, dict) else None
        return found if isinstance(found, str) else None

    def as_data(self) -> dict[str, Any]:
        """For programs; what proves the sender is not shown."""
        headers = {
            name: "[hidden]" if name.lower() in self.hidden else text
            for name, text in self.delivery.headers.items()
        }
        return {
            "status": self.status,
            "answer": self.answer,
            "run_id": self.run_id,
            "sent": {
                "method": self.delivery.method,
                "url": self.delivery.url,
                "headers": headers,
                "body": self.delivery.body.decode("utf-8", "replace"),
            },
        }


def try_out(
    row: Trigger,
    *,
    by: User | ApiKey | None,
    event: str = "",
    payload: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Tried:
    """Send an event of this name and payload; what is not given is made up.

    Raises CannotSend when no signature can be made here.
    """
    entry = find(row.key)
    if entry is None:
        raise CannotSend("The webhook was deleted just now.")
    event = event or _name(row.config.get("events") or [])
    if payload is None:
        payload = {"type": event, "test": True}
    delivery = Sender.for_trigger(entry).delivery(
        trigger_url(row),
        jsonio.dumps(payload).encode(),
        event=event,
        event_id=f"test-{uuid4()}",
        headers=headers,
    )
    record("trigger.test", row, by=by, changes={"event": event})
    answer = receive(_incoming(row.key, delivery))
    hidden = frozenset(name.lower() for name in proof_headers(row.config))
    return Tried(delivery, hidden, answer.status, _read(answer.body))


def _name(patterns: list[str]) -> str:
    """An event's name that the first pattern lets pass, where it is not too clever."""
    return patterns[0].replace("*", NAME).replace("?", "x") if patterns else NAME


def _incoming(address: str, delivery: Delivery) -> Incoming:
    """The request as a server would hand it over."""
    environ: dict[str, Any] = {
        f"HTTP_{name.upper().replace('-', '_')}": text
        for name, text in delivery.headers.items()
    }
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "application/json")
    environ |= {
        "REQUEST_METHOD": delivery.method,
        "CONTENT_LENGTH": str(len(delivery.body)),
        "REMOTE_ADDR": "127.0.0.1",
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(delivery.body),
    }
    return Incoming(delivery.method, address, environ, delivery.url)


def _read(body: bytes) -> Any:
    try:
        return jsonio.loads(body)
    except jsonio.BadJSON:
        return body.decode("utf-8", "replace")

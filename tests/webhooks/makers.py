"""Triggers, and posts to them, as the tests of the edge need them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from automate.lib import jsonio
from automate.lib.ids import new_key
from tests.makers import make_workflow
from webhooks import schemes
from webhooks.models import InboundEvent
from workflows.models import Trigger, Workflow
from workflows.triggers.schemes import options_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUSH = b'{"ref": "refs/heads/main", "after": "6dcb09b"}'


def make_trigger(
    config: Mapping[str, Any] | None = None,
    workflow: Workflow | None = None,
    **fields: Any,
) -> Trigger:
    """An active webhook trigger; without a scheme it takes everybody's events."""
    config = dict(config or {})
    fields.setdefault("key", f"k{new_key()}")  # a "-" in front looks like an option
    if config.get("scheme", "none") != "none":
        fields.setdefault("secret", SECRET)
    return Trigger.objects.create(
        workflow=workflow or make_workflow(), kind="webhook", config=config, **fields
    )


def post(
    trigger: Trigger | str,
    body: bytes | Any = PUSH,
    *,
    method: str = "POST",
    content_type: str = "application/json",
    query: str = "",
    client: Client | None = None,
    **headers: str,
) -> Any:
    """A request to the edge; keyword `x_event="push"` is the header X-Event."""
    address = trigger if isinstance(trigger, str) else trigger.key
    return (client or Client()).generic(
        method,
        f"/v1/webhooks/{address}{query}",
        body if isinstance(body, bytes) else jsonio.dumps(body).encode(),
        content_type=content_type,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )


def signed(
    trigger: Trigger,
    body: bytes = PUSH,
    *,
    event_id: str = "",
    event: str = "push",
    secret: str = SECRET,
    now: datetime | None = None,
    content_type: str = "application/json",
) -> dict[str, str]:
    """The headers with which the trigger's provider sends this body."""
    config = trigger.config
    outgoing = schemes.Outgoing(
        body,
        secret.encode(),
        now or datetime.now(UTC),
        event_id or str(uuid4()),
        event,
        f"{settings.PUBLIC_URL}/v1/webhooks/{trigger.key}",
        content_type,
    )
    return schemes.get(config["scheme"]).sign(outgoing, options_of(config))


def send(trigger: Trigger, body: bytes = PUSH, **about: Any) -> Any:
    """A signed event as the trigger's provider sends it."""
    headers: dict[str, Any] = signed(trigger, body, **about)
    return post(trigger, body, **headers)


def told(answer: HttpResponse) -> Any:
    """The answer's JSON."""
    return jsonio.loads(answer.content)


def code_of(answer: HttpResponse) -> str:
    """The code of an error."""
    return str(told(answer)["error"]["code"])


def only_event() -> InboundEvent:
    """The one event that was kept without a run."""
    return InboundEvent.objects.get()

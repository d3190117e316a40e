"""Step kind `respond`: what a sender that waits for an answer gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from automate.lib import jsonio
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome

LARGEST = 1024 * 1024  # bytes of the body
# Statuses that say themselves that there is no body (RFC 9110, section 6.4.1).
WITHOUT_BODY = frozenset({204, 205, 304})
# The server's own: how bytes travel, and sessions of this site's pages.
REFUSED = frozenset(
    {
        "connection", "content-length", "date", "keep-alive", "proxy-authenticate",
        "server", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")


@register
class Respond(Action):
    """Its output is the answer: `{"status", "headers", "body"}`.

    Headers are texts by name; a body that is text is sent as it is, anything else as
    JSON. Without a sender that waits it is only the step's output.
    """

    kind = "respond"
    label = "Respond"
    description = "Answers the sender of an event, when it waits for an answer."
    answers = True
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "status": {
                "title": "Status",
                "type": "integer",
                "minimum": 200,
                "maximum": 599,
                "default": 200,
            },
            "headers": {
                "title": "Headers",
                "type": "object",
                "maxProperties": 50,
                "propertyNames": {
                    "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$(?!\n)",
                    "x-message": "a header's name holds letters, digits and hyphens",
                },
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
            "body": {"title": "Body", "description": "Text, or data sent as JSON"},
        },
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        headers = config.get("headers")
        for name in headers if isinstance(headers, dict) else ():
            if name.lower() in REFUSED:
                yield f"headers.{name}", "is set by the server alone"
        if config.get("status") in WITHOUT_BODY and config.get("body") is not None:
            yield "body", f"an answer with the status {config['status']} has no body"

    def execute(self, context: Context) -> Outcome:
        config = context.config
        try:
            status, body = _status(config.get("status", 200)), config.get("body")
            headers = _headers(config.get("headers"))
            _check_body(status, body)
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", str(error)))
        return Done({"status": status, "headers": headers, "body": body})


def _status(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch("[2-5][0-9][0-9]", value):
        return int(value)
    if isinstance(value, int) and 200 <= value <= 599:
        return int(value)
    raise ValueError("status must be a whole number from 200 to 599")


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("headers must be an object of names and values")
    found = {}
    for name, item in value.items():
        if item is None:
            continue
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:60]!r} cannot be the name of a header")
        if name.lower() in REFUSED:
            raise ValueError(f"the header {name} is set by the server alone")
        if not isinstance(item, str | int | float):
            raise ValueError(f"the header {name} must be text or a number")
        text = str(item).lower() if isinstance(item, bool) else str(item)
        if _UNSENDABLE.search(text):
            raise ValueError(
                f"the header {name} holds a line end or another character that "
                "cannot be sent in a header"
            )
        found[name] = text
    return found


def _check_body(status: int, body: Any) -> None:
    if body is None:
        return
    if status in WITHOUT_BODY:
        raise ValueError(f"an answer with the status {status} has no body")
    text = body if isinstance(body, str) else jsonio.dumps(body)
    size = len(jsonio.storable_text(text).encode())
    if size > LARGEST:
        raise ValueError(f"body has {size} bytes; an answer holds {LARGEST} at most")

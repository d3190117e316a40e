"""What the description says of addresses that are no views of the API."""

from __future__ import annotations

from typing import Any

from automate.lib.rest.described import TEXT
from automate.openapi import refusals

ADDRESS: dict[str, Any] = {
    "name": "address",
    "in": "path",
    "required": True,
    "description": "The key, or the path, of a webhook.",
    "schema": TEXT,
}
ACCEPTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string", "format": "uuid"},
        "status": {"enum": ["queued", "duplicate", "filtered"]},
        "duplicate": {"type": "boolean"},
    },
    "required": ["status"],
}
STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {"status": {"enum": ["ok", "unavailable"]}},
    "required": ["status"],
}


def _accepted(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": ACCEPTED}}}


def _probe(name: str, text: str, *, may_fail: bool) -> dict[str, Any]:
    content = {"application/json": {"schema": STATUS}}
    answers: dict[str, Any] = {"200": {"description": "It is.", "content": content}}
    if may_fail:
        after = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        answers["503"] = {
            "description": "Not now; the log says why.",
            "content": content,
            "headers": after,
        }
    return {
        "get": {
            "operationId": name,
            "summary": text,
            "tags": ["Probes"],
            "responses": answers,
            "security": [],
        }
    }


RECEIVE: dict[str, Any] = {
    "operationId": "send_event",
    "summary": "Send an event",
    "description": "Any body, byte for byte, by the methods that the trigger takes; "
    "the sender proves who it is as the trigger says. With `response_mode: wait` the "
    "run's own answer takes the place of these.",
    "tags": ["Events"],
    "parameters": [
        ADDRESS,
        {"$ref": "#/components/parameters/Idempotency-Key"},
    ],
    "requestBody": {"required": False, "content": {"*/*": {"schema": {}}}},
    "responses": {
        "202": _accepted("The event is on disk, its run will begin."),
        "200": _accepted("The same event again, or one that is filtered out."),
        **{
            str(status): refusals.response(status)
            for status in (400, 401, 405, 409, 410, 413, 415, 422, 429, 500, 503)
        },
    },
    "security": [],
}
PATHS: dict[str, Any] = {
    "/v1/webhooks/{address}": {"post": RECEIVE},
    "/livez": _probe("is_alive", "Is the process alive?", may_fail=False),
    "/readyz": _probe("is_ready", "Can it serve?", may_fail=True),
}

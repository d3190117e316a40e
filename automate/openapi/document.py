"""The whole description: what the views say, the edge, the probes, what is common."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.generators import SchemaGenerator

from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.openapi import edge, refusals
from runs.services import RunServiceError

FILE = "docs/openapi.json"
VERSION = "1"
ABOUT = """\
All that the admin can do, for programs. Say who you are by an API key or an access
token: `Authorization: Bearer <key or token>`; a key also as `X-Api-Key: <key>`. What a
key may do are its scopes, what a person may do are those of their role; each operation
names the scopes that it takes, and `admin` is all of them.

Lists come by pages: `next` is the address of the next one. Names that are not known are
a 400 that tells them. Errors have one format, whatever makes them; who asks for
`application/problem+json` gets RFC 9457. Texts hold no NUL.
"""
TAGS = r'^(\*|(W/)?"[!#-~]*")$'
PARAMETERS: dict[str, Any] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same call again with the same key starts nothing and gets "
        "the first run.",
        "schema": {"type": "string"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` that was read: the change is made only if nobody "
        "else has changed anything since. Several by comma; `*`: whatever it is now.",
        "schema": {"type": "string", "pattern": TAGS},
    },
    "Last-Event-ID": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The last event that was seen: only what is new since then.",
        "schema": {"type": "string"},
    },
}
SECURITY: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `auth/token`, or an API key. Scopes: "
        + ", ".join(f"`{scope}`" for scope in Scope.values)
        + ".",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "An API key.",
    },
}


def codes() -> set[str]:
    """Every code that an error may have."""
    found = {str(code) for code in Code}
    kinds = [RunServiceError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found.add(kind.code)
    return found - {RunServiceError.code}


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document. The same object each time: copy before you change it."""
    generator = SchemaGenerator(urlconf="automate.urls")
    found: dict[str, Any] = generator.get_schema(public=True)
    made = found.pop("components")
    common = refusals.components(codes())
    twice = made["schemas"].keys() & common["schemas"].keys()
    if twice:
        raise ImproperlyConfigured(f"Two shapes are called {', '.join(twice)}.")
    found["info"]["description"] = ABOUT
    found["paths"] |= edge.PATHS
    found["components"] = {
        "schemas": dict(sorted({**made["schemas"], **common["schemas"]}.items())),
        "responses": common["responses"],
        "parameters": PARAMETERS,
        "headers": common["headers"],
        "securitySchemes": SECURITY,
    }
    return found


@cache
def text() -> str:
    """The document as the text of its file."""
    return json.dumps(description(), indent=1, ensure_ascii=False) + "\n"

"""What the config of a webhook may hold, as a JSON Schema (draft 2020-12)."""

from __future__ import annotations

from typing import Any

from automate.lib.rates import RATE_PATTERN
from workflows.triggers.schemes import HEADER_NAME, SCHEMES, Scheme

MAX_BODY = 25 * 1024 * 1024
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
IDEMPOTENCY = ("body", "delivery", "header", "none", "template")
LONGEST_WAIT = 30
PATH = r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$(?!\n)"

_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
_HEADER = {
    "type": "string",
    "pattern": HEADER_NAME,
    "maxLength": 100,
    "x-message": "must be the name of an HTTP header",
}
_TEMPLATE = {"type": "string", "minLength": 1, "maxLength": 4096}

_IDEMPOTENCY = {
    "title": "Idempotency",
    "type": "object",
    "additionalProperties": False,
    "required": ["by"],
    "properties": {
        "by": {"title": "By", "enum": list(IDEMPOTENCY)},
        "header": {**_HEADER, "title": "Header"},
        "template": {**_TEMPLATE, "title": "Template"},
        "window": {
            "title": "Window in seconds",
            "type": "integer",
            "minimum": 1,
            "maximum": 30 * 86_400,
        },
    },
}


def _with_options(scheme: Scheme) -> dict[str, Any]:
    return {"title": f"Options of {scheme.label}", **scheme.options_schema}


CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "scheme": {"title": "Signature scheme", "enum": list(SCHEMES)},
        "path": {
            "title": "Path",
            "type": "string",
            "maxLength": 200,
            "pattern": PATH,
            "x-message": "must be letters, digits, . _ ~ and -, with single / between",
        },
        "methods": {
            "title": "Methods",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(METHODS)},
        },
        "events": {
            "title": "Events",
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": _TEXT,
        },
        "required_headers": {
            "title": "Required headers",
            "type": "array",
            "maxItems": 50,
            "items": _HEADER,
        },
        "idempotency": _IDEMPOTENCY,
        "condition": {**_TEMPLATE, "title": "Condition"},
        "max_body": {
            "title": "Largest body in bytes",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_BODY,
        },
        "response_mode": {
            "title": "Answer",
            "enum": ["accept", "wait"],
        },
        "response_timeout": {
            "title": "Wait for the answer at most, in seconds",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": LONGEST_WAIT,
        },
        "rate_limit": {
            "title": "Rate limit",
            "type": "string",
            "pattern": RATE_PATTERN,
            "x-message": "must be a number and a unit of time: 10/s, 100/m or 1000/h",
        },
        **{
            scheme.name: _with_options(scheme)
            for scheme in SCHEMES.values()
            if scheme.defaults
        },
    },
}

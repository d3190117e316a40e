"""The config of an HTTP step, as JSON Schema 2020-12."""

from __future__ import annotations

from typing import Any

from workflows.definition.schema import RETRY_ON, STATUS_PATTERN

METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
BODY_FORMATS = ("json", "form", "text", "file")
RESPONSE_FORMATS = ("auto", "json", "text")
ON_GONE = ("fail", "deactivate")
MAX_REDIRECTS = 10
MAX_RESPONSE = 100 * 1024 * 1024

_SCALAR = ["string", "number", "boolean", "null"]

_HEADERS: dict[str, Any] = {
    "type": "object",
    "maxProperties": 100,
    "propertyNames": {
        "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$(?!\n)",
        "x-message": "a header's name holds letters, digits and hyphens",
    },
    "additionalProperties": {"type": _SCALAR},
}
_QUERY: dict[str, Any] = {
    "type": "object",
    "maxProperties": 1_000,
    "additionalProperties": {
        "type": [*_SCALAR, "array"],
        "items": {"type": _SCALAR},
    },
}

VERIFY: dict[str, Any] = {
    "title": "Verify request",
    "description": 'With "on_unknown": "verify": asks whether it has happened',
    "type": "object",
    "x-template": False,
    "additionalProperties": False,
    "required": ["url", "happened"],
    "properties": {
        "method": {"title": "Method", "enum": ["GET", "HEAD", "POST"]},
        "url": {
            "title": "URL",
            "description": "Absolute, or relative to the connection's base URL",
            "type": "string",
            "minLength": 1,
            "maxLength": 65_536,
        },
        "headers": {"title": "Headers", **_HEADERS},
        "query": {"title": "Query parameters", **_QUERY},
        "body": {"title": "Body"},
        "happened": {
            "title": "It has happened when",
            "description": "A condition over run.answer: status, headers, body",
            "type": ["string", "boolean"],
            "minLength": 1,
        },
        "output": {
            "title": "The step's output then",
            "description": "Without it, the answer",
        },
    },
}

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "method": {"title": "Method", "enum": list(METHODS), "default": "POST"},
        "url": {
            "title": "URL",
            "description": "Absolute, or relative to the connection's base URL",
            "type": "string",
            "minLength": 1,
            "maxLength": 65_536,
        },
        "connection": {
            "title": "Connection",
            "description": "Whose base URL and credentials to use",
            "type": "string",
            "minLength": 1,
            "maxLength": 100,
            "x-template": False,
        },
        "headers": {"title": "Headers", **_HEADERS},
        "query": {
            "title": "Query parameters",
            "description": "Added to those of the URL; a list repeats the name",
            **_QUERY,
        },
        "body": {"title": "Body", "description": "Data, or text sent as it is"},
        "body_format": {
            "title": "Body format",
            "description": "Without it, text is sent as text and all else as JSON",
            "enum": list(BODY_FORMATS),
        },
        "max_redirects": {
            "title": "Redirects to follow",
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_REDIRECTS,
            "default": 0,
        },
        "response_format": {
            "title": "Read the answer as",
            "enum": list(RESPONSE_FORMATS),
            "default": "auto",
        },
        "max_response": {
            "title": "Largest answer in bytes",
            "description": "At most AUTOMATE_MAX_RESPONSE, which is the default",
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_RESPONSE,
        },
        "signing": {
            "title": "Sign the request",
            "type": "object",
            "additionalProperties": False,
            "required": ["scheme", "secret"],
            "properties": {
                "scheme": {"title": "Scheme", "enum": ["standard_webhooks"]},
                "secret": {
                    "title": "Secret",
                    "description": "{{ secrets.NAME }}; several, separated by spaces, "
                    "sign each",
                    "type": "string",
                    "minLength": 1,
                },
            },
        },
        "success_statuses": {
            "title": "Statuses that mean success",
            "description": '200, or "2xx" for all of a class; without it "2xx"',
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "anyOf": [
                    {"type": "integer", "minimum": 100, "maximum": 599},
                    {"type": "string", "pattern": STATUS_PATTERN},
                ],
                "x-message": 'must be a status (200) or a class of them ("2xx")',
            },
        },
        "retry_on": RETRY_ON,
        "on_gone": {
            "title": "When the receiver answers 410 Gone",
            "description": "deactivate: no step uses the connection any more",
            "enum": list(ON_GONE),
            "default": "fail",
        },
        "verify": VERIFY,
    },
}

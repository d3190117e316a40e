"""The JSON Schema of a canonical definition, assembled from those of the actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_NODES = 1_000
MAX_CONNECTIONS = 10_000
MAX_ATTEMPTS = 100
MAX_WAIT = 7 * 86_400

# The negative look-ahead is for engines in which `$` matches before a last newline.
ID_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$(?!\n)"
TEMPLATE_PATTERN = r"\{\{"
STATUS_PATTERN = r"^[1-5]xx$(?!\n)"

ERROR_KINDS = (
    "blocked",
    "connect",
    "name",
    "protocol",
    "redirect",
    "reset",
    "timeout",
    "tls",
)
RESERVED_IDS = frozenset(
    {"trigger", "steps", "variables", "run", "item", "index", "secrets", "loop"}
    | {"true", "false", "none", "null", "and", "or", "not", "in", "is", "if", "else"}
)
NODE_KEYS = (
    "id",
    "type",
    "name",
    "config",
    "retry",
    "timeout",
    "on_error",
    "on_unknown",
)

_IS_TEMPLATE = {"type": "string", "pattern": TEMPLATE_PATTERN}
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$comment"})

RETRY_ON: dict[str, Any] = {
    "title": "Retry on",
    "description": "Statuses (503), classes of them (5xx) or kinds of error (timeout)",
    "type": "array",
    "maxItems": 100,
    "items": {
        "anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": STATUS_PATTERN},
            {"enum": list(ERROR_KINDS)},
        ],
        "x-message": 'must be a status (503), a class of them ("5xx") or one of '
        + ", ".join(ERROR_KINDS),
    },
}

# `False` would say the same, but jsonschema reports it without its place.
_NO_WAITS = {"not": {}, "x-message": 'cannot be used together with "waits"'}

RETRY: dict[str, Any] = {
    "title": "Retry",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_attempts": {
            "title": "Attempts at most",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_ATTEMPTS,
        },
        "backoff": {"title": "Backoff", "enum": ["exponential", "fixed"]},
        "initial": {
            "title": "First wait in seconds",
            "type": "number",
            "minimum": 0,
            "maximum": MAX_WAIT,
        },
        "max": {
            "title": "Longest wait in seconds",
            "type": "number",
            "minimum": 0,
            "maximum": MAX_WAIT,
        },
        "jitter": {
            "title": "Jitter, as a share of the wait",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        },
        "waits": {
            "title": "A list of waits in seconds, instead of a backoff",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_ATTEMPTS,
            "items": {"type": "number", "minimum": 0, "maximum": MAX_WAIT},
        },
        "retry_on": RETRY_ON,
    },
    "dependentSchemas": {
        "waits": {"properties": dict.fromkeys(("backoff", "initial", "max"), _NO_WAITS)}
    },
}

CONNECTION: dict[str, Any] = {
    "title": "Connection",
    "type": "object",
    "additionalProperties": False,
    "required": ["from", "to", "on"],
    "properties": {
        "from": {"title": "From", "type": "string", "maxLength": 100},
        "to": {"title": "To", "type": "string", "maxLength": 100},
        "on": {"title": "Port", "type": "string", "minLength": 1, "maxLength": 100},
    },
}


def with_templates(schema: Any, *, top: bool = True) -> Any:
    """A config schema in which any place may hold a template instead.

    Where a subschema says `"x-template": false` a template is refused.
    """
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _descend(key, value) for key, value in schema.items()}
    if top or not (set(schema) - _ANNOTATIONS):
        return inner
    if schema.get("x-template") is False:
        return {**inner, "not": _IS_TEMPLATE}
    notes = {key: inner.pop(key) for key in list(inner) if key in _ANNOTATIONS}
    return {**notes, "if": _IS_TEMPLATE, "else": inner}


def _descend(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties") and isinstance(value, Mapping):
        return {name: with_templates(sub, top=False) for name, sub in value.items()}
    if key in ("items", "additionalProperties"):
        return with_templates(value, top=False)
    if key == "$defs" and isinstance(value, Mapping):
        return {name: with_templates(sub) for name, sub in value.items()}
    return value


def node_schema(action_schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One step: what all have in common, then the config that its type asks for."""
    kinds = sorted(action_schemas)
    return {
        "title": "Step",
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "type", "config"],
        "properties": {
            "id": {
                "title": "Id",
                "type": "string",
                "pattern": ID_PATTERN,
                "x-message": "must start with a letter and hold only letters, digits, "
                "- and _, 64 characters at most",
            },
            "type": {"title": "Type", "enum": kinds},
            "name": {"title": "Name", "type": "string", "maxLength": 200},
            "config": {"title": "Config", "type": "object"},
            "retry": RETRY,
            "timeout": {
                "title": "Time-out in seconds",
                "type": "number",
                "minimum": 0.1,
                "maximum": 3_600,
            },
            "on_error": {"title": "On error", "enum": ["stop", "continue", "branch"]},
            "on_unknown": {
                "title": "When a request was sent and never answered",
                "enum": ["retry", "fail"],
                "x-later": ["verify", "ask"],
            },
        },
        "allOf": [
            {
                "if": {"required": ["type"], "properties": {"type": {"const": kind}}},
                "then": {
                    "properties": {
                        "config": {
                            "$id": f"urn:automate:action:{kind}",
                            **with_templates(action_schemas[kind]),
                        }
                    }
                },
            }
            for kind in kinds
        ],
    }


def definition_schema(
    action_schemas: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """JSON Schema 2020-12 of the canonical form, given each action's config schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Automate workflow definition",
        "type": "object",
        "additionalProperties": False,
        "required": ["nodes", "connections", "variables"],
        "properties": {
            "nodes": {
                "title": "Steps",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_NODES,
                "items": node_schema(action_schemas),
            },
            "connections": {
                "title": "Connections",
                "type": "array",
                "maxItems": MAX_CONNECTIONS,
                "items": CONNECTION,
            },
            "variables": {
                "title": "Variables",
                "type": "object",
                "propertyNames": {
                    "pattern": ID_PATTERN,
                    "x-message": "a variable's name must start with a letter and hold "
                    "only letters, digits, - and _",
                },
            },
            "output": {"title": "Output"},
        },
    }

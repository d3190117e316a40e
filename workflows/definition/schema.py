"""The JSON Schema of a canonical definition, assembled from those of the actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MAX_NODES = 1_000
MAX_CONNECTIONS = 10_000
MAX_ATTEMPTS = 100
MAX_WAIT = 7 * 86_400
# Beside the type of a number of seconds that people may write as a duration ("2h").
DURATION_MARK = "x-duration"

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
# In any case, for engines without flags in patterns: [lL][oO][oO][pP].
RESERVED_PATTERN = "^(?:{})$".format(
    "|".join(
        "".join(f"[{letter}{letter.upper()}]" for letter in word)
        for word in sorted(RESERVED_IDS)
    )
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
            DURATION_MARK: True,
            "minimum": 0,
            "maximum": MAX_WAIT,
        },
        "max": {
            "title": "Longest wait in seconds",
            "type": "number",
            DURATION_MARK: True,
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
            "items": {
                "type": "number",
                DURATION_MARK: True,
                "minimum": 0,
                "maximum": MAX_WAIT,
            },
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

VARIABLES: dict[str, Any] = {
    "title": "Variables",
    "type": "object",
    "propertyNames": {
        "pattern": ID_PATTERN,
        "x-message": "a variable's name must start with a letter and hold "
        "only letters, digits, - and _",
    },
}

ROOT_ID = "urn:automate:definition"


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


def config_schema(
    kind: str, schema: Mapping[str, Any], bodies: Collection[str]
) -> dict[str, Any]:
    """The config that a step kind asks for, with a loop's body where it has one."""
    result = {"$id": f"urn:automate:action:{kind}", **with_templates(schema)}
    if kind in bodies:
        described = result.get("properties", {})
        body = {
            key: {**_notes(described.get(key)), "$ref": f"{ROOT_ID}#/$defs/{key}"}
            for key in ("nodes", "connections", "output")
        }
        own = {key: value for key, value in described.items() if key != "steps"}
        required = [key for key in result.get("required", ()) if key not in body]
        result["properties"] = {**own, **body}
        result["required"] = [*required, "nodes", "connections"]
    return result


def _notes(schema: object) -> dict[str, Any]:
    given = schema if isinstance(schema, Mapping) else {}
    return {key: given[key] for key in ("title", "description") if key in given}


def node_properties() -> dict[str, Any]:
    """What steps of all kinds have in common; `type` and `config` are made for each."""
    return {
        "id": {
            "title": "Id",
            "type": "string",
            "allOf": [
                {
                    "pattern": ID_PATTERN,
                    "x-message": "must start with a letter and hold only letters, "
                    "digits, - and _, 64 characters at most",
                },
                {
                    "not": {"type": "string", "pattern": RESERVED_PATTERN},
                    "x-message": "is a reserved word; choose another id than "
                    + ", ".join(sorted(RESERVED_IDS)),
                },
            ],
        },
        "type": {},
        "name": {"title": "Name", "type": "string", "maxLength": 200},
        "config": {},
        "retry": RETRY,
        "timeout": {
            "title": "Time-out in seconds",
            "type": "number",
            DURATION_MARK: True,
            "minimum": 0.1,
            "maximum": 3_600,
        },
        "on_error": {"title": "On error", "enum": ["stop", "continue", "branch"]},
        "on_unknown": {
            "title": "When a request was sent and never answered",
            "enum": ["retry", "verify", "ask", "fail"],
        },
    }


def node_schema(
    action_schemas: Mapping[str, Mapping[str, Any]], bodies: Collection[str] = ()
) -> dict[str, Any]:
    """One step: what all have in common, then the config that its type asks for."""
    kinds = sorted(action_schemas)
    return {
        "title": "Step",
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "type", "config"],
        "properties": {
            **node_properties(),
            "type": {"title": "Type", "enum": kinds},
            "config": {"title": "Config", "type": "object"},
        },
        "allOf": [
            {
                "if": {"required": ["type"], "properties": {"type": {"const": kind}}},
                "then": {
                    "properties": {
                        "config": config_schema(kind, action_schemas[kind], bodies)
                    }
                },
            }
            for kind in kinds
        ],
    }


def definition_schema(
    action_schemas: Mapping[str, Mapping[str, Any]], bodies: Collection[str] = ()
) -> dict[str, Any]:
    """JSON Schema 2020-12 of the canonical form, given each action's config schema.

    `bodies` are the kinds whose config holds steps of its own.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ROOT_ID,
        "title": "Automate workflow definition",
        "type": "object",
        "additionalProperties": False,
        "required": ["nodes", "connections", "variables"],
        "properties": {
            "nodes": {"$ref": "#/$defs/nodes"},
            "connections": {"$ref": "#/$defs/connections"},
            "variables": VARIABLES,
            "output": {"$ref": "#/$defs/output"},
        },
        "$defs": {
            "nodes": {
                "title": "Steps",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_NODES,
                "items": {"$ref": "#/$defs/node"},
            },
            "connections": {
                "title": "Connections",
                "type": "array",
                "maxItems": MAX_CONNECTIONS,
                "items": CONNECTION,
            },
            "output": {"title": "Output"},
            "node": node_schema(action_schemas, bodies),
        },
    }

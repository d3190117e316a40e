"""The configs of trigger kinds as documents may write them, as JSON Schema 2020-12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automate.lib.durations import TEXT_PATTERN
from workflows.definition.written_steps import any_case
from workflows.triggers.schemes import SCHEMES, named

_NULL = {"type": "null"}
_DURATION = {"type": "string", "pattern": TEXT_PATTERN}
# Where the given form differs, what it becomes is looked at when it is read.
_SPACED = {"type": "string", "pattern": r"^\s|\s$|\s\s|[^\S ]"}


def webhook(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of the config of a webhook, given the schema of the stored one."""
    known: dict[str, Any] = schema["properties"]
    method = {
        "anyOf": [
            known["methods"]["items"],
            {
                "type": "string",
                "pattern": any_case(known["methods"]["items"]["enum"]),
            },
        ]
    }
    methods = {**known["methods"], "items": method}
    properties = {
        **known,
        "scheme": {**known["scheme"], "enum": [*_names(), "", None]},
        "path": {"anyOf": [_path(known["path"]), _NULL]},
        "methods": methods,
        "method": {"title": "Method", "anyOf": [method, methods]},
        "events": _one_or_many(known["events"]),
        "idempotency": _idempotency(known["idempotency"]),
    }
    for key in ("response_timeout",):
        if key in known:
            properties[key] = {"anyOf": [known[key], _DURATION]}
    flat = _flat_options()
    return {
        **schema,
        "properties": {**{name: {} for name in flat}, **properties},
        "allOf": [
            {"not": {"required": ["method", "methods"]}},
            *(_flat_option(name, schemas) for name, schemas in flat.items()),
        ],
    }


def run_finished(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One name instead of a list, and statuses in any case."""
    known: dict[str, Any] = schema["properties"]
    status = known["statuses"]["items"]
    either = {
        "anyOf": [status, {"type": "string", "pattern": any_case(status["enum"])}]
    }
    statuses = {**known["statuses"], "items": either}
    properties = {
        **known,
        "workflows": _one_or_many(known["workflows"]),
        "statuses": _one_or_many(statuses),
    }
    return {**schema, "properties": properties}


def schedule(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The expression with any white space between its fields."""
    known: dict[str, Any] = schema["properties"]
    cron = {"anyOf": [known["cron"], _SPACED]}
    return {**schema, "properties": {**known, "cron": cron}}


def _one_or_many(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(schema), schema["items"]]}


def _path(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A path with or without slashes before it."""
    inner = str(schema["pattern"]).removeprefix("^")
    slashed = {"type": "string", "pattern": f"^/+{inner}"}
    return {"title": schema.get("title", ""), "anyOf": [dict(schema), slashed]}


def _idempotency(schema: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = schema["properties"]
    keys = ("by", "header", "template", "window")
    window = {"anyOf": [known["window"], _DURATION]}
    written = {
        **{key: schema[key] for key in schema if key != "required"},
        "properties": {**known, "window": window},
        "anyOf": [{"required": [key]} for key in keys],
    }
    template = {"type": "string", "pattern": r"\{\{"}
    return {"anyOf": [written, known["by"], template]}


def _names() -> list[str]:
    """Every name of every scheme."""
    return [
        name for scheme in SCHEMES.values() for name in (scheme.name, *scheme.aliases)
    ]


def _flat_options() -> dict[str, dict[str, Any]]:
    """The options that may stand beside `scheme`: their schemas by option, scheme."""
    found: dict[str, dict[str, Any]] = {}
    for scheme in SCHEMES.values():
        for name, schema in scheme.options_schema.get("properties", {}).items():
            for spelling in (scheme.name, *scheme.aliases):
                found.setdefault(name, {})[spelling] = schema
    return found


def _flat_option(name: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """An option beside `scheme` belongs to that scheme, and is not given within too."""
    cases = [
        {
            "if": {"properties": {"scheme": {"const": scheme}}},
            "then": {
                "properties": {
                    named(scheme): {"type": "object", "properties": {name: False}},
                    name: schema,
                }
            },
        }
        for scheme, schema in schemas.items()
    ]
    return {
        "if": {"required": [name]},
        "then": {
            "required": ["scheme"],
            "properties": {"scheme": {"enum": list(schemas)}},
            "allOf": cases,
        },
    }

"""Pieces that the schema of documents is put together from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from workflows.definition.schema import MAX_CONNECTIONS
from workflows.definition.steps import CONFIG_KEYS

Schema = dict[str, Any]
NULL: Schema = {"type": "null"}


def an_object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def a_list(items: Schema) -> Schema:
    return {"type": "array", "maxItems": MAX_CONNECTIONS, "items": items}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def or_null(schema: Mapping[str, Any]) -> Schema:
    return {"anyOf": [dict(schema), NULL]}


def not_together(keys: Collection[str]) -> Schema:
    return {"not": {"required": list(keys)}}


def config_of(name: str, config: Schema) -> Schema:
    """What is asked of the config, wherever it is written; none when {} would do."""
    optional = Draft202012Validator(_probe(config)).is_valid({})
    schema = or_null(ref(name)) if optional else ref(name)
    then: Schema = {"properties": dict.fromkeys(CONFIG_KEYS, schema)}
    if not optional:
        then["anyOf"] = [{"required": [key]} for key in CONFIG_KEYS]
    return then


def _probe(config: Schema) -> Schema:
    """The schema without references: enough to ask whether {} would do."""
    return {key: config[key] for key in config.keys() - {"properties", "$id"}}


STEPS_OR_NODES: Schema = {
    "oneOf": [
        {
            "required": ["steps"],
            "properties": {"nodes": False, "connections": False},
        },
        {"required": ["nodes"], "properties": {"steps": False}},
    ]
}

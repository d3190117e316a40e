"""The JSON Schema of a document as people write it, with every shorthand.

What it cannot say is left to the code, which marks those problems as `rule`: graphs
(unknown ids, cycles, ports, what no trigger reaches), templates, ids used twice, sizes
over all loops together, what a step or trigger kind checks beyond its own schema, and
limits of values that are written as text (the length of "90m").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.definition.bodies import kinds_with_body
from workflows.definition.info import ActionInfo
from workflows.definition.reader import SCHEMA_KEY
from workflows.definition.schema import VARIABLES
from workflows.definition.schema_parts import (
    STEPS_OR_NODES,
    Schema,
    a_list,
    an_object,
    config_of,
    not_together,
    or_null,
    ref,
)
from workflows.definition.steps import CONFIG_KEYS, KIND_KEYS
from workflows.definition.written_steps import DOCUMENT_ID, config_schema, graph_schemas

_TEXT = {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Kinds:
    """What documents may name: step kinds, and the configs of trigger kinds as written.

    `meta` is the schema of the workflow's own keys.
    """

    actions: Mapping[str, ActionInfo]
    triggers: Mapping[str, Mapping[str, Any]]
    meta: Mapping[str, Any]


def document_schema(kinds: Kinds) -> Schema:
    """JSON Schema 2020-12 of a document; see the module for what it leaves out."""
    meta = {**kinds.meta.get("properties", {})}
    outside = {
        SCHEMA_KEY: {"type": "string"},
        **{key: or_null(schema) for key, schema in meta.items()},
        "triggers": ref("triggers"),
        "variables": or_null(VARIABLES),
    }
    graph = {key: ref(key) for key in ("steps", "nodes", "connections", "output")}
    inner = {**graph, "variables": outside["variables"], "triggers": ref("triggers")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": DOCUMENT_ID,
        "title": "Automate workflow",
        "description": "A workflow as a document: steps in a line, or nodes and "
        "connections; with triggers, variables and the workflow's own keys.",
        "type": "object",
        "if": {"required": ["definition"]},
        "then": {
            **an_object({**outside, "definition": ref("definition")}),
            "allOf": [
                _not_in_both("variables"),
                _not_in_both("triggers"),
            ],
        },
        "else": {**an_object({**outside, **graph}), **STEPS_OR_NODES},
        "$defs": {
            "definition": {**an_object(inner), **STEPS_OR_NODES},
            **graph_schemas(kinds.actions, kinds.triggers),
            "triggers": a_list(ref("trigger")),
            "trigger": _trigger(kinds, node=False),
            "trigger_node": _trigger(kinds, node=True),
            **_configs(kinds),
        },
    }


def _not_in_both(key: str) -> Schema:
    """Beside the definition or in it, not both."""
    inside = {"properties": {"definition": {"not": {"required": [key]}}}}
    return {"if": {"required": [key]}, "then": inside}


def _configs(kinds: Kinds) -> Schema:
    """Each kind's config once: steps and triggers refer to them."""
    bodies = kinds_with_body(kinds.actions)
    steps = {
        f"config_{kind}": config_schema(kind, info, bodies)
        for kind, info in sorted(kinds.actions.items())
    }
    triggers = {
        f"trigger_{kind}": _trigger_config(config)
        for kind, config in sorted(kinds.triggers.items())
    }
    return steps | triggers


# --- triggers -----------------------------------------------------------------------


def _trigger(kinds: Kinds, *, node: bool) -> Schema:
    names = sorted(kinds.triggers)
    id_key = "id" if node else "node_id"
    properties: Schema = {
        id_key: {"type": ["string", "null"], "minLength": 1, "maxLength": 100},
        "is_active": {"type": "boolean"},
        "secret": or_null(_TEXT),
        **{key: {"type": ["object", "null"]} for key in CONFIG_KEYS},
    }
    kind_keys = ("type",) if node else KIND_KEYS
    properties |= {key: {"enum": names} for key in kind_keys}
    if node:
        properties["name"] = {"type": "string", "maxLength": 200}
    else:
        properties["start"] = a_list({"type": "string", "maxLength": 100})
    return {
        "title": "Trigger",
        **an_object(properties),
        "oneOf": [{"required": [key]} for key in kind_keys],
        "allOf": [
            not_together(CONFIG_KEYS),
            *(
                {
                    "if": {"required": [key], "properties": {key: {"const": name}}},
                    "then": config_of(
                        f"trigger_{name}", _trigger_config(kinds.triggers[name])
                    ),
                }
                for name in names
                for key in kind_keys
            ),
        ],
    }


def _trigger_config(config: Mapping[str, Any]) -> Schema:
    """The config of a trigger kind, in which a signing secret may stand too."""
    properties = {**config.get("properties", {}), "secret": or_null(_TEXT)}
    return {**config, "properties": properties}

"""Steps and what connects them, as documents may write them: JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from automate.lib.durations import TEXT_PATTERN
from workflows.definition.bodies import kinds_with_body
from workflows.definition.info import ActionInfo
from workflows.definition.normalise import TRIGGER_KINDS
from workflows.definition.schema import (
    CONNECTION,
    DURATION_MARK,
    MAX_NODES,
    RETRY,
    node_properties,
    with_templates,
)
from workflows.definition.schema_parts import (
    STEPS_OR_NODES,
    Schema,
    a_list,
    an_object,
    config_of,
    not_together,
    ref,
)
from workflows.definition.steps import ALIASES, CONFIG_KEYS

DOCUMENT_ID = "urn:automate:document"
DURATION = {"type": "string", "pattern": TEXT_PATTERN}


def graph_schemas(
    actions: Mapping[str, ActionInfo], triggers: Collection[str]
) -> Schema:
    """By name: lists of steps, of a document and of a loop; connections; a step."""
    bodies = kinds_with_body(actions)
    step, trigger = ref("step"), ref("trigger_node")
    in_line = _is_trigger(triggers, line=True)
    drawn = _is_trigger(triggers, line=False)
    return {
        "steps": _items({"if": in_line, "then": trigger, "else": step}, in_line),
        "nodes": _items({"if": drawn, "then": trigger, "else": step}, drawn),
        # Within a loop there are no triggers.
        "body_steps": _items({"if": in_line, "then": False, "else": step}),
        "body_nodes": _items({"if": drawn, "then": False, "else": step}),
        "connections": a_list(_connection()),
        "output": {"title": "Output"},
        "step": _step(actions, bodies),
    }


def _items(item: Schema, trigger: Schema | None = None) -> Schema:
    """A list with at least one step, and not too many, whatever triggers it holds."""
    return {
        "title": "Steps",
        "type": "array",
        "maxItems": 2 * MAX_NODES,
        "items": item,
        "contains": {} if trigger is None else {"not": trigger},
        "minContains": 1,
        "maxContains": MAX_NODES,
    }


def _is_trigger(triggers: Collection[str], *, line: bool) -> Schema:
    """Whether an item is a trigger: by its kind; a webhook when it has no URL."""
    others = sorted((TRIGGER_KINDS | set(triggers)) - {"webhook"})
    other = {"required": ["type"], "properties": {"type": {"enum": others}}}
    if line:
        return other
    with_url = {"type": "object", "required": ["url"]}
    has_url = {
        "if": {"required": ["config"]},
        "then": {"properties": {"config": with_url}},
        "else": {
            "required": ["configuration"],
            "properties": {"configuration": with_url},
        },
    }
    webhook = {
        "required": ["type"],
        "properties": {"type": {"const": "webhook"}},
        "not": has_url,
    }
    return {"type": "object", "anyOf": [other, webhook]}


def _connection() -> Schema:
    properties = dict(CONNECTION["properties"])
    # A branch's ports may be written as the truths that they are.
    properties["on"] = {**properties["on"], "type": ["string", "boolean"]}
    return {**CONNECTION, "required": ["from", "to"], "properties": properties}


def _step(actions: Mapping[str, ActionInfo], bodies: Collection[str]) -> Schema:
    known = sorted(actions)
    aliases = [alias for alias in ALIASES if ALIASES[alias] in actions]
    properties = {
        **node_properties(),
        "type": {"title": "Type", "enum": [*known, *aliases]},
        "config": {"title": "Config", "type": ["object", "null"]},
        "configuration": {"title": "Config", "type": ["object", "null"]},
    }
    properties["timeout"] = _or_duration(properties["timeout"])
    properties["retry"] = _retry()
    return {
        "title": "Step",
        **an_object(properties),
        "required": ["type"],
        "allOf": [
            not_together(CONFIG_KEYS),
            *(
                {
                    "if": {
                        "properties": {
                            "type": {
                                "enum": [
                                    kind,
                                    *(a for a in aliases if ALIASES[a] == kind),
                                ]
                            }
                        }
                    },
                    "then": config_of(
                        f"config_{kind}", config_schema(kind, actions[kind], bodies)
                    ),
                }
                for kind in known
            ),
        ],
    }


def config_schema(kind: str, info: ActionInfo, bodies: Collection[str]) -> Schema:
    """The config of a step kind as it may be written."""
    schema: Schema = with_templates(info.config_schema)
    root = "#"
    if _has_reference(schema):
        # Its own references are relative to it.
        schema = {"$id": f"{DOCUMENT_ID}:action:{kind}", **schema}
        root = f"{DOCUMENT_ID}#"
    if kind in ALIASES.values() and "method" in schema.get("properties", {}):
        properties = {**schema["properties"]}
        properties["method"] = _any_case(properties["method"], info.config_schema)
        schema["properties"] = properties
    return _with_body(schema, root) if kind in bodies else schema


def _with_body(schema: Schema, root: str) -> Schema:
    names = {"steps": "body_steps", "nodes": "body_nodes"}
    names |= {"connections": "connections", "output": "output"}
    body = {
        key: {
            **{
                note: text
                for note, text in schema.get("properties", {}).get(key, {}).items()
                if note in ("title", "description")
            },
            "$ref": f"{root}/$defs/{name}",
        }
        for key, name in names.items()
    }
    required = [key for key in schema.get("required", ()) if key not in body]
    return {
        **schema,
        "properties": {**schema.get("properties", {}), **body},
        "required": required,
        "allOf": [*schema.get("allOf", ()), STEPS_OR_NODES],
    }


def _has_reference(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return "$ref" in schema or any(map(_has_reference, schema.values()))
    return isinstance(schema, list) and any(map(_has_reference, schema))


def _any_case(given: Schema, config_schema: Mapping[str, Any]) -> Schema:
    """The names of a method in small letters too."""
    names = config_schema["properties"]["method"].get("enum", [])
    return {"anyOf": [given, {"type": "string", "pattern": any_case(names)}]}


def any_case(names: Iterable[str]) -> str:
    """A pattern for these names in capital and small letters."""
    words = (
        "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name)
        for name in names
    )
    return rf"^(?:{'|'.join(words)})$(?!\n)"


def _or_duration(schema: Mapping[str, Any]) -> Schema:
    notes = {key: schema[key] for key in ("title", "description") if key in schema}
    seconds = {key: part for key, part in schema.items() if key != DURATION_MARK}
    return {**notes, "anyOf": [seconds, DURATION]}


def _retry() -> Schema:
    properties = dict(RETRY["properties"])
    for key in ("initial", "max"):
        properties[key] = _or_duration(properties[key])
    waits = properties["waits"]
    properties["waits"] = {**waits, "items": _or_duration(waits["items"])}
    return {**RETRY, "properties": properties}

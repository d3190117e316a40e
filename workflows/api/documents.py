"""The shapes of documents in bodies: what one may write, without each kind's config.

`docs/workflow.schema.json` says all of it, for editors; here is what a reader of the
API needs, and what is left out is checked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automate.lib.durations import TEXT_PATTERN
from automate.lib.rest.described import TEXT
from workflows.services.meta import COUNT, PRIORITIES
from workflows.services.meta import SCHEMA as META

Shape = dict[str, Any]
OBJECT: Shape = {"type": "object"}
OR_NULL: Shape = {"type": ["object", "null"]}


def _of(shape: Mapping[str, Any]) -> Shape:
    return {"type": "array", "items": dict(shape)}


STEP: Shape = {
    "title": "DocumentStep",
    "description": "A step. Its config is that of its type (docs/workflows.md).",
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "type": {**TEXT, "description": "`http_request`, `branch`, `set` and so on."},
        "name": {"type": "string", "maxLength": 200},
        "config": OR_NULL,
        "retry": {**OBJECT, "description": "How often, after which waits, on what."},
    },
    "required": ["type"],
}
CONNECTION: Shape = {
    "title": "DocumentConnection",
    "description": "From a step's port to a step.",
    "type": "object",
    "properties": {
        "from": {"type": "string", "maxLength": 100},
        "to": {"type": "string", "maxLength": 100},
        "on": {"type": ["string", "boolean"], "description": "The port: `failure`."},
    },
    "required": ["from", "to"],
}
TRIGGER: Shape = {
    "title": "DocumentTrigger",
    "description": "What starts the workflow. Its config is that of its kind.",
    "type": "object",
    "properties": {
        "kind": {**TEXT, "description": "`webhook`, `schedule` and so on."},
        "trigger_type": {**TEXT, "description": "Another word for `kind`."},
        "config": OR_NULL,
        "configuration": {**OR_NULL, "description": "Another word for `config`."},
        "start": {**_of(TEXT), "description": "The steps that it starts; []: all."},
        "is_active": {"type": "boolean"},
        "secret": {"type": ["string", "null"], "description": "Write-only."},
    },
}
_GRAPH: Shape = {
    "nodes": {**_of(STEP), "description": "Steps, with `connections` between them."},
    "connections": _of(CONNECTION),
    "steps": {**_of(STEP), "description": "Steps, one after the other."},
    "variables": {**OR_NULL, "description": "By name; a run may have others."},
    "triggers": {"type": ["array", "null"], "items": TRIGGER},
    "output": {"description": "What a run of it gives."},
}
_ABOUT: Shape = {
    **META["properties"],
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "priority": {"enum": [*PRIORITIES, *PRIORITIES.values()]},
    "run_timeout": {
        "description": 'Seconds, or a duration: `"90m"`.',
        "anyOf": [
            COUNT,
            {"type": "string", "pattern": TEXT_PATTERN},
        ],
    },
    "definition": {
        "title": "Definition",
        "description": "The graph, where it does not stand in the document itself.",
        "type": "object",
        "properties": _GRAPH,
    },
}


def _nullable(shape: Mapping[str, Any]) -> Shape:
    """A document's null says nothing, or no limit."""
    return {"anyOf": [dict(shape), {"type": "null"}]}


_PLAIN = {
    name: {key: value for key, value in shape.items() if key != "x-message"}
    for name, shape in _ABOUT.items()
}
DOCUMENT: Shape = {
    "title": "Document",
    "description": "A workflow as people write it: `definition`, or `nodes` and "
    "`connections`, or `steps`; with triggers, variables and its own keys.",
    "type": "object",
    "properties": {
        **{
            name: shape if name == "definition" else _nullable(shape)
            for name, shape in _PLAIN.items()
        },
        **_GRAPH,
        "$schema": TEXT,
    },
    "anyOf": [{"required": [key]} for key in ("definition", "nodes", "steps")],
    "additionalProperties": False,
}
PATCH: Shape = {
    **{key: value for key, value in DOCUMENT.items() if key != "anyOf"},
    "title": "DocumentPatch",
    "description": "What of a document is to change; each name as a whole.",
}
SUBMITTED: Shape = {
    **DOCUMENT,
    "title": "Submission",
    "description": "A document that is stored and started at once.",
    "properties": {
        **DOCUMENT["properties"],
        "payload": {"description": "What the run gets; `{}` if left out."},
        "input_data": {"description": "Another word for `payload`."},
    },
}
WHATEVER: Shape = {
    "title": "Draft",
    "description": "A document (see `Document`), however wrong it is.",
    "type": "object",
}

"""Step kinds for tests, as the definition sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    kind: str
    config_schema: Mapping[str, Any]
    secret_fields: tuple[str, ...] = ()
    condition_fields: tuple[str, ...] = ()
    extra_roots: tuple[str, ...] = ()
    ports: tuple[str, ...] = ("success", "failure")
    body: bool = False
    answered_by: str = ""
    verifies: bool = False
    complaints: tuple[tuple[str, str], ...] = field(default=())

    def ports_for(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return (*self.ports, *config.get("cases", ()))

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        return self.complaints


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


HTTP = Kind(
    "http_request",
    {
        **_object(
            url={"type": "string", "minLength": 1},
            method={"enum": ["GET", "POST"]},
            headers={"type": "object", "additionalProperties": {"type": "string"}},
            body={},
            signing={
                **_object(secret={"type": "string"}, scheme={"type": "string"}),
            },
            connection={"type": "string", "x-template": False},
            max_redirects={"type": "integer", "minimum": 0, "maximum": 10},
        ),
        "required": ["url"],
    },
    secret_fields=("url", "headers", "body", "signing.secret"),
)
SET = Kind("set", {**_object(values={"type": "object"}), "required": ["values"]})
DELAY = Kind(
    "delay",
    {
        **_object(
            duration={"type": ["number", "string"], "minimum": 0},
            until={"type": "string"},
        ),
        "oneOf": [{"required": ["duration"]}, {"required": ["until"]}],
        "x-message": 'needs either "duration" or "until"',
    },
)
FILTER = Kind(
    "filter",
    _object(condition={"type": ["string", "boolean"]}, continue_on={"type": "boolean"}),
    condition_fields=("condition",),
)
SWITCH = Kind("switch", _object(cases={"type": "array"}), ports=("default", "failure"))
LOOP = Kind(
    "for_each",
    {
        **_object(items={}, concurrency={"type": "integer", "minimum": 1}),
        "required": ["items"],
    },
    ports=("item_failed",),
    body=True,
)
APPROVAL = Kind(
    "approval",
    _object(message={"type": "string"}),
    ports=("approved", "rejected", "timeout"),
    answered_by="approval",
)

KINDS: dict[str, Kind] = {
    kind.kind: kind for kind in (HTTP, SET, DELAY, FILTER, SWITCH, LOOP, APPROVAL)
}


def step(name: str, values: Any = None, **more: Any) -> dict[str, Any]:
    """A `set` step."""
    return {"id": name, "type": "set", "config": {"values": values or {}}, **more}


def edge(source: str, target: str, on: str = "success") -> dict[str, str]:
    return {"from": source, "to": target, "on": on}


def definition(
    nodes: list[Any], connections: list[Any] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "connections": connections or [],
        "variables": {},
        **more,
    }

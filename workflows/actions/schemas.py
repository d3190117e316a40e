"""Parts of config schemas that several step kinds share."""

from __future__ import annotations

from typing import Any

CONDITION: dict[str, Any] = {
    "title": "Condition",
    "description": "An expression: {{ trigger.payload.total }} > 100",
    "type": ["string", "boolean"],
    "minLength": 1,
    "maxLength": 10_000,
}

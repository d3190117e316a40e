"""Shapes as JSON Schema: serializers by drf-spectacular, our fields by themselves."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from automate.lib.rest.described import Answer, Shape
from automate.lib.rest.strict import StrictSerializer

Schema = dict[str, Any]
Direction = Literal["request", "response"]
NOT_BLANK = r"\S"


class Shapes(AutoSchema):
    """What drf-spectacular knows of serializers, and what we know better."""

    def schema_of(self, shape: Shape, direction: Direction) -> Schema:
        """A reference to the shape's component, or the shape where it has no name."""
        if not isinstance(shape, type):
            return self._named(dict(shape))
        found = self.resolve_serializer(shape, direction)
        ref: Schema | None = found.ref if found.name else None
        return ref or {"type": "object", "additionalProperties": False}

    def _named(self, schema: Schema) -> Schema:
        """A JSON Schema of ours: what has a title in it becomes a component."""
        title = schema.pop("title", "")
        inner = {key: self._inside(value) for key, value in schema.items()}
        if not title:
            return inner
        component = ResolvedComponent(
            name=title, type=ResolvedComponent.SCHEMA, schema=inner, object=title
        )
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._named(dict(value))
        if isinstance(value, list):
            return [self._inside(item) for item in value]
        return value

    def _get_serializer_name(self, serializer: Any, *_more: Any) -> str:
        """The class' own name, of both directions: each serves one here."""
        if isinstance(serializer, serializers.ListSerializer):
            serializer = serializer.child
        return type(serializer).__name__

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        found: Schema = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, StrictSerializer) and serializer.is_closed:
            found["additionalProperties"] = False
        if isinstance(serializer, Answer) and serializer.more:
            found["additionalProperties"] = True
        return found

    def _map_serializer_field(self, field: Any, direction: str, *more: Any) -> Schema:
        own = getattr(field, "json_schema", None)
        if own is None:
            found: Schema = super()._map_serializer_field(field, direction, *more)
            return _exact(field, found, direction)
        found = {**own}
        if field.help_text:
            found["description"] = str(field.help_text)
        if field.allow_null and found.keys() - {"description"}:
            found = or_null(found)
        return found


def _exact(field: Any, found: Schema, direction: str) -> Schema:
    """What the library leaves out, or says besides: a text of blanks is none."""
    found.pop("x-spec-enum-id", None)
    if isinstance(field, serializers.CharField) and direction == "request":
        if field.trim_whitespace and not field.allow_blank:
            found.setdefault("pattern", NOT_BLANK)
        if not (found.get("default") or field.allow_blank):
            found.pop("default", None)
    return found


def or_null(schema: Schema) -> Schema:
    """The schema, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    outer = {key: schema.pop(key) for key in ("description",) if key in schema}
    return {**outer, "anyOf": [schema, {"type": "null"}]}

"""Fields of bodies and queries that several views read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers


class AnyField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON value, as it is; `json_schema` says more of it where more is known."""

    def __init__(
        self, *, json_schema: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        super().__init__(**more)
        self.json_schema = json_schema or {}

    def to_internal_value(self, data: Any) -> Any:
        """The value."""
        return data


class MomentField(serializers.CharField):
    """A moment in ISO 8601; without an offset it is UTC, a date is its midnight."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "A moment or a date in ISO 8601; without an offset in UTC.",
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
        ],
    }

    def to_internal_value(self, data: Any) -> Any:
        """An aware datetime in UTC."""
        text = super().to_internal_value(data)
        # "+" of an offset that was not percent-encoded arrives as a space.
        text = text[:10] + text[10:].replace(" ", "+", 1) if "T" in text else text
        try:
            moment = parse_datetime(text)
            if moment is None and (day := parse_date(text)):
                moment = datetime.combine(day, time())
            if moment is None:
                raise ValueError
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise serializers.ValidationError(
                "Give a moment in ISO 8601: 2026-01-31T12:00:00Z."
            ) from None

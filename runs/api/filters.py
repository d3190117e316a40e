"""The filters of the list of runs."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers

from automate.lib.rest import ListQuery
from runs.models.run import RunQuerySet
from runs.services.selection import ALIASES, NAMES, STATUSES, select, status_named


class StatusesField(serializers.ListField):
    """Statuses in any case, by alias too; several by comma or by repetition."""

    def to_internal_value(self, data: list[str]) -> list[str]:
        """Our own words for them. Raises ValidationError that names what is unknown."""
        words = [word.strip() for item in data for word in item.split(",")]
        return [self._status(word) for word in words]

    def _status(self, word: str) -> str:
        status = status_named(word)
        if status is None:
            known = ", ".join((*STATUSES, *ALIASES))
            raise serializers.ValidationError(
                f"Unknown status {word!r}. Known: {known}."
            )
        return status


class MomentField(serializers.CharField):
    """A moment in ISO 8601; without an offset it is UTC, a date is its midnight."""

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


class RunQuery(ListQuery):
    """Query parameters of the list of runs."""

    status = StatusesField(required=False)
    workflow = serializers.CharField(required=False, max_length=100)
    trigger = serializers.UUIDField(required=False)
    # DRF's metaclass takes the field out; the serializer's own `parent` stays.
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]
    version = serializers.IntegerField(required=False, min_value=1)
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)
    error_fingerprint = serializers.CharField(required=False, max_length=32)
    event_id = serializers.CharField(required=False, max_length=200)


def apply(runs: RunQuerySet, query: dict[str, Any]) -> RunQuerySet:
    """The runs that match; `created_after` is included, `created_before` is not."""
    return select(runs, {name: query[name] for name in NAMES & query.keys()})

"""The filters of the list of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from automate.lib.rest import ListQuery
from automate.lib.rest.fields import MomentField
from runs.models.run import RunQuerySet
from runs.services.selection import ALIASES, NAMES, STATUSES, select, status_named

LARGEST_NUMBER = 2**31 - 1  # of a version


class StatusesField(serializers.ListField):
    """Statuses in any case, by alias too; several by comma or by repetition."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "In any case; several by comma or by repetition.",
        "type": "array",
        "items": {"enum": [*STATUSES, *ALIASES]},
    }

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


class SearchKeyField(serializers.CharField):
    """`name:value`, with one of the names that the workflow's `search_keys` has."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "`name:value`, by the workflow's `search_keys`.",
        "type": "string",
        "maxLength": 300,
        "pattern": r"^[^:]*[^:\s][^:]*:.*\S",
    }

    def to_internal_value(self, data: Any) -> str:
        """The text. Raises ValidationError that says how it is written."""
        text = str(super().to_internal_value(data))
        name, _, value = text.partition(":")
        if not (name.strip() and value):
            raise serializers.ValidationError(
                "Write the search key's name and its value: customer:c-17."
            )
        return text


class RunQuery(ListQuery):
    """Query parameters of the list of runs."""

    status = StatusesField(required=False)
    workflow = serializers.CharField(required=False, max_length=100)
    trigger = serializers.UUIDField(required=False)
    # DRF's metaclass takes the field out; the serializer's own `parent` stays.
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=LARGEST_NUMBER
    )
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)
    error_fingerprint = serializers.CharField(required=False, max_length=32)
    event_id = serializers.CharField(required=False, max_length=200)
    search_key = SearchKeyField(required=False, max_length=300)


def apply(runs: RunQuerySet, query: dict[str, Any]) -> RunQuerySet:
    """The runs that match; `created_after` is included, `created_before` is not."""
    return select(runs, {name: query[name] for name in NAMES & query.keys()})

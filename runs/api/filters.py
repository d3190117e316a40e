"""The filters of the list of runs."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers

from automate.lib.rest import ListQuery
from runs.models.run import RunQuerySet
from runs.states import FINAL_RUN, WAITING, RunStatus

ALIASES = {
    "pending": RunStatus.QUEUED,
    "triggered": RunStatus.QUEUED,
    "completed": RunStatus.SUCCEEDED,
    "success": RunStatus.SUCCEEDED,
    "error": RunStatus.FAILED,
    "canceled": RunStatus.CANCELLED,
}
STATUSES = (*(str(status) for status in RunStatus), WAITING)


class StatusesField(serializers.ListField):
    """Statuses in any case, by alias too; several by comma or by repetition."""

    def to_internal_value(self, data: list[str]) -> list[str]:
        """Our own words for them. Raises ValidationError that names what is unknown."""
        words = [word.strip() for item in data for word in item.split(",")]
        return [self._status(word) for word in words]

    def _status(self, word: str) -> str:
        plain = word.lower().replace("-", "_").replace(" ", "_")
        status = str(ALIASES.get(plain, plain))
        if status not in STATUSES:
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
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)
    error_fingerprint = serializers.CharField(required=False, max_length=32)
    event_id = serializers.CharField(required=False, max_length=200)


def apply(runs: RunQuerySet, query: dict[str, Any]) -> RunQuerySet:
    """The runs that match; `created_after` is included, `created_before` is not."""
    names = {
        "trigger": "trigger_id",
        "created_after": "created_at__gte",
        "created_before": "created_at__lt",
        "error_fingerprint": "error_fingerprint",
        "event_id": "event_id",
    }
    wanted = {look_up: query[name] for name, look_up in names.items() if name in query}
    runs = runs.filter(**wanted)
    if "workflow" in query:
        runs = runs.filter(_workflow(query["workflow"]))
    if "status" in query:
        runs = runs.filter(_status(set(query["status"])))
    return runs


def _workflow(name: str) -> Q:
    try:
        return Q(workflow_id=UUID(name))
    except ValueError:
        return Q(workflow__slug=name)


def _status(wanted: set[str]) -> Q:
    """By the status that is shown: a run that waits is neither queued nor running."""
    final = wanted & FINAL_RUN
    unfinished = set(RunStatus) - FINAL_RUN
    found = Q(status__in=final)
    if wanted & unfinished:
        found |= Q(status__in=wanted & unfinished, is_waiting=False)
    if WAITING in wanted:
        found |= Q(status__in=unfinished, is_waiting=True)
    return found

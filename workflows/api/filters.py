"""The filters of the list of workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from rest_framework import serializers

from automate.lib.rest import ListQuery
from automate.lib.rest.fields import MomentField
from workflows.models import Workflow
from workflows.models.tags import tagged


class StatusesField(serializers.ListField):
    """Statuses of workflows in any case; several by comma or by repetition."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "In any case; several by comma or by repetition. "
        "Left out: all but archived ones.",
        "type": "array",
        "items": {"enum": Workflow.Status.values},
    }

    def to_internal_value(self, data: list[str]) -> list[str]:
        """The statuses. Raises ValidationError that names what is unknown."""
        words = [word.strip().lower() for item in data for word in item.split(",")]
        for word in words:
            if word not in Workflow.Status.values:
                known = ", ".join(Workflow.Status.values)
                raise serializers.ValidationError(
                    f"Unknown status {word!r}. Known: {known}."
                )
        return words


class WorkflowQuery(ListQuery):
    """Query parameters of the list of workflows."""

    status = StatusesField(required=False)
    team = serializers.CharField(required=False, max_length=100)
    owner = serializers.CharField(required=False, max_length=254)
    tag = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, max_length=10
    )
    search = serializers.CharField(required=False, max_length=100)
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)
    updated_after = MomentField(required=False)
    updated_before = MomentField(required=False)


def apply(rows: QuerySet[Workflow], query: dict[str, Any]) -> QuerySet[Workflow]:
    """The workflows that match; archived ones only where `status` asks for them."""
    if "status" in query:
        rows = rows.filter(status__in=query["status"])
    else:
        rows = rows.exclude(status=Workflow.Status.ARCHIVED)
    if "team" in query:
        rows = rows.filter(team__slug=query["team"])
    if "owner" in query:
        rows = rows.filter(owner__email__iexact=query["owner"])
    for tag in query.get("tag", ()):
        rows = rows.filter(tagged(tag))
    if "search" in query:
        word = query["search"]
        in_names = Q(name__icontains=word) | Q(slug__icontains=word)
        rows = rows.filter(in_names | Q(description__icontains=word))
    for field in ("created", "updated"):
        if f"{field}_after" in query:
            rows = rows.filter(**{f"{field}_at__gte": query[f"{field}_after"]})
        if f"{field}_before" in query:
            rows = rows.filter(**{f"{field}_at__lt": query[f"{field}_before"]})
    return rows

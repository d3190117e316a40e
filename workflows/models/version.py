"""A version: the definition as it was published, never changed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from automate.lib.fields import ExactJSONField
from automate.lib.ids import uuid7
from workflows.models.workflow import Workflow


class WorkflowVersion(models.Model):
    """An immutable published definition; a run is pinned to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = ExactJSONField()
    triggers = ExactJSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="As they were published with it; empty before 0.2.",
    )
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(
                fields=("workflow", "number"), name="version_number_unique"
            ),
        )

    def __str__(self) -> str:
        return f"version {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only. Raises ValueError for a change: publish a new version."""
        if not self._state.adding:
            msg = "A version never changes; publish a new one."
            raise ValueError(msg)
        super().save(*args, **kwargs)

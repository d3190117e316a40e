"""A firing: one moment at which a schedule started a run."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.run import Run
from workflows.models import Trigger


class Firing(models.Model):
    """One moment of one trigger, with the run that it started.

    `slot` names the minute on the wall of its time zone ("2026-10-25T02:30
    Europe/Berlin"), so that the hour that autumn repeats fires once.
    """

    trigger = models.ForeignKey(Trigger, models.CASCADE, related_name="firings")
    slot = models.CharField(max_length=100)
    scheduled_for = models.DateTimeField()
    fired_at = models.DateTimeField(db_default=Now(), editable=False)
    run = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="firings"
    )

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("trigger", "slot"), name="firing_once_a_slot"
            ),
        )
        indexes = (
            # Purge: what was scheduled before a date.
            models.Index(fields=("scheduled_for",), name="firing_scheduled"),
        )

    def __str__(self) -> str:
        return f"{self.slot} of {self.trigger_id}"

"""What the engine and the `log` step say about a run."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.run import Run


class RunLog(models.Model):
    """One line; `metadata` is redacted before it is stored."""

    class Level(models.TextChoices):
        DEBUG = "debug"
        INFO = "info"
        WARNING = "warning"
        ERROR = "error"

    run = models.ForeignKey(Run, models.CASCADE, related_name="logs", db_index=False)
    node_id = models.CharField(max_length=100, blank=True)
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    message = models.TextField()
    metadata = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("id",)
        indexes = (
            # "The lines of this run", in order.
            models.Index(fields=("run", "id"), name="log_run"),
        )

    def __str__(self) -> str:
        return self.message[:80]

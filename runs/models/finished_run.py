"""A run's end that `run_finished` triggers have not seen yet."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.run import Run


class FinishedRun(models.Model):
    """Written in the transaction that ends the run, deleted with what it started."""

    run = models.OneToOneField(Run, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"end of {self.run_id}"

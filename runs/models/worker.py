"""Heartbeats of what works."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from automate.lib.ids import uuid7


class Worker(models.Model):
    """A drain's sign of life; its row goes when it stops cleanly."""

    class Kind(models.TextChoices):
        DRAIN = "drain"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    seat = models.PositiveSmallIntegerField(null=True, blank=True)
    threads = models.PositiveSmallIntegerField(default=0)
    busy = models.PositiveSmallIntegerField(default=0)
    stats = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("host", "kind", "seat")
        indexes = (
            # "Who is alive?", and the purge of those who are not.
            models.Index(fields=("kind", "beat_at"), name="worker_beat"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"

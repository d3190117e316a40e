"""Payloads too large for their row: those in the database, and who refers to any."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from automate.lib.ids import uuid7
from runs.models.run import Run


class Payload(models.Model):
    """Encrypted bytes, where the database is the payload store."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    data = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return str(self.id)


class PayloadUse(models.Model):
    """A run has a column that refers to this payload, in whichever store it is.

    Redrives share the payloads of the first run; one that no run refers to is deleted.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="payload_uses")
    reference = models.UUIDField()
    store = models.CharField(max_length=20)

    class Meta:
        constraints = (
            # Also "which runs refer to this payload?"
            models.UniqueConstraint(
                fields=("reference", "run"), name="payload_use_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.store}:{self.reference}"

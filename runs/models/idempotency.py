"""Idempotency keys: which run an event already became."""

from __future__ import annotations

from django.db import models


class IdempotencyKey(models.Model):
    """One event key within a scope; it outlives its run, so it holds a bare id.

    `scope` is never NULL, because NULLs never conflict.
    """

    scope = models.CharField(max_length=80)
    key_hash = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    run_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            # Decides, in the ingest transaction, which of two events is the first.
            models.UniqueConstraint(fields=("scope", "key_hash"), name="idempotency"),
        )
        indexes = (
            # Purge: what has expired.
            models.Index(fields=("expires_at",), name="idempotency_expires"),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.key_hash[:12]}"

"""A rate window: how much of a limit has been used lately."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class RateWindow(models.Model):
    """One row a limited thing and length of window: `automate.lib.sliding.Window`.

    `counts` are numbers with a space between them, which both databases read alike.
    """

    scope = models.CharField(max_length=100, primary_key=True)
    part = models.BigIntegerField()
    counts = models.TextField()
    used_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("scope",)
        default_permissions = ()  # there is no page of it

    def __str__(self) -> str:
        return self.scope

"""A rate bucket: when the next permit of a limited thing may be given."""

from __future__ import annotations

from django.db import models


class RateBucket(models.Model):
    """One row a scope. `next_at` is the theoretical arrival time of GCRA (ATM Forum
    TM 4.0): permits are handed out in order, each at its own moment."""

    scope = models.CharField(max_length=200, primary_key=True)
    next_at = models.DateTimeField()

    class Meta:
        ordering = ("scope",)

    def __str__(self) -> str:
        return self.scope

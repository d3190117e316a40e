"""Every change made by a person or a key, redacted."""

from __future__ import annotations

from django.db import models

from automate.accounts import wording
from automate.accounts.models.api_key import ApiKey
from automate.accounts.models.team import Team
from automate.accounts.models.user import User


class AuditEntry(models.Model):
    """One change: who, what, when; `changes` holds redacted values only."""

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    api_key = models.ForeignKey(
        ApiKey, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    changes = models.JSONField(default=dict, blank=True)
    # Who may read it: the team that the object belonged to then, or everybody because
    # it belonged to none. Neither for people and keys, and for entries before 0.2.
    team = models.ForeignKey(
        Team, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_shared = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ("-at", "-id")
        indexes = (
            # The admin's list, newest first.
            models.Index(fields=("-at",), name="audit_at"),
            # "What happened to this object?"
            models.Index(fields=("object_type", "object_id"), name="audit_object"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_name}"

    @property
    def in_words(self) -> str:
        """What happened: "Run started"."""
        return wording.in_words(self.action)

"""A wait token: the one answer that a waiting step of a run may get."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from automate.lib.encryption import EncryptedBytesField, EncryptedJSONField
from runs.models.run import Run


class WaitToken(models.Model):
    """Made by whichever comes first, the wait or its answer; answered once.

    `details` is what those who decide are shown. The answer is kept exact: `body` as
    it came, with its safe headers and query. `expires_at` is empty until the step
    waits: an answer that comes before is kept for it.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook"
        APPROVAL = "approval"
        UNKNOWN = "unknown", "unknown outcome"

    class Decision(models.TextChoices):
        RECEIVED = "received"
        APPROVED = "approved"
        REJECTED = "rejected"
        HAPPENED = "happened"
        NOT_HAPPENED = "again", "send again"
        GAVE_UP = "fail"

    run = models.ForeignKey(Run, models.CASCADE, related_name="wait_tokens")
    node_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    details = EncryptedJSONField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    comment = models.TextField(blank=True)
    body = EncryptedBytesField(default=b"")
    content_type = models.CharField(max_length=200, blank=True)
    headers = EncryptedJSONField(default=dict)
    query = EncryptedJSONField(default=dict)
    source_ip = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        verbose_name = "decision"
        verbose_name_plural = "decisions"
        permissions = (("answer_waittoken", "Can approve, reject and resume"),)
        constraints = (
            # Also the index of "the token of this step".
            models.UniqueConstraint(
                fields=("run", "node_id"), name="wait_token_unique"
            ),
            models.CheckConstraint(
                name="wait_token_kind_known",
                condition=Q(kind__in=["webhook", "approval", "unknown"]),
            ),
            models.CheckConstraint(
                name="wait_token_answer_whole",
                condition=Q(decision="", answered_at=None)
                | Q(
                    decision__in=[
                        "received",
                        "approved",
                        "rejected",
                        "happened",
                        "again",
                        "fail",
                    ],
                    answered_at__isnull=False,
                ),
            ),
        )
        indexes = (
            # "What waits for a decision": whose time is not over yet.
            models.Index(
                fields=("kind", "expires_at"),
                name="wait_token_open",
                condition=Q(decision=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} at {self.node_id} of {self.run_id}"

"""Events that did not become a run, and why."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from automate.lib.encryption import EncryptedJSONField
from workflows.models import Trigger


class InboundEvent(models.Model):
    """An event that did not become a run.

    A sender who proved who it is gets a row of its own. Unproven senders (unknown
    key, bad signature) are counted: one row per trigger, reason and minute. `facts` are
    what the gates decided by and saw, of events that are kept: redacted by name, and
    encrypted, because nobody knows yet which of the values are secrets.
    """

    class Reason(models.TextChoices):
        DUPLICATE = "duplicate", "duplicate"
        FILTERED = "filtered", "filtered"
        UNKNOWN_KEY = "unknown_key", "unknown key"
        BAD_SIGNATURE = "bad_signature", "bad signature"
        EXPIRED = "expired", "expired signature"
        METHOD = "method", "method not allowed"
        INACTIVE = "inactive", "trigger inactive"
        ARCHIVED = "archived", "workflow archived"
        TOO_LARGE = "too_large", "too large"
        ENCODED = "encoded", "encoded body"
        MALFORMED = "malformed", "malformed"
        KEY_REUSED = "key_reused", "key with another body"
        RATE_LIMITED = "rate_limited", "over the limit"

    trigger = models.ForeignKey(
        Trigger,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="inbound_events",
        db_index=False,
    )
    reason = models.CharField(max_length=20, choices=Reason.choices)
    status = models.PositiveSmallIntegerField(help_text="The HTTP status it got.")
    gate = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text="Where it was stopped.",
    )
    detail = models.TextField(blank=True)
    facts = EncryptedJSONField(null=True, blank=True)
    event_id = models.CharField(max_length=200, blank=True)
    first_run_id = models.UUIDField(null=True, blank=True)
    source_ip = models.GenericIPAddressField(null=True, blank=True)
    size = models.PositiveIntegerField(default=0, help_text="Bytes.")
    count = models.PositiveIntegerField(default=1)
    minute = models.DateTimeField(
        null=True, blank=True, help_text="Set where senders are counted, not kept."
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "turned-away event"
        ordering = ("-id",)
        constraints = (
            # Counts unproven senders in one row a minute.
            models.UniqueConstraint(
                fields=("trigger", "reason", "minute"),
                name="inbound_counted_unique",
                condition=models.Q(minute__isnull=False),
            ),
            # The same for unknown keys, which have no trigger (NULLs never conflict).
            models.UniqueConstraint(
                fields=("reason", "minute"),
                name="inbound_strangers_unique",
                condition=models.Q(minute__isnull=False, trigger=None),
            ),
        )
        indexes = (
            # The admin's list by date, and purge.
            models.Index(fields=("at",), name="inbound_at"),
            # "What did this trigger turn away?"
            models.Index(fields=("trigger", "-id"), name="inbound_trigger"),
            # "What came again of this run's event?"
            models.Index(
                fields=("first_run_id",),
                name="inbound_first_run",
                condition=models.Q(first_run_id__isnull=False),
            ),
            # "What became of the provider's delivery?"
            models.Index(
                fields=("event_id",),
                name="inbound_event",
                condition=~models.Q(event_id=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_reason_display()} ({self.status})"

    @property
    def known_as(self) -> str:
        """The sender's id of it; empty for a row that counts several events."""
        return "" if self.count > 1 else self.event_id

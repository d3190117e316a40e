"""A campaign: many redrives, at a rate, that stops by itself when they fail."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from automate.lib.ids import uuid7
from runs.models.run import Run


class Campaign(models.Model):
    """The runs that matched `filter` when it began, redriven oldest first.

    `rate` is redrives a second. After `check_after` ended redrives it stops by itself
    when more than `max_failed` (a share) of them have failed; `checked_from` is the
    last of its runs that no longer counts for that.
    """

    class Status(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        STOPPED = "stopped"
        FINISHED = "finished"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    filter = models.JSONField(default=dict)
    start = models.CharField("from", max_length=100, default="failed")
    version = models.CharField(max_length=10, default="pinned")
    rate = models.FloatField(default=5.0, help_text="Redrives a second.")
    check_after = models.PositiveIntegerField(default=20)
    max_failed = models.FloatField(
        default=0.2, help_text="The share of failures above which it stops: 0 to 1."
    )
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    reason = models.TextField(blank=True, help_text="Why it stopped.")
    total = models.PositiveIntegerField(default=0)
    checked_from = models.BigIntegerField(default=0, editable=False)
    next_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                name="campaign_status_known",
                condition=Q(status__in=["running", "paused", "stopped", "finished"]),
            ),
            models.CheckConstraint(
                name="campaign_rate_positive", condition=Q(rate__gt=0)
            ),
            models.CheckConstraint(
                name="campaign_share",
                condition=Q(max_failed__gte=0, max_failed__lte=1),
            ),
        )
        indexes = (
            # The chore: campaigns that go on, by their next moment.
            models.Index(
                fields=("next_at",),
                name="campaign_running",
                condition=Q(status="running"),
            ),
        )

    def __str__(self) -> str:
        return f"campaign {self.id}"


class CampaignRun(models.Model):
    """One run of a campaign: its redrive, or why it was refused.

    `tries` counts refusals for reasons that pass; it is asked again `again_at`.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="runs")
    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    fresh = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    refused = models.TextField(blank=True)
    tries = models.PositiveSmallIntegerField(db_default=0, editable=False)
    again_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("campaign", "run"), name="campaign_run_once"
            ),
        )
        indexes = (
            # The chore: the next run of this campaign.
            models.Index(
                fields=("campaign", "id"),
                name="campaign_run_open",
                condition=Q(fresh=None, refused=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.run_id} of {self.campaign_id}"

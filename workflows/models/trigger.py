"""A trigger: what starts a workflow."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from automate.lib.encryption import EncryptedJSONField
from automate.lib.fields import ExactJSONField
from automate.lib.ids import new_key, uuid7
from workflows.models.workflow import Workflow


class Trigger(models.Model):
    """What starts a workflow: a webhook, a schedule, the API, a person, a run's end.

    When a secret was used is true to some minutes (`webhooks.secret_use`); of the
    previous one it says when it was used since it has been that. `next_fire_at` is when
    a trigger that goes by the clock starts its next run.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="triggers")
    kind = models.CharField(max_length=50)
    is_active = models.BooleanField("active", default=True)
    config = ExactJSONField(default=dict, blank=True)
    start = models.JSONField(
        default=list,
        blank=True,
        help_text="Ids of the steps it starts. Empty: every step without a "
        "connection into it.",
    )
    node_id = models.CharField(
        max_length=100, blank=True, help_text="Its id in the definition, if it has one."
    )
    key = models.CharField(
        max_length=64,
        unique=True,
        default=new_key,
        editable=False,
        help_text="The unguessable part of the webhook's address.",
    )
    path = models.CharField(max_length=200, null=True, blank=True, unique=True)
    secret = EncryptedJSONField("signing secret", null=True, blank=True)
    previous_secret = EncryptedJSONField(null=True, blank=True, editable=False)
    previous_secret_expires_at = models.DateTimeField(
        null=True, blank=True, editable=False
    )
    secret_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    secret_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    previous_secret_used_at = models.DateTimeField(
        null=True, blank=True, editable=False
    )
    next_fire_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("created_at",)
        indexes = (
            # The firing chore: what is due, and what comes next.
            models.Index(
                fields=("next_fire_at",),
                name="trigger_next_fire",
                condition=Q(next_fire_at__isnull=False),
            ),
            # At each run's end: does any trigger want to know?
            models.Index(
                fields=("kind",),
                name="trigger_run_finished",
                condition=Q(kind="run_finished", is_active=True),
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="trigger_path_shape",
                condition=Q(path=None)
                | (~Q(path="") & ~Q(path__startswith="/") & Q(kind="webhook")),
            ),
            models.CheckConstraint(
                name="trigger_previous_secret_expires",
                condition=Q(previous_secret__isnull=True)
                | Q(previous_secret_expires_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.workflow}"

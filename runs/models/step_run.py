"""A step run: one step of one run, with its attempts."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from automate.lib.encryption import EncryptedJSONField
from automate.lib.fields import ExactJSONField
from runs.models.run import Run
from runs.states import StepStatus, choices


class StepRun(models.Model):
    """One step of one run. `input` is rendered and redacted; `output` is exact.

        `attempt` is the number of the attempt in progress or last made, from 1.
    `waiting_for` says what a waiting step waits for: a `retry`, a `permit` of its
    connection's rate limit, its connection's `breaker`, `time`, at which its stored
    output counts, a `signal`, or its `children`, of which `children_left` have not
    ended; with `children_stop` the first that fails ends the wait. `interrupted` marks
    a step whose worker vanished while it was running, or the outcome of whose request
    is unknown until it is verified, `exhausted` one whose retries ran out. `verifies`
    are the verify requests made since the last attempt.
    """

    run = models.ForeignKey(
        Run, models.CASCADE, related_name="step_runs", db_index=False
    )
    node_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=50)
    status = models.CharField(
        max_length=10, choices=choices(StepStatus), default=StepStatus.PENDING
    )
    attempt = models.PositiveIntegerField(default=0)
    waiting_for = models.CharField(max_length=10, blank=True, default="", db_default="")
    port = models.CharField(max_length=100, blank=True, default="", db_default="")
    interrupted = models.BooleanField(default=False, db_default=False)
    exhausted = models.BooleanField(default=False, db_default=False)
    verifies = models.PositiveSmallIntegerField(default=0, db_default=0)
    children_left = models.PositiveIntegerField(default=0, db_default=0)
    children_stop = models.BooleanField(default=False, db_default=False)
    generation = models.PositiveIntegerField(default=0)
    idempotency_key = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    input = ExactJSONField(null=True, blank=True)
    output = EncryptedJSONField(null=True)
    error_class = models.CharField(
        max_length=100, blank=True, default="", db_default=""
    )
    error_message = models.TextField(blank=True, default="", db_default="")
    carried_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            # Also the index of "the steps of this run".
            models.UniqueConstraint(fields=("run", "node_id"), name="step_unique"),
            models.CheckConstraint(
                name="step_status_known",
                condition=Q(status__in=[state.value for state in StepStatus]),
            ),
            models.CheckConstraint(
                name="step_waiting_has_due",
                condition=~Q(status="waiting")
                | Q(due_at__isnull=False)
                | Q(waiting_for="children"),
            ),
        )
        indexes = (
            # The sweep: steps that are over while children of theirs still run.
            models.Index(
                fields=("id",),
                name="step_children",
                condition=Q(children_left__gt=0),
            ),
        )

    def __str__(self) -> str:
        return f"{self.node_id} of {self.run_id}"

"""A delivery attempt: one request that a step sent, or tried to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from automate.lib.fields import ExactJSONField
from runs.models.run import Run
from runs.models.step_run import StepRun
from runs.states import AttemptOutcome, choices


class DeliveryAttempt(models.Model):
    """One HTTP request or e-mail, redacted and capped; only ever added to.

    The one exception: the answer of an attempt that was written off as `unknown`
    replaces it when it arrives late. An e-mail's method is SMTP, its status the mail
    server's code.
    """

    run = models.ForeignKey(
        Run, models.CASCADE, related_name="attempts", db_index=False
    )
    step_run = models.ForeignKey(
        StepRun, models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    verify = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="0: what the step sends. Else the number of a verify request that "
        "was made after the attempt.",
    )
    method = models.CharField(max_length=10)
    url = models.TextField()
    request_headers = ExactJSONField(default=dict)
    request_body = models.TextField(blank=True)
    request_truncated = models.BooleanField(default=False)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_headers = ExactJSONField(default=dict)
    response_body = models.TextField(blank=True)
    response_truncated = models.BooleanField(default=False)
    error_kind = models.CharField(max_length=30, blank=True)
    error_message = models.TextField(blank=True)
    outcome = models.CharField(max_length=10, choices=choices(AttemptOutcome))
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            # Also the index of "the attempts of this step".
            models.UniqueConstraint(
                fields=("step_run", "number", "verify"), name="attempt_unique"
            ),
            models.CheckConstraint(
                name="attempt_outcome_known",
                condition=Q(outcome__in=[state.value for state in AttemptOutcome]),
            ),
            models.CheckConstraint(
                name="attempt_answered_has_status",
                condition=~Q(outcome__in=["delivered", "rejected"])
                | Q(response_status__isnull=False),
            ),
        )
        indexes = (
            # "The attempts of this run", in order.
            models.Index(fields=("run", "id"), name="attempt_run"),
            # The admin's list by date.
            models.Index(fields=("started_at",), name="attempt_started"),
        )

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.step_run_id}"

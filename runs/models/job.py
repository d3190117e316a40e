"""The hot row of an unfinished run: its mutex and its place in the queue."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runs.models.run import Run
from workflows.models import Workflow


class Job(models.Model):
    """One per unfinished run, deleted in the transaction that ends the run.

    No index contains `lease_until`, so that heartbeats stay heap-only updates
    (docs/adr/0001). `expiries` counts reaps since the last successful record: a job
    with one is a suspect and runs alone. `exclusive_key` names what no two runs of a
    workflow may work on at once; the one that does has `holds_key`.
    """

    PRIORITIES = (0, 1, 2, 3)

    run = models.OneToOneField(Run, models.CASCADE, related_name="job")
    workflow = models.ForeignKey(
        Workflow, models.CASCADE, related_name="+", db_index=False
    )
    priority = models.PositiveSmallIntegerField(
        default=2, help_text="0 urgent, 1 high, 2 normal, 3 low."
    )
    due_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    seq = models.PositiveIntegerField(default=0)
    signal_count = models.PositiveIntegerField(default=0)
    expiries = models.PositiveSmallIntegerField(default=0)
    holds_slot = models.BooleanField(default=False)
    wants_answer = models.BooleanField(default=False)
    exclusive_key = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Hash of the rendered `exclusive` of its workflow, if it has one.",
    )
    holds_key = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="job_lease_whole",
                condition=Q(lease_token=None, lease_until=None)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
            ),
            models.CheckConstraint(
                name="job_priority_known", condition=Q(priority__in=[0, 1, 2, 3])
            ),
            # Runs of one exclusive key never overlap, whatever the claims believe.
            models.UniqueConstraint(
                fields=("workflow", "exclusive_key"),
                name="job_key_held_once",
                condition=Q(holds_key=True),
            ),
            models.CheckConstraint(
                name="job_held_key_exists",
                condition=Q(holds_key=False) | ~Q(exclusive_key=""),
            ),
        )
        indexes = (
            # The plain claim: due and unleased, by priority, oldest first.
            models.Index(
                fields=("priority", "due_at"),
                name="job_due",
                condition=Q(lease_token=None),
            ),
            # The fair claim: the same within one workflow.
            models.Index(
                fields=("workflow", "priority", "due_at"),
                name="job_workflow_turn",
                condition=Q(lease_token=None),
            ),
            # The reaper: everything leased.
            models.Index(
                fields=("id",),
                name="job_leased",
                condition=Q(lease_token__isnull=False),
            ),
            # The suspects, which are claimed alone.
            models.Index(
                fields=("due_at",),
                name="job_suspect",
                condition=Q(lease_token=None, expiries__gt=0),
            ),
            # max_concurrent_runs: how many slots does this workflow hold?
            models.Index(
                fields=("workflow",), name="job_slots", condition=Q(holds_slot=True)
            ),
            # exclusive: which run of this key is the oldest?
            models.Index(
                fields=("workflow", "exclusive_key", "id"),
                name="job_exclusive",
                condition=~Q(exclusive_key=""),
            ),
        )

    def __str__(self) -> str:
        return f"job of {self.run_id}"

"""A run: one event, the version it started with, and how it ended."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from automate.lib.encryption import EncryptedBytesField, EncryptedJSONField
from automate.lib.ids import uuid7
from runs.states import FINAL_RUN, WAITING, RunStatus, choices
from workflows.models import Trigger, Workflow, WorkflowVersion


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> RunQuerySet:
        """Queued or running."""
        return self.exclude(status__in=FINAL_RUN)

    def waiting(self) -> RunQuerySet:
        """Started, and nothing to do before some later moment."""
        return self.filter(_waiting_job(), status=RunStatus.RUNNING)

    def with_waiting(self) -> RunQuerySet:
        """Annotate `is_waiting`, from which `shown_status` is derived."""
        return self.annotate(is_waiting=_waiting_job())


def _waiting_job() -> Exists:
    from runs.models.job import Job

    return Exists(
        Job.objects.filter(run=OuterRef("pk"), lease_token=None, due_at__gt=Now())
    )


class Run(models.Model):
    """One event and everything that followed; history, never deleted by the engine.

    `body` holds the bytes as they came, exact and encrypted, as do `headers` (the
    safe ones), `query`, `variables` and `output`. Pages and the API show them through
    `automate.lib.redaction` only. `hidden` are the texts that it and those above were
    given as secrets; kept for its child runs, which may get them under other names.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.ForeignKey(
        Workflow, models.PROTECT, related_name="runs", db_index=False
    )
    version = models.ForeignKey(
        WorkflowVersion, models.PROTECT, related_name="runs", db_index=False
    )
    trigger = models.ForeignKey(
        Trigger,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="runs",
        db_index=False,
    )
    status = models.CharField(
        max_length=12, choices=choices(RunStatus), default=RunStatus.QUEUED
    )
    body = EncryptedBytesField(default=b"")
    content_type = models.CharField(max_length=200, blank=True)
    headers = EncryptedJSONField(default=dict)
    query = EncryptedJSONField(default=dict)
    variables = EncryptedJSONField(default=dict)
    start = models.JSONField(default=list, blank=True)
    hidden = EncryptedJSONField(
        null=True,
        editable=False,
        help_text="What its child runs must not show, whatever they call it.",
    )
    output = EncryptedJSONField(null=True)
    error_class = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    error_fingerprint = models.CharField(max_length=32, blank=True)
    stopped_by = models.JSONField(default=list, blank=True)
    search_keys = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        db_index=False,
    )
    parent_node = models.CharField(max_length=100, blank=True)
    item_index = models.PositiveIntegerField(
        null=True, blank=True, help_text="Its place among the items of a loop, from 0."
    )
    depth = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many runs it stands below."
    )
    caused_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="The ended run whose end started this one.",
    )
    replay_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replays",
        db_index=False,
    )
    root_run = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    generation = models.PositiveIntegerField(default=0)
    traceparent = models.CharField(max_length=55, blank=True)
    event_id = models.CharField(
        max_length=200, blank=True, help_text="The sender's id of the event."
    )
    source_ip = models.GenericIPAddressField(null=True, blank=True)
    decisions = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="By which of its trigger's words the event was let pass.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("redrive_run", "Can redrive a run"),
            ("cancel_run", "Can cancel a run"),
            ("read_payloads", "Can read exact payloads"),
        )
        constraints = (
            models.CheckConstraint(
                name="run_status_known",
                condition=Q(status__in=[state.value for state in RunStatus]),
            ),
            models.CheckConstraint(
                name="run_final_has_end",
                condition=Q(status__in=["queued", "running"], finished_at=None)
                | Q(
                    status__in=["succeeded", "failed", "dead_letter", "cancelled"],
                    finished_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="run_started_has_time",
                condition=~Q(status="running") | Q(started_at__isnull=False),
            ),
            # A loop's item is one child run, also when its start is repeated.
            models.UniqueConstraint(
                fields=("parent", "parent_node", "item_index"),
                name="run_child_once",
                condition=Q(parent__isnull=False, replay_of=None),
            ),
            # The same for a step that starts one run, which has no place among items.
            models.UniqueConstraint(
                fields=("parent", "parent_node"),
                name="run_called_once",
                condition=Q(parent__isnull=False, replay_of=None, item_index=None),
            ),
        )
        indexes = (
            # "The runs of this workflow", newest first (id sorts by time).
            models.Index(fields=("workflow", "-id"), name="run_workflow"),
            # "The failed runs", newest first; purge's scan by end.
            models.Index(fields=("status", "-id"), name="run_status"),
            # The API's and the admin's date filters.
            models.Index(fields=("created_at",), name="run_created"),
            # Purge: what ended before a date.
            models.Index(
                fields=("finished_at",),
                name="run_finished",
                condition=Q(finished_at__isnull=False),
            ),
            # "The same failure elsewhere", newest first.
            models.Index(
                fields=("error_fingerprint", "-id"),
                name="run_fingerprint",
                condition=~Q(error_fingerprint=""),
            ),
            # "The redrives of this run", and refusing a second one.
            models.Index(
                fields=("replay_of",),
                name="run_replay_of",
                condition=Q(replay_of__isnull=False),
            ),
            # "The child runs of this run".
            models.Index(
                fields=("parent", "parent_node"),
                name="run_parent",
                condition=Q(parent__isnull=False),
            ),
            # "The runs of this trigger", newest first; SET_NULL when it goes.
            models.Index(
                fields=("trigger", "-id"),
                name="run_of_trigger",
                condition=Q(trigger__isnull=False),
            ),
            # "Which run did the provider's delivery become?"
            models.Index(
                fields=("event_id",), name="run_event", condition=~Q(event_id="")
            ),
            # SET_NULL when the run that caused it is purged.
            models.Index(
                fields=("caused_by",),
                name="run_caused_by",
                condition=Q(caused_by__isnull=False),
            ),
            # SET_NULL when a root is purged.
            models.Index(
                fields=("root_run",),
                name="run_root",
                condition=Q(root_run__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_final(self) -> bool:
        """True when this run has ended and can only be redriven."""
        return self.status in FINAL_RUN

    @property
    def shown_status(self) -> str:
        """The status that people see: `waiting` for a run with nothing due."""
        return WAITING if getattr(self, "is_waiting", False) else self.status

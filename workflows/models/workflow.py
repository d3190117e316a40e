"""A workflow: the draft that people edit and the version that runs."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from automate.accounts.models import Team
from automate.lib.fields import ExactJSONField
from automate.lib.ids import uuid7


class Workflow(models.Model):
    """What should happen when an event arrives; `published` is what runs."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        INACTIVE = "inactive"
        ARCHIVED = "archived"

    class Priority(models.IntegerChoices):
        URGENT = 0
        HIGH = 1
        NORMAL = 2
        LOW = 3

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.DRAFT
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="workflows",
    )
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="workflows"
    )
    tags = models.JSONField(default=list, blank=True)
    definition = ExactJSONField(
        "draft",
        default=dict,
        blank=True,
        help_text="Nodes and connections as JSON, or a line of steps.",
    )
    published = models.ForeignKey(
        "workflows.WorkflowVersion",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    max_concurrent_runs = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: no limit."
    )
    exclusive = models.TextField(
        blank=True,
        help_text="An expression read when an event arrives, "
        '"{{ trigger.payload.customer }}": runs of equal values never overlap.',
    )
    priority = models.PositiveSmallIntegerField(
        choices=Priority.choices, default=Priority.NORMAL, db_default=Priority.NORMAL
    )
    run_timeout = models.PositiveIntegerField(
        default=86_400, help_text="Seconds after which an unfinished run is failed."
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the site's AUTOMATE_RETENTION_DAYS."
    )
    search_keys = models.JSONField(
        default=dict,
        blank=True,
        help_text="At most 3 names with an expression each, read when an event "
        'arrives: {"order": "{{ trigger.payload.order.id }}"}.',
    )
    edit_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        permissions = (("publish_workflow", "Can publish a workflow"),)
        constraints = (
            models.CheckConstraint(
                name="workflow_active_is_published",
                condition=~Q(status="active") | Q(published__isnull=False),
            ),
            models.CheckConstraint(
                name="workflow_status_known",
                condition=Q(status__in=["draft", "active", "inactive", "archived"]),
            ),
            models.CheckConstraint(
                name="workflow_concurrency_positive",
                condition=Q(max_concurrent_runs=None) | Q(max_concurrent_runs__gte=1),
            ),
            models.CheckConstraint(
                name="workflow_timeout_positive", condition=Q(run_timeout__gte=1)
            ),
            models.CheckConstraint(
                name="workflow_priority_known", condition=Q(priority__in=[0, 1, 2, 3])
            ),
        )

    def __str__(self) -> str:
        return self.name

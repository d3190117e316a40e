"""A connection: how to reach and sign in to another system."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from automate.accounts.models import Team
from automate.lib.encryption import EncryptedJSONField
from automate.lib.ids import uuid7


class Connection(models.Model):
    """Another system's address and credentials, named by steps."""

    class Kind(models.TextChoices):
        BEARER = "bearer", "Bearer token"
        BASIC = "basic", "User and password"
        HEADER = "header", "A header"
        OAUTH2 = "oauth2_client_credentials", "OAuth 2.0 client credentials"
        MTLS = "mtls", "A client certificate"
        N8N = "n8n", "n8n"

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        help_text="Empty: shared with every team.",
    )
    name = models.SlugField(max_length=100)
    kind = models.CharField(max_length=40, choices=Kind.choices)
    base_url = models.URLField(blank=True)
    allowed_hosts = models.JSONField(
        default=list,
        blank=True,
        help_text="Hosts that get the credentials. Empty: the base URL's host.",
    )
    credentials = EncryptedJSONField(
        help_text="By name, as the kind's module in workflows.connections says."
    )
    # Settings of the kind that are no secret.
    options = models.JSONField(default=dict, db_default={}, blank=True)
    authorities = models.TextField(
        "trusted authorities",
        blank=True,
        default="",
        db_default="",
        help_text="Certificates in PEM of private authorities, which are then the only "
        "ones trusted. Empty: the usual ones.",
    )
    proxy = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="A forward proxy: http://proxy.example.com:3128, perhaps with a "
        "user@ before the host.",
    )
    # The latest access token and a few before it, which redaction still knows.
    token = EncryptedJSONField(null=True)
    rate_limit = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text="Requests that all steps together may send: 10/s, 100/m, 1000/h. "
        "Empty: no limit.",
    )
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.ACTIVE
    )
    status_reason = models.TextField(
        blank=True, default="", db_default="", editable=False
    )
    last_check = models.TextField(blank=True, default="", db_default="", editable=False)
    last_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("team", "name"), name="connection_name_unique"
            ),
            # NULLs never conflict: shared names need a rule of their own.
            models.UniqueConstraint(
                fields=("name",),
                name="connection_shared_name_unique",
                condition=Q(team=None),
            ),
            models.CheckConstraint(
                name="connection_reaches_somewhere",
                condition=~Q(base_url="") | ~Q(allowed_hosts=[]),
            ),
        )

    def __str__(self) -> str:
        return self.name

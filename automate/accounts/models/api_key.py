"""API keys: shown once, kept as a prefix and a SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from automate.accounts.models.user import User
from automate.lib.ids import uuid7
from automate.lib.rates import Rate, parse_rate

KEY_PREFIX = "amk_"
VISIBLE = len(KEY_PREFIX) + 8


class Scope(models.TextChoices):
    """What a key may do."""

    WORKFLOWS_READ = "workflows:read"
    WORKFLOWS_WRITE = "workflows:write"
    RUNS_READ = "runs:read"
    RUNS_EXECUTE = "runs:execute"
    RUNS_REDRIVE = "runs:redrive"
    PAYLOADS_READ = "payloads:read"
    SECRETS_WRITE = "secrets:write"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


def validate_scopes(scopes: object) -> None:
    """Raises ValidationError that names each unknown scope and the known ones."""
    if not isinstance(scopes, list) or not scopes:
        msg = "Give a list with at least one scope."
        raise ValidationError(msg)
    unknown = sorted(str(item) for item in scopes if item not in Scope.values)
    if unknown:
        raise ValidationError(
            f"Unknown scope {', '.join(unknown)}. Known: {', '.join(Scope.values)}."
        )


def validate_rate(text: str) -> None:
    """Raises ValidationError, which says how rates are written."""
    try:
        parse_rate(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def digest(key: str) -> str:
    """SHA-256 of a key, hex: keys have 256 random bits, so no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> ApiKeyQuerySet:
        """Neither revoked nor expired, of an active user."""
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            revoked_at=None,
            user__is_active=True,
        )

    def issue(
        self,
        user: User,
        name: str,
        scopes: list[str],
        expires_at: datetime | None = None,
        rate_limit: str = "",
    ) -> tuple[ApiKey, str]:
        """A new saved key and its plain text, which is never seen again."""
        validate_scopes(scopes)
        plain = KEY_PREFIX + secrets.token_urlsafe(32)
        key = self.create(
            user=user,
            name=name,
            scopes=scopes,
            prefix=plain[:VISIBLE],
            key_hash=digest(plain),
            expires_at=expires_at,
            rate_limit=rate_limit,
        )
        return key, plain


class ApiKey(models.Model):
    """A program's access in the name of a user."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=VISIBLE, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    rate_limit = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        validators=[validate_rate],
        help_text="Requests that it may make: 10/s, 100/m, 1000/h. Empty: the site's "
        "limit, AUTOMATE_API_RATE.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def rate(self) -> Rate | None:
        """Its own limit; None when it has none."""
        return parse_rate(self.rate_limit) if self.rate_limit else None

    def allows(self, scope: str) -> bool:
        """True when this key carries the scope, or `admin`, which carries all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

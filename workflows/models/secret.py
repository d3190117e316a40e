"""A secret: a value that steps may use and nobody may read."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from automate.accounts.models import Team
from automate.lib.encryption import EncryptedJSONField
from automate.lib.ids import uuid7

NAME = RegexValidator(
    r"^[A-Za-z_][A-Za-z0-9_]*$",
    "Use letters, digits and underscores, not a digit first: it is written "
    "{{ secrets.NAME }}.",
)


class Secret(models.Model):
    """A write-only value, written `{{ secrets.NAME }}` in a step."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="secrets",
        help_text="Empty: shared with every team.",
    )
    name = models.CharField(max_length=100, validators=[NAME])
    value = EncryptedJSONField()
    allowed_hosts = models.JSONField(
        default=list,
        blank=True,
        help_text='Hosts it may be sent to: ["api.example.com", "*.example.org"]. '
        "Empty: any.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    rotated_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("team", "name"), name="secret_name_unique"),
            # NULLs never conflict: shared names need a rule of their own.
            models.UniqueConstraint(
                fields=("name",),
                name="secret_shared_name_unique",
                condition=Q(team=None),
            ),
            models.CheckConstraint(name="secret_name_given", condition=~Q(name="")),
        )

    def __str__(self) -> str:
        return self.name

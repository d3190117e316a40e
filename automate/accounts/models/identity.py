"""Identities: who somebody is at an identity provider."""

from __future__ import annotations

from django.db import models

from automate.accounts.models.user import User


class Identity(models.Model):
    """A person's name at a provider, which never changes (OpenID Connect Core, 5.7)."""

    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "identities"
        default_permissions = ()  # there is no page of it
        constraints = (
            # Also the look-up at sign-in: whose is this name?
            models.UniqueConstraint(
                fields=("issuer", "subject"), name="identity_is_one_persons"
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"

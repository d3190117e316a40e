"""Sign-ins at the API: what access and refresh tokens hang on."""

from __future__ import annotations

import hashlib

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from automate.accounts.models.user import User
from automate.lib.ids import uuid7


def stamp_of(user: User) -> str:
    """What changes with the password: a SHA-256 of what is stored of it."""
    return hashlib.sha256(user.password.encode()).hexdigest()


class SignInQuerySet(models.QuerySet["SignIn"]):
    def live(self) -> SignInQuerySet:
        """Neither ended nor expired, of an active user."""
        return self.filter(
            ended_at=None, expires_at__gt=Now(), user__is_active=True
        ).select_related("user")


class SignIn(models.Model):
    """A person who signed in at the API; its tokens end when it does.

    `generation` is the number of the one refresh token that is good now.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    password_stamp = models.CharField(max_length=64, editable=False)
    with_second_factor = models.BooleanField(default=False, editable=False)
    generation = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    refreshed_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = SignInQuerySet.as_manager()

    class Meta:
        verbose_name = "sign-in"
        default_permissions = ()  # there is no page of it
        constraints = (
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="sign_in_ends_later"
            ),
            models.CheckConstraint(
                condition=Q(generation__gte=1), name="sign_in_generation_from_one"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} at {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def still_holds(self) -> bool:
        """Whether the password is the same, and a second factor that came later is
        not left out."""
        if self.password_stamp != stamp_of(self.user):
            return False
        return self.with_second_factor or self.user.second_factor_since is None

"""A person, known by an e-mail address."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from automate.accounts import roles
from automate.accounts.models.team import Team
from automate.lib.ids import uuid7


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address; addresses are compared without case."""

    def create_user(
        self, email: str, password: str | None = None, **fields: Any
    ) -> User:
        """A saved user. Raises ValueError without an address."""
        if not email:
            msg = "A user needs an e-mail address."
            raise ValueError(msg)
        user = self.model(email=self.normalize_email(email).strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> User:
        """A saved user who may do everything."""
        return self.create_user(
            email, password, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, username: str | None) -> User:
        """The user with this address, whatever its case."""
        return self.get(email__iexact=username)


class User(  # type: ignore[django-manager-missing] # of django-otp's relation
    AbstractBaseUser, PermissionsMixin
):
    """A person who signs in with an e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150, blank=True)
    teams = models.ManyToManyField(Team, blank=True, related_name="members")
    is_staff = models.BooleanField(
        "may open the admin", default=False, help_text="Can sign in to this site."
    )
    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="Unset this instead of deleting the account.",
    )
    date_joined = models.DateTimeField(auto_now_add=True)
    email_is_proven = models.BooleanField(
        "address is theirs",
        default=True,
        db_default=True,
        help_text="Unset for people who registered themselves: an address is anybody's "
        "to type. An identity provider signs nobody in to such an account.",
    )
    # Here too, so that each page knows without another query whom to ask for a code.
    second_factor_since = models.DateTimeField(null=True, blank=True, editable=False)

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("email",)
        constraints = (
            models.UniqueConstraint(Lower("email"), name="user_email_ci_unique"),
        )

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django's; what is switched off stays signed out when it comes back."""
        super().save(*args, **kwargs)
        if not self.is_active:
            self.sign_ins.filter(ended_at=None).update(ended_at=timezone.now())

    def get_full_name(self) -> str:
        """The name that pages greet with."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The name that the admin's header shows."""
        return self.name or self.email

    @property
    def role(self) -> str:
        """`admin`, `developer`, `operator` or `user`: what programs call the role.

        A superuser is an admin, a Viewer a user. One query.
        """
        if self.is_superuser:
            return roles.SHORT[roles.ADMINISTRATOR]
        highest = roles.highest(self.groups.values_list("name", flat=True))
        return roles.SHORT.get(highest or "", "user")

"""People, who sign in with an e-mail address."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin
from automate.accounts.admin.html import when
from automate.accounts.models import User
from automate.accounts.sign_in import second_factor

if TYPE_CHECKING:
    _UserAdmin = object  # typed for AbstractUser, which ours is not
    _CreationForm = auth_forms.AdminUserCreationForm
    _ChangeForm = auth_forms.UserChangeForm[User]
else:
    _UserAdmin = auth_admin.UserAdmin
    _CreationForm = auth_forms.AdminUserCreationForm
    _ChangeForm = auth_forms.UserChangeForm

RIGHTS = ("is_superuser", "groups", "user_permissions")


class OneAddress:
    """A form whose address nobody else has, whatever its case."""

    instance: User
    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        """The address. Raises ValidationError when it is another person's."""
        email = User.objects.normalize_email(self.cleaned_data["email"])
        others = User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError("Somebody signs in with this address already.")
        return email


class UserAddForm(OneAddress, _CreationForm):
    """A new person: address, name and password."""

    class Meta:
        model = User
        fields = ("email", "name")


class UserChangeForm(OneAddress, _ChangeForm):
    """A person, without their password."""

    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}  # noqa: RUF012


class UserAdmin(AuditedAdmin, _UserAdmin):
    """People by address, with their teams and rights."""

    form = UserChangeForm
    add_form = UserAddForm
    unaudited = ("password", "password1", "password2")
    ordering = ("email",)
    list_display = (
        "email",
        "name",
        "is_active",
        "is_staff",
        "is_superuser",
        "seen",
        "second",
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "teams")
    search_fields = ("email", "name")
    filter_horizontal = ("groups", "user_permissions", "teams")
    readonly_fields = ("last_login", "date_joined", "second_factor_since")
    actions = ("reset_second_factor",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "teams")}),
        ("Rights", {"fields": ("is_active", "is_staff", *RIGHTS)}),
        ("Times", {"fields": ("last_login", "date_joined", "second_factor_since")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("email", "name", "usable_password", "password1", "password2")},
        ),
    )

    seen = when("last_login", "last login", sortable=True)
    second = when("second_factor_since", "second factor since", sortable=True)

    @admin.action(
        description="Turn off their second factor (lost telephones)",
        permissions=["change"],
    )
    def reset_second_factor(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> None:
        """For those whom this person may change; each is in the audit."""
        by: Any = request.user
        may = [row for row in queryset if self.has_change_permission(request, row)]
        done = sum(second_factor.remove(row, by=by) for row in may)
        self.message_user(
            request, f"{done} second factor(s) turned off.", messages.SUCCESS
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers give rights: others could give themselves all of them."""
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_staff", *RIGHTS, "teams")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers change superusers: a new password would be their rights."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or not _is_super(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Accounts are switched off, so that history keeps its names."""
        return False


def _is_super(user: Any) -> bool:
    return isinstance(user, User) and user.is_superuser

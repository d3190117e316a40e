"""People, who sign in with an e-mail address."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.db.models import QuerySet
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin, RelatedFilter
from automate.accounts.admin.html import when
from automate.accounts.admin.user_form import UserAddForm, UserChangeForm, roles_from
from automate.accounts.models import User
from automate.accounts.sign_in import second_factor
from automate.accounts.visibility import governs, seen_people

if TYPE_CHECKING:
    _UserAdmin = object  # typed for AbstractUser, which ours is not
else:
    _UserAdmin = auth_admin.UserAdmin

# What only superusers give: others could give themselves everything.
RIGHTS = ("is_superuser", "groups", "user_permissions")


class UserAdmin(AuditedAdmin, _UserAdmin):
    """People by address, with their teams and rights."""

    form = UserChangeForm
    add_form = UserAddForm
    unaudited = ("password", "password1", "password2")
    ordering = ("email",)
    list_display = (
        "email", "name", "is_active", "is_staff", "is_superuser", "seen", "second",
    )  # fmt: skip
    list_filter = (
        "is_active", "is_staff", "is_superuser", "groups", ("teams", RelatedFilter),
    )  # fmt: skip
    search_fields = ("email", "name")
    filter_horizontal = ("groups", "user_permissions", "teams")
    readonly_fields = ("last_login", "date_joined", "second_factor_since")
    actions = ("reset_second_factor",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "role", "teams")}),
        ("Rights", {"fields": ("is_active", "email_is_proven", "is_staff", *RIGHTS)}),
        ("Times", {"fields": ("last_login", "date_joined", "second_factor_since")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "email", "name", "role", "teams", "usable_password", "password1",
                    "password2",
                )
            },
        ),
    )  # fmt: skip

    seen = when("last_login", "last login", sortable=True)
    second = when("second_factor_since", "second factor since", sortable=True)

    @admin.action(
        description="Turn off their second factor (lost telephones)",
        permissions=["change"],
    )
    def reset_second_factor(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> None:
        """For others whom this person may change; each is in the audit.

        One's own takes a code, on the page *Second factor*.
        """
        by: Any = request.user
        others = queryset.exclude(pk=by.pk)
        may = [row for row in others if self.has_change_permission(request, row)]
        done = sum(second_factor.remove(row, by=by) for row in may)
        self.message_user(
            request, f"{done} second factor(s) turned off.", messages.SUCCESS
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """The people of one's teams and those of no team; for superusers all."""
        rows: QuerySet[User] = super().get_queryset(request)
        user = request.user
        return rows.filter(seen_people(user)) if isinstance(user, User) else rows.none()

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """The form with the roles that this person may give."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        user = request.user
        offered = roles_from(user) if isinstance(user, User) else []
        return type(form.__name__, (form,), {"offered": offered})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without what only superusers give; of who may not be changed, without teams,
        which may be others'."""
        sets = super().get_fieldsets(request, obj)
        gone: set[str] = set() if request.user.is_superuser else set(RIGHTS)
        if obj is not None and not self.has_change_permission(request, obj):
            gone |= {"password", "teams"}
        return [
            (
                name,
                {**how, "fields": [one for one in how["fields"] if one not in gone]},
            )
            for name, how in sets
        ]

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Teams to choose from are one's own."""
        if db_field.name == "teams" and not request.user.is_superuser:
            kwargs["queryset"] = request.user.teams.all()  # type: ignore[union-attr]
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Teams and groups, then the group of the role."""
        super().save_related(request, form, formsets, change)
        form.give_role()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes who has more rights or teams: a password would be theirs."""
        allowed = super().has_change_permission(request, obj)
        if not allowed or obj is None:
            return allowed
        return isinstance(request.user, User) and governs(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Accounts are switched off, so that history keeps its names."""
        return False

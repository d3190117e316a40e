"""Failed sign-ins of the last minutes, and how to let somebody in again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import when
from automate.accounts.models import User
from automate.accounts.sign_in import failures
from automate.accounts.sign_in.limits import COOL_OFF
from automate.accounts.visibility import seen_people


class FailedSignInAdmin(ReadOnlyAdmin):
    """Accounts that were tried in vain, by address and browser."""

    list_display = ("username", "ip_address", "failures_since_start", "at", "ends")
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)
    sortable_by = ()
    fields = (
        "username", "ip_address", "user_agent", "failures_since_start", "at", "ends",
    )  # fmt: skip
    actions = ("unlock_account", "unlock_address")

    at = when("attempt_time", "last failure")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Failures at the accounts of people whom one sees; for superusers all."""
        rows = super().get_queryset(request)
        user = request.user
        if not isinstance(user, User):
            return rows.none()
        if user.is_superuser:
            return rows
        people = User.objects.filter(seen_people(user))
        named = people.annotate(typed=Lower("email")).values("typed")
        found: QuerySet[Any] = rows.annotate(typed=Lower("username"))
        return found.filter(typed__in=named)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Those who may delete the rows."""
        return request.user.has_perm("accounts.delete_failedsignin")

    @admin.display(description="forgotten at")
    def ends(self, row: Any) -> str:
        """When it no longer counts."""
        return f"{row.attempt_time + COOL_OFF:%Y-%m-%d %H:%M:%S}"

    @admin.action(
        description="Unlock these accounts at these addresses", permissions=["unlock"]
    )
    def unlock_account(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Forget the failures of each account at its address."""
        self._unlock(request, queryset, whole_address=False)

    @admin.action(
        description="Unlock these addresses for all accounts", permissions=["unlock"]
    )
    def unlock_address(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Forget all failures from each address."""
        self._unlock(request, queryset, whole_address=True)

    def _unlock(
        self, request: HttpRequest, rows: QuerySet[Any], *, whole_address: bool
    ) -> None:
        by = request.user
        failures.unlock(
            rows, by=by if isinstance(by, User) else None, whole_address=whole_address
        )
        self.message_user(request, "Unlocked.", messages.SUCCESS)

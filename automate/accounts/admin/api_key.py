"""API keys: shown once when they are made, revoked when they are not needed."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from automate.accounts import keys
from automate.accounts.admin.base import AuditedAdmin
from automate.accounts.admin.html import code, pill, when
from automate.accounts.models import ApiKey, Scope, User
from automate.accounts.scopes import scopes_of
from automate.accounts.visibility import seen_keys


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A key's scopes as boxes to tick."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        help_text="A program should get what it needs and no more.",
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "expires_at", "rate_limit")


class ApiKeyAdmin(AuditedAdmin):
    """Keys by owner; the key itself is shown in the message after saving."""

    form = ApiKeyForm
    list_display = (
        "name", "prefix_shown", "user", "scope_list", "state", "used", "expires",
        "created",
    )  # fmt: skip
    list_select_related = ("user",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "prefix", "user__email")
    date_hierarchy = "created_at"
    autocomplete_fields = ("user",)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """One's own; for who changes people theirs too, for superusers all."""
        rows = super().get_queryset(request)
        user = request.user
        if not isinstance(user, User):
            return rows.none()
        return rows.filter(seen_keys(user))

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """The form with the scopes that this person may give."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            # Shown, not asked: as a declared field it would be asked for nevertheless.
            form.base_fields.pop("scopes", None)
        elif "scopes" in form.base_fields:
            # A copy: the declared field is everybody's.
            scopes = copy.deepcopy(form.base_fields["scopes"])
            scopes.choices = [(one.value, one.value) for one in scopes_of(request.user)]
            form.base_fields["scopes"] = scopes
        return form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form of a new key, or what may still be said of an old one."""
        if obj is None:
            if request.user.is_superuser:
                return ("user", "name", "scopes", "expires_at", "rate_limit")
            return ("name", "scopes", "expires_at")
        return (
            "name", "prefix_shown", "user", "scope_list", "state", "expires_at",
            "rate_limit", "last_used_at", "created_at", "revoked_at",
        )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a key may do is fixed when it is made; superusers set limits."""
        if obj is None:
            return ()
        free = {"name", "expires_at"}
        if request.user.is_superuser:
            free.add("rate_limit")
        return tuple(name for name in self.get_fields(request, obj) if name not in free)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new key is one's own unless somebody else is chosen."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keys are revoked, so that the audit keeps their names."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change keys may revoke them."""
        return self.has_change_permission(request)

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiKey,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """A new key is issued and shown once; an old one keeps its text."""
        if change:
            super().save_model(request, obj, form, change)
            return
        owner = obj.user if request.user.is_superuser else request.user
        assert isinstance(owner, User)  # noqa: S101 - staff pages know no strangers
        issued, plain = ApiKey.objects.issue(
            owner,
            obj.name,
            form.cleaned_data["scopes"],
            obj.expires_at,
            obj.rate_limit,
        )
        obj.__dict__.update(issued.__dict__)
        note = "Copy the key now, it is not shown again: {}"
        messages.success(request, format_html(note, code(plain)))

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End the keys at once; those revoked before keep their date."""
        by: Any = request.user
        found = queryset.filter(revoked_at=None)[:500]
        count = sum(keys.revoke(key, by=by) for key in found)
        self.message_user(request, f"{count} key(s) revoked.", messages.SUCCESS)

    used = when("last_used_at", "last used", sortable=True)
    expires = when("expires_at", "expires", sortable=True)
    created = when("created_at", "created", sortable=True)

    @admin.display(description="key", ordering="prefix")
    def prefix_shown(self, key: ApiKey) -> str:
        """The first letters of the key, all that is kept in clear."""
        return code(f"{key.prefix}…")

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        """The scopes in one line."""
        return ", ".join(key.scopes)

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        """Active, expired or revoked."""
        if key.revoked_at:
            return pill("cancelled", "revoked")
        if key.expires_at and key.expires_at <= timezone.now():
            return pill("failed", "expired")
        return pill("succeeded", "active")

"""Secrets: values go in and never come out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from automate.accounts.admin.base import RelatedFilter
from automate.accounts.admin.html import code, when
from automate.lib.encryption import Unreadable
from workflows.admin.fields import HostsField, WriteOnlyField
from workflows.admin.owned import OwnedAdmin
from workflows.models import Secret
from workflows.services.owned import GIVE_AGAIN, added_hosts


class SecretForm(forms.ModelForm):  # type: ignore[type-arg]
    """A secret with a value that is typed in blind."""

    new_value = WriteOnlyField(label="Value")
    allowed_hosts = HostsField(
        required=False,
        help_text="Hosts it may be sent to, one a line: api.example.com, "
        "*.example.org. Empty: any.",
    )

    class Meta:
        model = Secret
        fields = ("name", "team", "allowed_hosts")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_value" in self.fields:
            self.fields["new_value"].describe(is_set=not self.instance._state.adding)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A stored value stays where it may go; who sends it elsewhere knows it."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance._state.adding or data.get("new_value"):
            return data
        before = self.instance.allowed_hosts
        added = added_hosts(before, data.get("allowed_hosts", before))
        if added and "new_value" in self.fields:
            self.add_error("new_value", GIVE_AGAIN.format(", ".join(added)))
        return data


class SecretAdmin(OwnedAdmin):
    """Secrets by name; who has which, since when, last used when."""

    form = SecretForm
    unaudited = ("new_value",)
    list_display = (
        "name", "written", "team", "hosts", "rotated", "used", "created",
    )  # fmt: skip
    list_select_related = ("team",)
    list_filter = (("team", RelatedFilter),)
    search_fields = ("name",)
    fields = (
        "name", "team", "new_value", "allowed_hosts", "state", "rotated_at",
        "last_used_at", "created_at",
    )  # fmt: skip
    readonly_fields = ("state", "rotated_at", "last_used_at", "created_at")

    def save_model(
        self,
        request: HttpRequest,
        obj: Secret,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Keep the value unless a new one was given."""
        given = form.cleaned_data.get("new_value")
        if given:
            obj.value = given
            if change:
                obj.rotated_at = timezone.now()
        super().save_model(request, obj, form, change)

    rotated = when("rotated_at", "rotated", sortable=True)
    used = when("last_used_at", "last used", sortable=True)
    created = when("created_at", "created", sortable=True)

    @admin.display(description="written in a step")
    def written(self, secret: Secret) -> str:
        """How a step names it."""
        return code(f"{{{{ secrets.{secret.name} }}}}")

    @admin.display(description="hosts")
    def hosts(self, secret: Secret) -> str:
        """Where it may be sent."""
        return ", ".join(secret.allowed_hosts) or "any"

    @admin.display(description="value")
    def state(self, secret: Secret) -> str:
        """Whether there is a value, and whether it can be read."""
        if secret._state.adding:
            return "not set yet"
        if isinstance(secret.value, Unreadable):
            return str(secret.value)
        return "is set; it is never shown"

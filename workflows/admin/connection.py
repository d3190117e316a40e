"""Connections: how to reach and sign in to another system."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from automate.accounts.admin.base import RelatedFilter
from automate.accounts.admin.html import pill, when
from automate.lib.encryption import Unreadable
from automate.lib.rates import parse_rate
from workflows.admin.breaker import BreakerPages
from workflows.admin.fields import HostsField, WriteOnlyField
from workflows.admin.owned import (
    GIVE_AGAIN,
    OwnedAdmin,
    added_hosts,
    host_of,
    origin_changed,
)
from workflows.models import Connection

_NAMED = {
    Connection.Kind.BASIC: ("username", "password"),
    Connection.Kind.HEADER: ("name", "value"),
}


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A connection with credentials that are typed in blind."""

    new_name = forms.CharField(
        label="User or header name",
        required=False,
        max_length=500,
        help_text="The user of a password, or the header that carries the value. "
        "Not needed for a bearer token.",
    )
    new_value = WriteOnlyField(label="Token, password or value")
    allowed_hosts = HostsField(
        required=False,
        help_text="Hosts that get the credentials, one a line. Empty: the base "
        "URL's host.",
    )
    base_url = forms.URLField(
        label="Base URL", required=False, max_length=200, assume_scheme="https"
    )

    class Meta:
        model = Connection
        fields = (
            "name", "team", "kind", "base_url", "allowed_hosts", "rate_limit", "status",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_value" in self.fields:
            self.fields["new_value"].describe(is_set=not self.instance._state.adding)  # type: ignore[attr-defined]

    def clean_rate_limit(self) -> str:
        """A rate that can be read."""
        given: str = self.cleaned_data["rate_limit"].strip()
        if given:
            try:
                parse_rate(given)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from None
        return given

    def clean(self) -> dict[str, Any]:
        """Whole credentials, and somewhere to send them."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        kind = data.get("kind")
        changed = not self.instance._state.adding and "kind" in self.changed_data
        given = data.get("new_value")
        if changed and not given:
            self.add_error("new_value", "Another kind needs new credentials.")
        if given and kind in _NAMED and not data.get("new_name"):
            self.add_error("new_name", f"Give the {_NAMED[kind][0]} too.")
        if data.get("new_name") and not given:
            self.add_error("new_value", "Give the value that belongs to the name.")
        if not data.get("base_url") and not data.get("allowed_hosts"):
            self.add_error("base_url", "Give a base URL or the hosts it may reach.")
        if not (self.instance._state.adding or given or changed):
            self._stay(data)
        return data

    def _stay(self, data: dict[str, Any]) -> None:
        """Stored credentials stay where they may go; who sends them on knows them."""
        url, hosts = self.instance.base_url, self.instance.allowed_hosts
        new_url = data.get("base_url", url)
        new_hosts = data.get("allowed_hosts", hosts)
        if not new_url and not new_hosts:
            return  # refused already
        added = added_hosts(hosts or [host_of(url)], new_hosts or [host_of(new_url)])
        if url and new_url and origin_changed(url, new_url):
            added.append(new_url)
        if added and "new_value" in self.fields:
            words = ", ".join(dict.fromkeys(added))
            self.add_error("new_value", GIVE_AGAIN.format(words))


class ConnectionAdmin(BreakerPages, OwnedAdmin):
    """Connections by name; who has which, and whether it works."""

    form = ConnectionForm
    unaudited = ("new_name", "new_value")
    list_display = (
        "name", "kind", "state", "breaker_state", "base_url", "team", "checked",
        "changed",
    )  # fmt: skip
    list_select_related = ("team", "breaker")
    list_filter = ("kind", "status", ("team", RelatedFilter))
    search_fields = ("name", "base_url")
    fields = (
        "name", "team", "kind", "base_url", "allowed_hosts", "new_name", "new_value",
        "credentials_state", "rate_limit", "status", "last_checked_at", "updated_at",
    )  # fmt: skip
    readonly_fields = ("credentials_state", "last_checked_at", "updated_at")

    def save_model(
        self,
        request: HttpRequest,
        obj: Connection,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Keep the credentials unless new ones were given."""
        data = form.cleaned_data
        if data.get("new_value"):
            if obj.kind in _NAMED:
                first, second = _NAMED[Connection.Kind(obj.kind)]
                given = {first: data["new_name"], second: data["new_value"]}
            else:
                given = {"token": data["new_value"]}
            obj.credentials = given
        super().save_model(request, obj, form, change)

    checked = when("last_checked_at", "last checked", sortable=True)
    changed = when("updated_at", "changed", sortable=True)

    @admin.display(description="status", ordering="status")
    def state(self, connection: Connection) -> str:
        """The status as a pill."""
        shown = {"active": "succeeded", "inactive": "cancelled", "error": "failed"}
        return pill(shown.get(connection.status, ""), connection.status)

    @admin.display(description="credentials")
    def credentials_state(self, connection: Connection) -> str:
        """Whether there are credentials, and whether they can be read."""
        if connection._state.adding:
            return "not set yet"
        if isinstance(connection.credentials, Unreadable):
            return str(connection.credentials)
        return "are set; they are never shown"

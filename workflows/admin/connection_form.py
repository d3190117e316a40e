"""The form of a connection: the fields of its kind, credentials typed in blind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from automate.lib.encryption import is_readable
from workflows.admin.fields import NOT_SET, SET, BlindText, HostsField, WriteOnlyField
from workflows.connections import Kind, kind_of
from workflows.models import Connection
from workflows.services.connection_rules import (
    bad_authorities,
    bad_options,
    bad_proxy,
    bad_rate,
    further_places,
    given_again,
    missing_credentials,
    unlisted_hosts,
)

# Which box holds which of a kind's secrets.
BOXES = {
    "token": "new_value",
    "password": "new_value",
    "value": "new_value",
    "client_secret": "new_value",
    "api_key": "new_value",
    "username": "new_name",
    "name": "new_name",
    "certificate": "new_certificate",
    "private_key": "new_private_key",
}
PEM = {"rows": 4, "cols": 70, "spellcheck": "false", "autocomplete": "off"}


def _only(*kinds: str) -> dict[str, str]:
    """Which kinds a box is for; connection.js hides the others."""
    return {"data-kinds": " ".join(kinds)}


OAUTH = _only("oauth2_client_credentials")


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A connection with credentials that are typed in blind."""

    new_name = forms.CharField(
        label="User or header name",
        required=False,
        max_length=500,
        widget=forms.TextInput(
            attrs={"class": "vTextField", **_only("basic", "header")}
        ),
        help_text="The user of a password, or the header that carries the value.",
    )
    new_value = WriteOnlyField(label="Token, password, value, client secret or API key")
    new_certificate = WriteOnlyField(
        label="Client certificate",
        widget=BlindText(attrs={**PEM, **_only("mtls", "oauth2_client_credentials")}),
    )
    new_private_key = WriteOnlyField(
        label="Its private key",
        widget=BlindText(attrs={**PEM, **_only("mtls", "oauth2_client_credentials")}),
    )
    token_url = forms.CharField(
        label="Token endpoint",
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"class": "vURLField", **OAUTH}),
        help_text="Where tokens are fetched: https://login.example.com/oauth2/token",
    )
    client_id = forms.CharField(
        label="Client ID",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField", **OAUTH}),
    )
    scope = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"class": "vTextField", **OAUTH}),
        help_text="Separated by blanks; empty: the endpoint's default.",
    )
    audience = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"class": "vTextField", **OAUTH}),
        help_text="Where the endpoint asks for one.",
    )
    token_auth = forms.ChoiceField(
        label="The client proves itself",
        required=False,
        choices=(
            ("client_secret_basic", "in a header (client_secret_basic)"),
            ("client_secret_post", "within the form (client_secret_post)"),
        ),
        widget=forms.Select(attrs=OAUTH),
    )
    token_extra = forms.CharField(
        label="Further parameters",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 40, **OAUTH}),
        help_text="Sent to the token endpoint too: name=value, one a line.",
    )
    allowed_hosts = HostsField(
        required=False,
        help_text="Hosts that get the credentials, one a line. Empty: the base "
        "URL's host.",
    )
    base_url = forms.URLField(
        label="Base URL", required=False, max_length=200, assume_scheme="https"
    )
    new_proxy_password = WriteOnlyField(label="Password of the proxy")

    class Meta:
        model = Connection
        fields = (
            "name", "team", "kind", "base_url", "allowed_hosts", "rate_limit", "status",
            "authorities", "proxy",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row: Connection = self.instance
        known = row.credentials if is_readable(row.credentials) else None
        known = known if isinstance(known, Mapping) else {}
        values = ("token", "password", "value", "client_secret")
        for box, names in (
            ("new_value", values),
            ("new_certificate", ("certificate",)),
            ("new_private_key", ("private_key",)),
            ("new_proxy_password", ("proxy_password",)),
        ):
            if box in self.fields:
                is_set = any(known.get(name) for name in names)
                self.fields[box].help_text = SET if is_set else NOT_SET
        if "new_value" in self.fields:
            self.fields["new_value"].widget.attrs |= _only(
                "bearer", "basic", "header", "oauth2_client_credentials", "n8n"
            )
        for name, value in (row.options or {}).items():
            if name in self.fields:
                self.initial.setdefault(name, value)

    # --- each field ---

    def clean_rate_limit(self) -> str:
        """A rate that can be read."""
        return self._right("rate_limit", bad_rate)

    def clean_proxy(self) -> str:
        """The address of a proxy, without a password."""
        return self._right("proxy", bad_proxy)

    def clean_authorities(self) -> str:
        """Certificates in PEM."""
        return self._right("authorities", bad_authorities)

    def _right(self, name: str, check: Callable[[str], str]) -> str:
        given: str = self.cleaned_data[name].strip()
        problem = check(given) if given else ""
        if problem:
            raise forms.ValidationError(problem)
        return given

    # --- all together ---

    def clean(self) -> dict[str, Any]:
        """Whole credentials, whole settings, and somewhere to send them."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not data.get("base_url") and not data.get("allowed_hosts"):
            self.add_error("base_url", "Give a base URL or the hosts it may reach.")
        kind = kind_of(str(data.get("kind", "")))
        if kind is None or "new_value" not in self.fields:
            return data
        given = self.given(kind)
        whole = all(name in given for name in kind.secrets)
        self._check_credentials(kind, given, whole=whole)
        options = self.options(kind)
        for name, problem in bad_options(kind, options, given):
            if name not in self.errors:
                self.add_error(BOXES.get(name, name), problem)
        allowed = data.get("allowed_hosts") or ()
        for name, problem in unlisted_hosts(kind, options, allowed):
            self.add_error(name, problem)
        if not self.instance._state.adding and not whole:
            self._stay(kind, options)
        return data

    def given(self, kind: Kind) -> dict[str, str]:
        """The kind's secrets that were typed in."""
        found = {
            name: self.cleaned_data.get(BOXES[name])
            for name in (*kind.secrets, *kind.also)
        }
        return {name: value for name, value in found.items() if value}

    def options(self, kind: Kind) -> dict[str, str]:
        """The kind's settings, without the empty ones."""
        found = {name: self.cleaned_data.get(name) for name in kind.options}
        return {name: str(value).strip() for name, value in found.items() if value}

    def credentials(self, kind: Kind) -> dict[str, str]:
        """What is to be stored: what was given, and what is kept."""
        row: Connection = self.instance
        old = row.credentials
        kept: dict[str, str] = {}
        if isinstance(old, Mapping) and "kind" not in self.changed_data:
            kept = dict(old)
        elif isinstance(old, Mapping) and "proxy_password" in old:
            kept = {"proxy_password": old["proxy_password"]}
        if not self.cleaned_data.get("proxy") or "proxy" in self.changed_data:
            kept.pop("proxy_password", None)
        if self.cleaned_data.get("proxy") and self.cleaned_data["new_proxy_password"]:
            kept["proxy_password"] = self.cleaned_data["new_proxy_password"]
        return kept | self.given(kind)

    def _check_credentials(
        self, kind: Kind, given: dict[str, str], *, whole: bool
    ) -> None:
        """All of a kind's secrets are given at once, or none to keep what there is."""
        adding = self.instance._state.adding
        changed = not adding and "kind" in self.changed_data
        found = missing_credentials(kind, given, adding=adding, changed=changed)
        for name, problem in found:
            if given or BOXES[name] != "new_name":
                self.add_error(BOXES[name], problem)
        unreadable = not is_readable(self.instance.credentials)
        if self.cleaned_data.get("new_proxy_password") and unreadable and not whole:
            text = "What is stored cannot be read: give it again."
            self.add_error(self._main(kind), text)

    def _stay(self, kind: Kind, options: Mapping[str, str]) -> None:
        """Stored credentials stay where they may go; who sends them on knows them."""
        row, data = self.instance, self.cleaned_data
        if "kind" in self.changed_data:
            return  # refused already
        url, hosts = row.base_url, row.allowed_hosts
        new_url, new_hosts = data.get("base_url", url), data.get("allowed_hosts", hosts)
        if not new_url and not new_hosts:
            return  # refused already
        added = further_places((url, hosts, row.options), (new_url, new_hosts, options))
        problem = given_again(
            added,
            proxy_changed=bool(data.get("proxy")) and "proxy" in self.changed_data,
            authorities_changed=bool(data.get("authorities"))
            and "authorities" in self.changed_data,
        )
        if problem:
            self.add_error(self._main(kind), problem)

    @staticmethod
    def _main(kind: Kind) -> str:
        """The box of what is most secret."""
        return BOXES[kind.secrets[-1]]

"""The form of a connection: the fields of its kind, credentials typed in blind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from automate.lib.encryption import is_readable
from automate.lib.net import Proxy
from automate.lib.net.route import tls_context
from automate.lib.net.url import host_allowed
from automate.lib.rates import parse_rate
from workflows.admin.fields import NOT_SET, SET, BlindText, HostsField, WriteOnlyField
from workflows.admin.owned import GIVE_AGAIN, added_hosts, host_of, origin_changed
from workflows.connections import Kind, kind_of
from workflows.models import Connection

# Which box holds which of a kind's secrets.
BOXES = {
    "token": "new_value",
    "password": "new_value",
    "value": "new_value",
    "client_secret": "new_value",
    "username": "new_name",
    "name": "new_name",
    "certificate": "new_certificate",
    "private_key": "new_private_key",
}
PEM = {"rows": 4, "cols": 70, "spellcheck": "false", "autocomplete": "off"}
ANOTHER_WAY = "Give it again: {} might read it on its way."


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
    new_value = WriteOnlyField(label="Token, password, value or client secret")
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
                "bearer", "basic", "header", "oauth2_client_credentials"
            )
        for name, value in (row.options or {}).items():
            if name in self.fields:
                self.initial.setdefault(name, value)

    # --- each field ---

    def clean_rate_limit(self) -> str:
        """A rate that can be read."""
        given: str = self.cleaned_data["rate_limit"].strip()
        if given:
            try:
                parse_rate(given)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from None
        return given

    def clean_proxy(self) -> str:
        """The address of a proxy, without a password."""
        given: str = self.cleaned_data["proxy"].strip()
        if given:
            try:
                found = Proxy.at(given)
            except ValueError as error:
                raise forms.ValidationError(f"{error}."[4:].capitalize()) from None
            if found.password:
                raise forms.ValidationError("The password has a field of its own.")
        return given

    def clean_authorities(self) -> str:
        """Certificates in PEM."""
        given: str = self.cleaned_data["authorities"].strip()
        if given:
            try:
                tls_context("", "", given)
            except ValueError:
                raise forms.ValidationError(
                    "These are no certificates in PEM."
                ) from None
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
        for name in kind.options:
            if not options.get(name) and name not in kind.optional:
                self.add_error(name, "This kind of connection needs it.")
        for name, problem in kind.check(options, given):
            if name not in self.errors:
                self.add_error(BOXES.get(name, name), problem)
        self._check_hosts(kind, options)
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
        main = self._main(kind)
        wanted = adding or changed or any(name in given for name in kind.secrets)
        for name in kind.secrets:
            if name in given or not wanted:
                continue
            box, label = BOXES[name], name.replace("_", " ")
            if changed and box == main:
                self.add_error(box, "Another kind needs new credentials.")
            elif box == "new_name":
                if given:
                    self.add_error(box, f"Give the {label} too.")
            else:
                self.add_error(box, f"Give the {label}.")
        besides = [name for name in kind.also if name in given]
        for name in kind.also if besides else ():
            if name not in given:
                self.add_error(BOXES[name], f"Give the {name.replace('_', ' ')} too.")
        unreadable = not is_readable(self.instance.credentials)
        if self.cleaned_data.get("new_proxy_password") and unreadable and not whole:
            self.add_error(main, "What is stored cannot be read: give it again.")

    def _check_hosts(self, kind: Kind, options: Mapping[str, str]) -> None:
        """A list of allowed hosts holds all that get credentials."""
        allowed = self.cleaned_data.get("allowed_hosts")
        for host in kind.hosts(options) if allowed else ():
            if not host_allowed(host, allowed or ()):
                self.add_error(
                    "allowed_hosts", f"Add {host}, where the tokens are fetched."
                )

    def _stay(self, kind: Kind, options: Mapping[str, str]) -> None:
        """Stored credentials stay where they may go; who sends them on knows them."""
        row, data = self.instance, self.cleaned_data
        if "kind" in self.changed_data:
            return  # refused already
        url, hosts = row.base_url, row.allowed_hosts
        new_url, new_hosts = data.get("base_url", url), data.get("allowed_hosts", hosts)
        if not new_url and not new_hosts:
            return  # refused already
        added = added_hosts(hosts or [host_of(url)], new_hosts or [host_of(new_url)])
        if url and new_url and origin_changed(url, new_url):
            added.append(new_url)
        old, new = (
            (row.options or {}).get("token_url", ""),
            options.get("token_url", ""),
        )
        if old and new and origin_changed(old, new):
            added.append(new)
        box = self._main(kind)
        if added:
            words = ", ".join(dict.fromkeys(added))
            self.add_error(box, GIVE_AGAIN.format(words))
        for name, what in (("proxy", "the proxy"), ("authorities", "who they trust")):
            if data.get(name) and name in self.changed_data and not added:
                self.add_error(box, ANOTHER_WAY.format(what))
                break

    @staticmethod
    def _main(kind: Kind) -> str:
        """The box of what is most secret."""
        return BOXES[kind.secrets[-1]]

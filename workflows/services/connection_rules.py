"""What a connection must have, and what it must not do with stored credentials.

Pure: the admin's form and the API tell what these functions find, each at its field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from automate.lib.net import Proxy
from automate.lib.net.route import tls_context
from automate.lib.net.url import host_allowed
from automate.lib.rates import parse_rate
from workflows.connections import Kind
from workflows.services.owned import GIVE_AGAIN, added_hosts, host_of, origin_changed

Issue = tuple[str, str]  # a field, a credential or a setting, and what is wrong with it
ANOTHER_WAY = "Give it again: {} might read it on its way."
# Those that say whose secret it is.
NAMING = ("username", "name")


def bad_rate(text: str) -> str:
    """Why this is no rate, or an empty text."""
    try:
        parse_rate(text)
    except ValueError as error:
        return str(error)
    return ""


def bad_proxy(text: str) -> str:
    """Why this is no address of a proxy, or an empty text."""
    try:
        found = Proxy.at(text)
    except ValueError as error:
        return f"{error}."[4:].capitalize()
    return "The password has a field of its own." if found.password else ""


def bad_authorities(text: str) -> str:
    """Why these are no authorities, or an empty text."""
    try:
        tls_context("", "", text)
    except ValueError:
        return "These are no certificates in PEM."
    return ""


def missing_credentials(
    kind: Kind, given: Mapping[str, str], *, adding: bool, changed: bool
) -> Iterator[Issue]:
    """All of a kind's secrets are given at once, or none to keep what there is.

    `changed`: it was of another kind before.
    """
    if adding or changed or any(name in given for name in kind.secrets):
        for name in kind.secrets:
            if name in given:
                continue
            label = name.replace("_", " ")
            if changed and name == kind.secrets[-1]:
                yield name, "Another kind needs new credentials."
            else:
                yield name, f"Give the {label}{' too' if name in NAMING else ''}."
    besides = [name for name in kind.also if name in given]
    for name in kind.also if besides else ():
        if name not in given:
            yield name, f"Give the {name.replace('_', ' ')} too."


def bad_options(
    kind: Kind, options: Mapping[str, str], given: Mapping[str, str]
) -> Iterator[Issue]:
    """Settings that are missing, and what the kind itself finds wrong."""
    for name in kind.options:
        if not options.get(name) and name not in kind.optional:
            yield name, "This kind of connection needs it."
    yield from kind.check(options, given)


def unlisted_hosts(
    kind: Kind, options: Mapping[str, str], allowed: Sequence[str]
) -> Iterator[Issue]:
    """A list of allowed hosts holds all that get credentials."""
    for host in kind.hosts(options) if allowed else ():
        if not host_allowed(host, allowed):
            yield "allowed_hosts", f"Add {host}, where the tokens are fetched."


def further_places(
    old: tuple[str, Sequence[str], Mapping[str, str]],
    new: tuple[str, Sequence[str], Mapping[str, str]],
) -> list[str]:
    """Where stored credentials would go and could not go before.

    Both are (base URL, allowed hosts, options).
    """
    (url, hosts, options), (new_url, new_hosts, new_options) = old, new
    added = added_hosts(hosts or [host_of(url)], new_hosts or [host_of(new_url)])
    if url and new_url and origin_changed(url, new_url):
        added.append(new_url)
    before = (options or {}).get("token_url", "")
    after = new_options.get("token_url", "")
    if before and after and origin_changed(before, after):
        added.append(after)
    return list(dict.fromkeys(added))


def given_again(
    added: Sequence[str], *, proxy_changed: bool, authorities_changed: bool
) -> str:
    """Why stored credentials must be given again, or an empty text."""
    if added:
        return GIVE_AGAIN.format(", ".join(added))
    if proxy_changed:
        return ANOTHER_WAY.format("the proxy")
    if authorities_changed:
        return ANOTHER_WAY.format("who they trust")
    return ""

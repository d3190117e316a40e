"""Connections: made, changed and deleted; credentials only go in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from automate.accounts.audit import record
from automate.accounts.models import Team
from automate.lib.choices import field_errors
from automate.lib.encryption import is_readable
from workflows.connections import Kind, kind_of
from workflows.definition import Problem
from workflows.definition.problems import listed
from workflows.models import Connection
from workflows.services import connection_rules as rules
from workflows.services import owned
from workflows.services.drafts import Actor
from workflows.services.errors import DocumentError
from workflows.services.transactions import unit_of_work

CHECKED = (
    ("rate_limit", rules.bad_rate),
    ("proxy", rules.bad_proxy),
    ("authorities", rules.bad_authorities),
)
PLAIN = ("name", "kind", "base_url", "rate_limit", "status", "authorities", "proxy")


def create_connection(
    given: Mapping[str, Any], *, team: Team | None, by: Actor
) -> Connection:
    """A new connection of this team.

    `given`: name, kind, base_url, allowed_hosts, credentials and options by name,
    rate_limit, status, authorities, proxy. Raises DocumentError.
    """
    row = Connection(team=team, credentials={}, options={})
    _apply(row, given, adding=True)
    with unit_of_work():
        _save(row)
        shown = {name: getattr(row, name) for name in (*PLAIN, "allowed_hosts")}
        record("connection.create", row, by=by, changes=shown)
    return row


def change_connection(
    connection: Connection, given: Mapping[str, Any], *, by: Actor
) -> Connection:
    """Change what is given; credentials of a kind as a whole. Raises as create does.

    Stored credentials stay where they may go: to send them elsewhere, or another way,
    they must be given again. NotYours for what is shared.
    """
    owned.may_change(connection, by)
    with unit_of_work():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        before = {
            name: getattr(row, name) for name in (*PLAIN, "allowed_hosts", "options")
        }
        _apply(row, given, adding=False)
        changes: dict[str, Any] = {
            name: [value, getattr(row, name)]
            for name, value in before.items()
            if value != getattr(row, name)
        }
        if given.get("credentials"):
            changes["credentials"] = "replaced"
        if changes:
            _save(row)
            record("connection.change", row, by=by, changes=changes)
    return row


def delete_connection(connection: Connection, by: Actor) -> None:
    """Steps that name it fail from now on. Raises NotYours."""
    owned.may_change(connection, by)
    with unit_of_work():
        record("connection.delete", connection, by=by)
        Connection.objects.filter(pk=connection.pk).delete()


def _apply(row: Connection, given: Mapping[str, Any], *, adding: bool) -> None:
    """Set what is given on the row. Raises DocumentError with all that is wrong."""
    old = (row.base_url, row.allowed_hosts, dict(row.options or {}))
    was = {name: getattr(row, name) for name in PLAIN}
    problems: list[Problem] = []
    for name in PLAIN:
        if name in given:
            setattr(row, name, str(given[name] or "").strip())
    if not row.status:
        row.status = Connection.Status.ACTIVE
    if "allowed_hosts" in given:
        row.allowed_hosts, found = owned.hosts(given["allowed_hosts"])
        problems += found
    for name, check in CHECKED:
        if getattr(row, name) and (wrong := check(getattr(row, name))):
            problems.append(Problem(name, wrong))
    problems += _fields(row)
    kind = kind_of(row.kind)
    if kind is not None:
        changed = not adding and row.kind != was["kind"]
        problems += _credentials(
            row, kind, given, old, was, adding=adding, changed=changed
        )
    if problems:
        raise DocumentError(list(dict.fromkeys(problems)))
    if row.status == Connection.Status.ACTIVE:
        row.status_reason = ""


def _fields(row: Connection) -> list[Problem]:
    """What the model's own fields say, and whether it reaches anything."""
    try:
        row.clean_fields(exclude=("id", "team", "credentials", "token", "options"))
    except ValidationError as error:
        found = [Problem(*pair) for pair in field_errors(row, error)]
    else:
        found = []
    if not row.base_url and not row.allowed_hosts:
        text = "Give a base URL or the hosts it may reach."
        found.append(Problem("base_url", text))
    return found


def _credentials(
    row: Connection,
    kind: Kind,
    given: Mapping[str, Any],
    old: tuple[str, list[str], dict[str, str]],
    was: Mapping[str, Any],
    *,
    adding: bool,
    changed: bool,
) -> list[Problem]:
    """Set credentials and options, and say what is wrong with them."""
    sent: dict[str, str] = dict(given.get("credentials") or {})
    proxy_password = sent.pop("proxy_password", "")
    options = given.get("options")
    kept = {} if changed else dict(row.options or {})
    row.options = {k: v for k, v in {**kept, **(options or {})}.items() if v}
    problems = [
        *_unknown("credentials", sent, (*kind.secrets, *kind.also)),
        *_unknown("options", row.options, kind.options),
    ]
    sent = {name: value for name, value in sent.items() if value}
    missing = rules.missing_credentials(kind, sent, adding=adding, changed=changed)
    hosts = rules.unlisted_hosts(kind, row.options, row.allowed_hosts)
    for name, text in (*missing, *rules.bad_options(kind, row.options, sent), *hosts):
        problems.append(Problem(_place(kind, name), text))
    whole = all(name in sent for name in kind.secrets)
    if not adding and not changed and not whole:
        problems += _stays(row, kind, old, was)
        if proxy_password and not is_readable(row.credentials):
            text = "What is stored cannot be read: give it again."
            problems.append(Problem(f"credentials.{kind.secrets[-1]}", text))
    if not problems and (
        sent or proxy_password or changed or row.proxy != was["proxy"]
    ):
        _store(row, sent, proxy_password, was, changed=changed)
    return problems


def _stays(
    row: Connection,
    kind: Kind,
    old: tuple[str, list[str], dict[str, str]],
    was: Mapping[str, Any],
) -> list[Problem]:
    """Whether what is stored would go where it could not go before."""
    if not row.base_url and not row.allowed_hosts:
        return []  # refused already
    text = rules.given_again(
        rules.further_places(old, (row.base_url, row.allowed_hosts, row.options)),
        proxy_changed=bool(row.proxy) and row.proxy != was["proxy"],
        authorities_changed=bool(row.authorities)
        and row.authorities != was["authorities"],
    )
    return [Problem(f"credentials.{kind.secrets[-1]}", text)] if text else []


def _store(
    row: Connection,
    sent: Mapping[str, str],
    proxy_password: str,
    was: Mapping[str, Any],
    *,
    changed: bool,
) -> None:
    """What was given, and what is kept; unreadable ones stay unless all are given."""
    stored = row.credentials
    if not is_readable(stored) and not sent:
        return
    known = dict(stored) if isinstance(stored, Mapping) else {}
    kept = known if not changed else {}
    if changed and "proxy_password" in known:
        kept = {"proxy_password": known["proxy_password"]}
    if not row.proxy or row.proxy != was["proxy"]:
        kept.pop("proxy_password", None)
    if row.proxy and proxy_password:
        kept["proxy_password"] = proxy_password
    row.credentials = {**kept, **sent}


def _unknown(
    where: str, given: Mapping[str, Any], known: tuple[str, ...]
) -> list[Problem]:
    names = listed(known) or "none"
    return [
        Problem(f"{where}.{name}", f"This kind has none of this name. Known: {names}.")
        for name in given
        if name not in known
    ]


def _place(kind: Kind, name: str) -> str:
    if name in (*kind.secrets, *kind.also):
        return f"credentials.{name}"
    return f"options.{name}" if name in kind.options else name


def _save(row: Connection) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        text = f'There is a connection "{row.name}" already.'
        raise DocumentError([Problem("name", text)]) from None

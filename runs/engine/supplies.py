"""What the steps of claimed runs may use, and what nobody may read of them.

Secrets and connections of their team and shared ones, by the names in their version;
and all values that are hidden in what is said of a run, those of runs that it came
from or stands below among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Coalesce

from automate.lib.encryption import is_readable
from automate.lib.rates import parse_rate
from runs.addresses import hidden_parts
from runs.engine.ancestry import Ancestors
from runs.engine.held import Held, Supplies, UsedSecret
from runs.models import Run
from runs.redaction import hidden_from_readers, hidden_in, inherited, values_of
from workflows.actions.base import ConnectionData
from workflows.models import Connection, Secret
from workflows.services.connection_data import data_of

T = TypeVar("T", UsedSecret, ConnectionData)
N = TypeVar("N", Secret, Connection)


def supply(held: Iterable[Held]) -> None:
    """Give each run what its version names, and hide that and what senders gave it."""
    secrets: dict[str, list[Held]] = defaultdict(list)
    connections: dict[str, list[Held]] = defaultdict(list)
    for item in held:
        assert item.version is not None  # noqa: S101 - broken runs are not supplied
        item.supplies = Supplies()
        item.supplies.give(*_given(item))
        item.supplies.inherit(inherited(item.run))
        if item.version.urls:
            # A loop's items may be given what their parent's steps hand out.
            runs = filter(None, (item.run_id, item.run.parent_id))
            item.supplies.hidden |= hidden_parts(runs, item.version.urls)
        for name in item.version.secrets:
            secrets[name].append(item)
        for name in item.version.connections:
            connections[name].append(item)
    if secrets:
        _supply_secrets(secrets)
    if connections:
        _supply_connections(connections)


def _given(held: Held) -> list[Any]:
    """What others gave this run: its event or item, its variables, and the answers of
    people and receivers that its steps read."""
    scope = held.scope
    parts = (scope.get("trigger"), scope.get("item"), scope.get("variables"))
    return [*parts, *held.outputs.values()]


def _supply_secrets(wanted: dict[str, list[Held]]) -> None:
    for secret, items in _found(Secret, wanted):
        supply = _secret(secret)
        for item in items:
            _place(item.supplies.secrets, item.supplies, secret.name, supply)


def _supply_connections(wanted: dict[str, list[Held]]) -> None:
    for row, items in _found(Connection, wanted):
        supply, breaker = _connection(row), getattr(row, "breaker", None)
        for item in items:
            item.supplies.breakers[row.pk] = breaker
            _place(item.supplies.connections, item.supplies, row.name, supply)


def _found(
    model: type[N], wanted: dict[str, list[Held]]
) -> Iterator[tuple[N, list[Held]]]:
    """Rows of these names, each with the runs that may use it.

    Shared ones first, so that a team's own of the same name takes their place.
    """
    teams = {item.team_id for items in wanted.values() for item in items}
    may_use = Q(team__in=teams - {None}) | Q(team=None)
    rows = model._default_manager.filter(may_use, name__in=wanted)
    if model is Connection:  # the type of `rows` does not know it
        rows = rows.select_related("breaker")  # type: ignore[misc]
    for row in sorted(rows, key=lambda row: row.team_id is not None):
        items = [i for i in wanted[row.name] if row.team_id in (None, i.team_id)]
        hidden = values_of(row)
        for item in items:
            item.supplies.hidden |= hidden
        yield row, items


def _place(found: dict[str, T], supplies: Supplies, name: str, supply: T | str) -> None:
    """What is found, or why it may not be used; a shared one is no substitute."""
    if isinstance(supply, str):
        found.pop(name, None)
        supplies.missing[name] = supply
    else:
        found[name] = supply


def _secret(row: Secret) -> UsedSecret | str:
    if not is_readable(row.value):
        return f"is {row.value}"
    try:
        return UsedSecret(row.pk, str(row.value), frozenset(row.allowed_hosts))
    except TypeError:
        return "has no list of names as allowed_hosts"


def _connection(row: Connection) -> ConnectionData | str:
    if not is_readable(row.credentials):
        return f"is {row.credentials}"
    if row.status == Connection.Status.INACTIVE:
        why = f": {row.status_reason}; activate it on its page to go on"
        return f"is inactive{why if row.status_reason else ''}"
    try:
        return connection_data(row)
    except TypeError:
        return "has no list of names as allowed_hosts"
    except ValueError as error:
        return f"has a rate limit that cannot be read: {error}"


def connection_data(row: Connection) -> ConnectionData:
    """A connection as an action sees it, with the rate at which its steps may send.

    Raises TypeError and ValueError for what was stored past the forms.
    """
    rate = parse_rate(row.rate_limit) if row.rate_limit else None
    return replace(data_of(row), rate=rate)


def hide_family(held: Iterable[Held]) -> None:
    """Hide the secrets of other versions too, whose outputs these runs may have.

    Those of runs that they redrive, and of runs that they called.
    """
    redriven = [item for item in held if _has_relatives(item)]
    roots = {item.run.root_run_id or item.run_id for item in redriven}
    if not roots:
        return
    family = Run.objects.filter(Q(pk__in=roots) | Q(root_run__in=roots))
    versions: dict[UUID | None, set[UUID]] = defaultdict(set)
    first = Coalesce("root_run", "pk")
    rows = family.annotate(first=first).values_list("first", "version").distinct()
    for root, version in rows:
        versions[root].add(version)
    for item in redriven:
        if len(versions[item.run.root_run_id or item.run_id]) > 1:
            item.supplies.hidden |= hidden_from_readers(item.run)


def _has_relatives(held: Held) -> bool:
    """Whether it may have outputs of runs of other versions: before it, or below."""
    if any(row.carried_from_id for row in held.rows.values()):
        return True
    return held.version is not None and held.version.calls and bool(held.rows)


def hide_callers(held: Iterable[Held], ancestors: Ancestors) -> None:
    """Hide the secrets of the runs above too: a called run may have been given some."""
    groups: dict[frozenset[UUID], list[Held]] = defaultdict(list)
    for item in held:
        for parent in ancestors.above(item.run)[:1]:
            item.supplies.inherit(inherited(parent))
        above = {run.version_id for run in ancestors.above(item.run)}
        others = frozenset(above - {item.run.version_id})
        if others:
            groups[others].append(item)
    for versions, items in groups.items():
        hidden = hidden_in(versions)
        for item in items:
            item.supplies.hidden |= hidden

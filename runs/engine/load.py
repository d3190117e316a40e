"""Everything a drain needs to know about the runs that it has just claimed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Coalesce

from automate.lib.encryption import is_readable, may_be_copied
from automate.lib.given_secrets import given_secrets
from automate.lib.rates import parse_rate
from runs.addresses import hidden_parts
from runs.engine import gathering, large
from runs.engine.ancestry import Ancestors, children, variables_of
from runs.engine.claim import Claim
from runs.engine.held import Held, Supplies, UsedSecret, state_of
from runs.engine.payload import run_scope, trigger_scope
from runs.engine.versions import Compiled, compiled
from runs.models import Run, StepRun
from runs.redaction import hidden_from_readers, hidden_in, values_of
from runs.states import StepStatus
from workflows.actions.base import ConnectionData
from workflows.models import Connection, Secret

logger = logging.getLogger(__name__)
T = TypeVar("T", UsedSecret, ConnectionData)
N = TypeVar("N", Secret, Connection)

NEEDED = (
    "workflow_id",
    "version_id",
    "status",
    "body",
    "content_type",
    "headers",
    "query",
    "variables",
    "start",
    "event_id",
    "root_run_id",
    "replay_of_id",
    "parent_id",
    "parent_node",
    "item_index",
    "depth",
    "generation",
    "traceparent",
    "created_at",
    "deadline",
)


def load(claim: Claim, lease_ends: float) -> list[Held]:
    """The claimed runs, ready to be planned; what cannot be loaded is `broken`.

    At most seven queries whatever the number of runs, two of them only for runs that
    have steps already, two only where secrets or connections are named, one only for
    redrives; those on another version take a few more each. Child runs take one more
    for each level that they stand below, and one for outer steps that they refer to.
    """
    if not claim.jobs:
        return []
    found = Run.objects.filter(pk__in=[job.run_id for job in claim.jobs])
    runs = {run.pk: run for run in found.only(*NEEDED)}
    versions = compiled(run.version_id for run in runs.values())
    held = [
        Held(
            job_id=job.id,
            run_id=job.run_id,
            workflow_id=job.workflow_id,
            team_id=job.team_id,
            token=claim.token,
            lease_ends=lease_ends,
            run=runs[job.run_id],
            seq=job.seq,
            signal_count=job.signal_count,
            priority=job.priority,
            exclusive_key=job.exclusive_key,
            wants_answer=job.wants_answer,
            solo=job.expiries > 0,
            limited=job.limit is not None,
            slug=job.slug,
        )
        for job in claim.jobs
    ]
    ancestors = Ancestors.of(children(held), versions)
    for item in held:
        _fill(item, versions, ancestors)
    load_steps([item for item in held if item.seq and item.broken is None])
    usable = [item for item in held if item.broken is None]
    large.read_stored(usable)
    supply(usable)
    _hide_earlier(usable)
    _hide_above(usable, ancestors)
    return held


def _fill(
    held: Held, versions: dict[UUID, Compiled | Exception], ancestors: Ancestors
) -> None:
    run = held.run
    held.parent_job, held.place = ancestors.parent_job(run), ancestors.place(run)
    version = versions[run.version_id]
    if isinstance(version, Exception):
        held.broken = version
        return
    try:
        if run.item_index is not None:
            held.version = version.body(run.parent_node)
            held.scope = ancestors.scope(held, held.version)
            return
        held.version = version.as_child() if run.parent_id else version
        held.scope = {
            "trigger": trigger_scope(run),
            "steps": {},
            "variables": {**version.variables, **variables_of(run)},
            "run": run_scope(run, held.slug, version.number),
        }
    except Exception as error:  # noqa: BLE001 - one run's data ends that run alone
        held.broken = error


def load_steps(held: Sequence[Held]) -> None:
    """Read the step rows of these runs again, with the outputs that are referred to."""
    if not held:
        return
    by_run = {item.run_id: item for item in held}
    for item in held:
        item.rows, item.states, item.loops = {}, {}, {}
    rows = StepRun.objects.filter(run__in=by_run).defer("input", "output")
    for row in rows:
        item = by_run[row.run_id]
        item.rows[row.node_id] = row
        item.states[row.node_id] = state_of(row)
    _load_outputs(by_run)
    gathering.load(held)
    large.read_stored(held)


def _load_outputs(by_run: dict[UUID, Held]) -> None:
    wanted = Q()
    for item in by_run.values():
        assert item.version is not None  # noqa: S101 - broken runs are not loaded
        reads = item.version.reads
        names = [
            row.pk
            for row in item.rows.values()
            if row.node_id in reads or row.status == StepStatus.WAITING
        ]
        if names:
            wanted |= Q(pk__in=names)
    if not wanted:
        return
    outputs = StepRun.objects.filter(wanted).values_list("run", "node_id", "output")
    for run_id, node_id, output in outputs:
        item = by_run[run_id]
        if not may_be_copied(output):
            item.broken = ValueError(f"the output of step {node_id} is {output}")
        item.rows[node_id].output = output
        if item.states[node_id].status in (StepStatus.SUCCEEDED, StepStatus.FAILED):
            item.outputs[node_id] = output


def supply(held: Iterable[Held]) -> None:
    """Give each run the secrets and connections that its version names."""
    secrets: dict[str, list[Held]] = defaultdict(list)
    connections: dict[str, list[Held]] = defaultdict(list)
    for item in held:
        assert item.version is not None  # noqa: S101 - broken runs are not supplied
        item.supplies = Supplies()
        item.supplies.hide(given_secrets(_given(item)))
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
    """What senders gave this run: its event or item, and answers to steps that wait."""
    assert held.version is not None  # noqa: S101 - as above
    nodes = held.version.nodes
    answers = [
        output
        for name, output in held.outputs.items()
        if name in nodes and nodes[name].action.answered_by
    ]
    return [held.scope.get("trigger"), held.scope.get("item"), *answers]


def _hide_earlier(held: Iterable[Held]) -> None:
    """What came from runs of other versions hides their secrets: redriven, called."""
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


def _hide_above(held: Iterable[Held], ancestors: Ancestors) -> None:
    """What a called run was given may hold secrets of those that called it."""
    groups: dict[frozenset[UUID], list[Held]] = defaultdict(list)
    for item in held:
        above = {run.version_id for run in ancestors.above(item.run)}
        others = frozenset(above - {item.run.version_id})
        if others:
            groups[others].append(item)
    for versions, items in groups.items():
        hidden = hidden_in(versions)
        for item in items:
            item.supplies.hidden |= hidden


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
    """A connection as an action sees it, credentials in the clear.

    Raises TypeError and ValueError for what was stored past the forms.
    """
    return ConnectionData(
        id=row.pk,
        rate=parse_rate(row.rate_limit) if row.rate_limit else None,
        name=row.name,
        kind=row.kind,
        base_url=row.base_url,
        allowed_hosts=frozenset(row.allowed_hosts),
        credentials=row.credentials,
        options=row.options,
        authorities=row.authorities,
        proxy=row.proxy,
        token=row.token if isinstance(row.token, dict) else None,
    )

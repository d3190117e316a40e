"""What hides a run's secrets from those who read about the run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q

from automate.lib.encryption import is_readable
from automate.lib.given_secrets import given_secrets
from automate.lib.payloads import opened, opened_all
from automate.lib.redaction import Redactor
from runs.addresses import hidden_parts, names_in
from runs.engine.payload import parse_body, parse_event
from runs.models import DeliveryAttempt, Run, RunLog, StepRun, WaitToken
from workflows import expressions
from workflows.actions.base import all_actions
from workflows.connections import kind_of
from workflows.definition import node_ids, own_config, walk_nodes
from workflows.models import Connection, Secret, WorkflowVersion
from workflows.services.noted import tokens_of

# Texts that were redacted when they were stored. Readers get them through the run's
# redactor once more: a receiver's echo must not depend on who stored it.
STORED: Mapping[type, tuple[str, ...]] = {
    Run: ("error_message",),
    StepRun: ("input", "error_message"),
    RunLog: ("message", "metadata"),
    WaitToken: ("details", "comment"),
    DeliveryAttempt: (
        "url", "request_headers", "request_body", "response_headers", "response_body",
        "error_message",
    ),
}  # fmt: skip


def values_of(row: Secret | Connection) -> frozenset[str]:
    """The texts in a secret or connection that nobody may read, as far as known."""
    value = row.value if isinstance(row, Secret) else row.credentials
    if not is_readable(value):
        return frozenset()
    if isinstance(row, Secret) or not isinstance(value, Mapping):
        return frozenset({str(value)})
    kind = kind_of(row.kind)
    plain = kind.readable if kind is not None else ()
    hidden = {str(item) for key, item in value.items() if key not in plain}
    return frozenset(hidden.union(tokens_of(row)))


def hidden_from_readers(run: Run) -> frozenset[str]:
    """The values of each secret and connection that the run may use, and its addresses.

    Also of those that the runs before it could use, whose outputs a redrive takes
    over, and of those above and below it, which get outputs of each other. Takes two
    queries where any are named, one more for a run with such relatives, and those for
    the run's workflow and version unless they are there.
    """
    definitions = [run.version.definition]
    teams = {run.workflow.team_id}
    root = run.root_run_id
    if root is None and _calls(run.version.definition):
        root = run.pk
    if root is not None:
        family = Run.objects.filter(Q(pk=root) | Q(root_run=root))
        others = family.exclude(version=run.version_id).values("version")
        for definition, team in _versions(Q(pk__in=others)):
            definitions.append(definition)
            teams.add(team)
    hidden, urls = _values(definitions, teams)
    parts = hidden_parts(filter(None, (run.pk, run.parent_id)), urls)
    return hidden.union(parts)


def hidden_in(versions: Iterable[UUID]) -> frozenset[str]:
    """The values of each secret and connection that these versions name.

    One query, and two where any are named.
    """
    found = list(_versions(Q(pk__in=list(versions))))
    return _values([item for item, _ in found], {team for _, team in found})[0]


def _versions(which: Q) -> Iterator[tuple[Mapping[str, Any], UUID | None]]:
    rows = WorkflowVersion.objects.filter(which)
    yield from rows.values_list("definition", "workflow__team")


def _calls(definition: Mapping[str, Any]) -> bool:
    kinds = {item.node["type"] for item in walk_nodes(definition)}
    return any(action.calls for kind, action in all_actions().items() if kind in kinds)


def _values(
    definitions: Iterable[Mapping[str, Any]], teams: Collection[UUID | None]
) -> tuple[frozenset[str], set[str]]:
    """What these definitions may use, and the steps whose addresses they name."""
    secrets: set[str] = set()
    links: set[str] = set()
    urls: set[str] = set()
    for definition in definitions:
        ids = node_ids(definition)
        for item in walk_nodes(definition):
            config = own_config(item.node) or {}
            paths = _references(config, ids)
            secrets |= {path[1] for path in paths if path[0] == "secrets" and path[1:]}
            urls |= names_in(paths)
            links.add(str(config.get("connection") or ""))
    links.discard("")
    may_use = Q(team=None) | Q(team__in=[team for team in teams if team is not None])
    rows: list[Secret | Connection] = []
    if secrets:
        rows += Secret.objects.filter(may_use, name__in=secrets)
    if links:
        rows += Connection.objects.filter(may_use, name__in=links)
    return frozenset().union(*map(values_of, rows)), urls


def _references(config: Any, ids: frozenset[str]) -> Collection[tuple[str, ...]]:
    try:
        return expressions.references(config, ids)
    except expressions.TemplateError:
        return ()  # of a version that runs nothing


def redactor_for(run: Run) -> Redactor:
    """The redactor for what people read about this run.

    Besides the above it hides what event, variables and answers to steps that waited
    held under sensitive names, and what the runs above it were given. Queries as above,
    one for each run above it, one where steps wait for answers, and what it takes to
    fetch stored bodies: not within a transaction.
    """
    hidden = hidden_from_readers(run) | given_secrets(_answers(run))
    own = run.version.definition.get("variables")
    above: Run | None = run
    while above is not None:
        hidden |= _given(above, own)
        above, own = above.parent, None
    return Redactor(hidden)


def inherited(run: Run) -> frozenset[str]:
    """What this run and those above were given as secrets, as it keeps it."""
    texts = run.hidden if is_readable(run.hidden) else None
    return frozenset(map(str, texts or ()))


_EVENT = frozenset({"body", "content_type", "headers", "query", "variables", "hidden"})


def _given(run: Run, variables: Any) -> frozenset[str]:
    if run.get_deferred_fields() & _EVENT:
        run.refresh_from_db(fields=_EVENT)
    parts = [run.headers, run.query, run.variables, variables]
    body = opened(run.body)
    if is_readable(body):
        headers = run.headers if is_readable(run.headers) else {}
        parts.append(parse_body(body, run.content_type))
        parts.append(parse_event(body, run.content_type, headers))
    readable = [part for part in parts if is_readable(part)]
    return given_secrets(readable) | inherited(run)


def _answers(run: Run) -> list[Any]:
    """What people and other programs told the steps of this run that waited."""
    answered = {kind for kind, action in all_actions().items() if action.answered_by}
    if not any(
        item.node["type"] in answered for item in walk_nodes(run.version.definition)
    ):
        return []
    rows = StepRun.objects.filter(run=run, kind__in=answered)
    outputs = rows.exclude(output=None).values_list("output", flat=True)
    return [item for item in opened_all(list(outputs)) if is_readable(item)]


def clean(row: Any, redactor: Redactor) -> Any:
    """The row, for reading: never to be saved."""
    for name in STORED[type(row)]:
        setattr(row, name, redactor.hide(getattr(row, name)))
    return row

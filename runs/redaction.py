"""What hides a run's secrets from those who read about the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q

from automate.lib.encryption import is_readable
from automate.lib.redaction import Redactor
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from workflows import expressions
from workflows.models import Connection, Secret, WorkflowVersion

# Texts that were redacted when they were stored. Readers get them through the run's
# redactor once more: a receiver's echo must not depend on who stored it.
STORED: Mapping[type, tuple[str, ...]] = {
    Run: ("error_message",),
    StepRun: ("input", "error_message"),
    RunLog: ("message", "metadata"),
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
    # The name of a header is no secret; hidden everywhere it would hide other headers.
    plain = {"name"} if row.kind == Connection.Kind.HEADER else set()
    return frozenset(str(item) for key, item in value.items() if key not in plain)


def hidden_from_readers(run: Run) -> frozenset[str]:
    """The values of each secret and connection that the run may use.

    Also of those that the runs before it could use, whose outputs a redrive takes
    over. Takes two queries where any are named, one more for a redrive, and those for
    the run's workflow and version unless they are there.
    """
    secrets: set[str] = set()
    links: set[str] = set()
    for definition in _definitions(run):
        nodes = definition.get("nodes", [])
        ids = frozenset(node["id"] for node in nodes)
        for node in nodes:
            config = node.get("config") or {}
            secrets |= _secrets(config, ids)
            links.add(str(config.get("connection") or ""))
    links.discard("")
    may_use = Q(team=None) | Q(team=run.workflow.team_id)
    rows: list[Secret | Connection] = []
    if secrets:
        rows += Secret.objects.filter(may_use, name__in=secrets)
    if links:
        rows += Connection.objects.filter(may_use, name__in=links)
    return frozenset().union(*map(values_of, rows))


def _definitions(run: Run) -> Iterator[Mapping[str, Any]]:
    yield run.version.definition
    root = run.root_run_id
    if root is not None:
        family = Run.objects.filter(Q(pk=root) | Q(root_run=root))
        versions = WorkflowVersion.objects.filter(pk__in=family.values("version"))
        others = versions.exclude(pk=run.version_id)
        yield from others.values_list("definition", flat=True)


def _secrets(config: Any, ids: frozenset[str]) -> set[str]:
    try:
        paths = expressions.references(config, ids)
    except expressions.TemplateError:
        return set()  # of a version that runs nothing
    return {path[1] for path in paths if path[0] == "secrets" and path[1:]}


def redactor_for(run: Run) -> Redactor:
    """The redactor for what people read about this run; queries as above."""
    return Redactor(hidden_from_readers(run))


def clean(row: Any, redactor: Redactor) -> Any:
    """The row, for reading: never to be saved."""
    for name in STORED[type(row)]:
        setattr(row, name, redactor.hide(getattr(row, name)))
    return row

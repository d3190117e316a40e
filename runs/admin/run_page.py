"""What the page of one run shows: everything redacted, nothing unreadable breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from automate.accounts.admin.html import pretty, pretty_text
from automate.accounts.models import User
from automate.lib.bodies import cut
from automate.lib.encryption import Unreadable
from automate.lib.multipart import is_multipart
from automate.lib.payloads import opened_all
from automate.lib.redaction import Redactor
from runs.admin.delivery_attempt import body_text
from runs.admin.outputs import Output, StepOutputs, shown
from runs.admin.run_children import Children, children_of
from runs.admin.run_waits import AnsweredView, WaitView, answers_of, waits_of
from runs.engine.payload import parse_body
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.payloads import open_rows
from runs.redaction import clean, redactor_for
from runs.services.holdups import Waiting, run_waits, step_waits
from workflows.definition import walk_nodes

STEPS, ATTEMPTS, LOGS, RELATED = 200, 300, 300, 20
BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """The event, redacted: a body as text, headers, the query, overridden variables."""

    content_type: str
    size: int | None
    body: str
    truncated: bool
    headers: Mapping[str, str] | str
    query: str
    variables: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One request and its answer, ready to be read."""

    attempt: DeliveryAttempt
    request_body: str
    response_body: str

    @property
    def is_good(self) -> bool:
        """Whether the receiver took it."""
        return self.attempt.outcome == "delivered"


@dataclass(slots=True)
class StepView:
    """One step with its attempts, oldest first."""

    step: StepRun
    name: str
    input: str
    output: Output | None = None
    waits: str = ""
    wait: WaitView | None = None
    answered: AnsweredView | None = None
    attempts: list[AttemptView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that one run's page shows; `more` names the lists that were cut."""

    run: Run
    arrived: Arrived
    output: Output | None
    steps: list[StepView]
    logs: list[RunLog]
    replays: list[tuple[UUID, str]]
    children: list[Children]
    waiting: Waiting | None
    stopped_by: list[str]
    more: frozenset[str]


def build(run: Run, user: User | AnonymousUser | None = None) -> RunPage:
    """The page of a run, in six queries however long its history is.

    Takes two or three more for the values of secrets that its version names, one for
    steps that wait for an answer, which `user` may be allowed to give, one for answers
    that were given, and one for a run that stands in a line.
    """
    more: set[str] = set()

    def cut(name: str, rows: list[Any], most: int) -> list[Any]:
        if len(rows) > most:
            more.add(name)
        return rows[:most]

    redactor = redactor_for(run)
    clean(run, redactor)
    open_rows([run])
    names = names_of(run)
    children = children_of(run)
    steps = StepRun.objects.filter(run=run).order_by("id")
    outputs = StepOutputs(redactor)
    views = {}
    for step in cut("steps", list(steps[: STEPS + 1]), STEPS):
        view = _step(clean(step, redactor), names.get(step.node_id, step.node_id))
        view.output = outputs.shown(step.output)
        views[step.pk] = view
    waits = waits_of(run, [view.step for view in views.values()], redactor, user)
    answers = answers_of(run, [view.step for view in views.values()], redactor)
    connections = _connections(run)
    for view in views.values():
        node = view.step.node_id
        view.wait = waits.get(node)
        view.answered = answers.get(node)
        view.waits = step_waits(
            view.step,
            connection=connections.get(node, ""),
            children=children[node].total if node in children else None,
        )
    attempts = DeliveryAttempt.objects.filter(run=run).order_by("id")
    for attempt in cut("attempts", list(attempts[: ATTEMPTS + 1]), ATTEMPTS):
        if attempt.step_run_id in views:
            request = _attempt(clean(attempt, redactor))
            views[attempt.step_run_id].attempts.append(request)
    logs = RunLog.objects.filter(run=run).order_by("id")
    lines = cut("logs", list(logs[: LOGS + 1]), LOGS)
    return RunPage(
        run=run,
        arrived=_arrived(run, redactor),
        output=shown(run.output, redactor),
        steps=list(views.values()),
        logs=[clean(line, redactor) for line in lines],
        replays=cut("replays", _related(run.replays), RELATED),
        children=list(children.values()),
        waiting=run_waits(run),
        stopped_by=[names.get(node, node) for node in run.stopped_by],
        more=frozenset(more),
    )


def _related(runs: Any) -> list[tuple[UUID, str]]:
    return list(runs.order_by("id").values_list("pk", "status")[: RELATED + 1])


def names_of(run: Run) -> dict[str, str]:
    """The names of the steps, by id, in the version that runs."""
    nodes = (item.node for item in walk_nodes(run.version.definition))
    return {node["id"]: str(node.get("name") or node["id"]) for node in nodes}


def _connections(run: Run) -> dict[str, str]:
    """The names of the connections that the steps use, by the steps' ids."""
    found: dict[str, str] = {}
    for item in walk_nodes(run.version.definition):
        config = item.node.get("config")
        if isinstance(config, Mapping) and config.get("connection"):
            found[item.node["id"]] = str(config["connection"])
    return found


def _step(step: StepRun, name: str) -> StepView:
    given = pretty(step.input) if step.input is not None else ""
    return StepView(step, name, given)


def _attempt(attempt: DeliveryAttempt) -> AttemptView:
    return AttemptView(
        attempt,
        body_text(attempt.request_body, cut=attempt.request_truncated),
        body_text(attempt.response_body, cut=attempt.response_truncated),
    )


def _arrived(run: Run, redactor: Redactor) -> Arrived:
    body, size, truncated = str(run.body), None, False
    if not isinstance(run.body, Unreadable):
        size = len(run.body)
        body, truncated = _body(bytes(run.body), run.content_type, redactor)
    return Arrived(
        content_type=run.content_type,
        size=size,
        body=body if truncated else pretty_text(body),
        truncated=truncated,
        headers=_headers(redactor, run.headers),
        query=_tree(redactor, run.query),
        variables=_tree(redactor, run.variables),
    )


def _body(body: bytes, content_type: str, redactor: Redactor) -> tuple[str, bool]:
    """What people may see of a body; of a form in parts its fields, by their names."""
    if is_multipart(content_type):
        payload = parse_body(body, content_type)
        if isinstance(payload, dict):
            return cut(pretty(redactor.data(payload)), BODY)
    return redactor.body(body, content_type, BODY)


def _headers(redactor: Redactor, headers: Any) -> Mapping[str, str] | str:
    if isinstance(headers, Unreadable):
        return str(headers)
    return redactor.headers({name: str(value) for name, value in headers.items()})


def _tree(redactor: Redactor, value: Any) -> str:
    if isinstance(value, Unreadable):
        return str(value)
    return pretty(redactor.data(value)) if value else ""


@dataclass(frozen=True, slots=True)
class Exact:
    """One exact value of a run, for those who may read payloads."""

    title: str
    text: str


def exact(run: Run) -> list[Exact]:
    """Everything that is kept sealed, as it is."""
    steps = list(StepRun.objects.filter(run=run).order_by("id")[:STEPS])
    body, output, *outputs = opened_all(
        [run.body, run.output, *(step.output for step in steps)]
    )
    parts = [
        ("Body", str(body) if isinstance(body, Unreadable) else _as_text(bytes(body))),
        ("Headers", pretty(run.headers)),
        ("Query", pretty(run.query)),
        ("Variables", pretty(run.variables)),
        ("Output of the run", pretty(output)),
    ]
    for step, value in zip(steps, outputs, strict=True):
        parts.append((f"Output of {step.node_id}", pretty(value)))
    return [Exact(title, text) for title, text in parts if text not in ("null", "{}")]


def _as_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1").encode("unicode_escape").decode("ascii")

"""A made-up history of any length, for looking at how fast lists are.

Many runs of a few workflows and few of many, more by day than by night, most of them
good, failures in families, loops with items, some that wait. The same seed gives the
same history. Rows are written by COPY, on SQLite many at once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

from automate.accounts.models import Team
from automate.lib.encryption import EncryptedField
from automate.lib.ids import new_key
from runs.models import DeliveryAttempt, Job, Run, StepRun
from workflows.models import Trigger, Workflow, WorkflowVersion

PIECE = 5_000  # rows at once
# Shares of a thousand runs.
STATUSES = {
    "succeeded": 925, "failed": 45, "dead_letter": 17, "cancelled": 8, "running": 5,
}  # fmt: skip
ITEMS = 0.03  # the share of runs that are items of the loop of the run before
REDRIVES = 0.004
FAMILIES = 60  # kinds of errors
CUSTOMERS = 20_000
# How busy the hours of a day are, by UTC.
HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 9, 9, 8, 7, 8, 9, 9, 8, 6, 5, 4, 3, 2, 2, 1)
NODE = {"id": "send", "type": "set", "config": {"values": {"done": True}}}
WAITS = timedelta(days=365)  # until what waits would be looked at


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow to which runs belong."""

    workflow: UUID
    versions: tuple[UUID, ...]
    trigger: UUID


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of it: runs, workflows, the days of them all, steps of a run."""

    runs: int
    workflows: int = 50
    days: int = 30
    steps: int = 1


def make_flows(count: int, team: Team | None) -> list[Flow]:
    """Active workflows of two versions with a webhook trigger each."""
    tag, made = new_key(64)[:6].lower(), []
    definition = {"nodes": [NODE], "connections": []}
    for number in range(1, count + 1):
        slug = f"history-{tag}-{number}"
        workflow = Workflow.objects.create(
            slug=slug, name=f"History {number}", team=team, definition=definition
        )
        versions = [
            WorkflowVersion.objects.create(
                workflow=workflow, number=at, definition=definition, sha256=f"{at:064}"
            )
            for at in (1, 2)
        ]
        workflow.published, workflow.status = versions[-1], Workflow.Status.ACTIVE
        workflow.save()
        trigger = Trigger.objects.create(
            workflow=workflow, kind="webhook", config={"scheme": "none"}
        )
        ids = tuple(version.pk for version in versions)
        made.append(Flow(workflow.pk, ids, trigger.pk))
    return made


def seed(flows: list[Flow], sizes: Sizes, *, by: int, until: datetime) -> Iterator[int]:
    """Write the history that ends at `until`; yields how many runs there are."""
    maker = _Maker(flows, sizes, random.Random(by), until)  # noqa: S311 - made up
    written = 0
    while written < sizes.runs:
        runs = maker.runs(min(PIECE, sizes.runs - written))
        _write(Run, runs)
        _write(Job, [_job(run, until) for run in runs if run["status"] == "running"])
        if sizes.steps:
            steps = [step for run in runs for step in maker.steps(run)]
            _write(StepRun, steps)
            _write(DeliveryAttempt, maker.attempts(runs))
        written += len(runs)
        yield written


class _Maker:
    """Rows as dictionaries, the oldest runs first."""

    def __init__(
        self, flows: list[Flow], sizes: Sizes, dice: random.Random, until: datetime
    ) -> None:
        self._flows, self._sizes, self._dice = flows, sizes, dice
        weights = [1 / (at + 1) for at in range(len(flows))]
        self._weights = list(accumulate(weights))
        self._families = list(accumulate(1 / (at + 1) for at in range(FAMILIES)))
        self._begin = until - timedelta(days=sizes.days)
        busy = [HOURS[(self._begin + timedelta(hours=at)).hour] for at in range(24)]
        self._hours = [hour / sum(busy) for hour in busy]
        self._number, self._item = 0, 0
        self._before: dict[str, Any] | None = None

    def runs(self, count: int) -> list[dict[str, Any]]:
        """The next runs."""
        return [self._run() for _ in range(count)]

    def _run(self) -> dict[str, Any]:
        dice, at = self._dice, self._moment()
        flow = dice.choices(self._flows, cum_weights=self._weights)[0]
        status = dice.choices(list(STATUSES), list(STATUSES.values()))[0]
        took = timedelta(seconds=min(dice.lognormvariate(-0.5, 1.4), 3600))
        run = {
            "id": self._id(at),
            "workflow_id": flow.workflow,
            "version_id": flow.versions[dice.random() < 0.7],
            "trigger_id": flow.trigger,
            "status": status,
            "event_id": f"event-{self._number}",
            "search_keys": {
                "order": f"o-{self._number}",
                "customer": f"c-{dice.randrange(CUSTOMERS)}",
            },
            "created_at": at,
            "started_at": at + timedelta(milliseconds=dice.randrange(5, 80)),
            "finished_at": None if status == "running" else at + took,
            "content_type": "application/json",
        }
        if status in ("failed", "dead_letter"):
            family = dice.choices(range(FAMILIES), cum_weights=self._families)[0]
            run["error_class"] = f"http_{500 + family % 5}"
            run["error_message"] = f"answered {500 + family % 5} (family {family})"
            run["error_fingerprint"] = f"{family:016x}"
        self._relate(run)
        self._before = run
        return run

    def _relate(self, run: dict[str, Any]) -> None:
        """Make it an item of the loop of the run before it, or a redrive of that."""
        before, chance = self._before, self._dice.random()
        if before is None:
            return
        if chance < ITEMS:
            parent = before.get("parent_id") or before["id"]
            self._item = self._item + 1 if before.get("parent_id") else 0
            run |= {
                "parent_id": parent,
                "parent_node": "each",
                "item_index": self._item,
                "depth": 1,
                "root_run_id": parent,
                "trigger_id": None,
                "event_id": "",
            }
        elif chance < ITEMS + REDRIVES:
            run |= {"replay_of_id": before["id"], "root_run_id": before["id"]}

    def _moment(self) -> datetime:
        """When the next run came: evenly over the days, by the hours within each."""
        share = self._number / self._sizes.runs * self._sizes.days
        self._number += 1
        day, rest = int(share), share % 1
        for hour, part in enumerate(self._hours):
            if rest < part:
                return self._begin + timedelta(days=day, hours=hour + rest / part)
            rest -= part
        return self._begin + timedelta(days=day + 1)

    def _id(self, at: datetime) -> UUID:
        """A UUIDv7 of that moment (RFC 9562, section 5.7), in the calls' order."""
        milliseconds = int(at.timestamp() * 1000)
        tail = self._number << 32 | self._dice.getrandbits(32)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | tail)

    def steps(self, run: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Its steps, the last of which failed if the run did."""
        good = run["status"] == "succeeded"
        for at in range(self._sizes.steps):
            last = at == self._sizes.steps - 1
            status = "succeeded" if good or not last else _ending(run["status"])
            yield {
                "run_id": run["id"],
                "node_id": f"step-{at}",
                "kind": "http_request",
                "status": status,
                "attempt": 1,
                "due_at": run["created_at"] + WAITS if status == "waiting" else None,
                "waiting_for": "delay" if status == "waiting" else "",
                "created_at": run["started_at"],
                "started_at": run["started_at"],
                "finished_at": run["finished_at"],
            }

    def attempts(self, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One request of the first step of each run that has ended."""
        ids = {run["id"] for run in runs}
        first = StepRun.objects.filter(run__in=ids, node_id="step-0")
        steps = dict(first.values_list("run_id", "pk"))
        return [
            {
                "run_id": run["id"],
                "step_run_id": steps[run["id"]],
                "number": 1,
                "method": "POST",
                "url": "https://crm.example.com/hook",
                "request_headers": {"Content-Type": "application/json"},
                "request_body": '{"id": 1042}',
                "response_status": 200 if run["status"] == "succeeded" else 503,
                "response_headers": {},
                "outcome": "delivered" if run["status"] == "succeeded" else "rejected",
                "started_at": run["started_at"],
                "duration_ms": 12,
            }
            for run in runs
            if run["finished_at"] is not None
        ]


def _ending(status: str) -> str:
    return {"cancelled": "cancelled", "running": "waiting"}.get(status, "failed")


def _job(run: dict[str, Any], until: datetime) -> dict[str, Any]:
    """Of a run that waits for a year: no worker takes it."""
    return {
        "run_id": run["id"],
        "workflow_id": run["workflow_id"],
        "due_at": until + WAITS,
    }


def _write(model: type[models.Model], rows: list[dict[str, Any]]) -> None:
    """The rows; what they leave out is the model's default."""
    if not rows:
        return
    text = _copied if connection.vendor == "postgresql" else _bound
    columns = [
        column
        for column in model._meta.concrete_fields
        if not (isinstance(column, models.AutoField) and column.primary_key)
    ]
    usual = [(column.attname, text(_usual(column))) for column in columns]
    lines = [
        [text(row[name]) if name in row else default for name, default in usual]
        for row in rows
    ]
    quote = connection.ops.quote_name
    names = ", ".join(quote(column.column) for column in columns)
    table = quote(model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                copy.write("".join("\t".join(line) + "\n" for line in lines))
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - ours
                lines,
            )


def _usual(column: models.Field[Any, Any]) -> Any:
    """What a column holds of which nothing is said.

    Encrypted once for a piece: a sealed value is bound to its column, not to its row.
    """
    if column.has_default():
        plain = column.get_default()
        sealed = isinstance(column, EncryptedField) and plain is not None
        return column.encrypted(plain) if sealed else plain  # type: ignore[attr-defined]
    given = column.db_default
    if given is not models.NOT_PROVIDED and not hasattr(given, "resolve_expression"):
        return given
    return None if column.null else ""


_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _copied(value: Any) -> str:
    """A value in COPY's text format."""
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return str(value).translate(_ESCAPES)


def _bound(value: Any) -> Any:
    """A value as SQLite stores it."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return value

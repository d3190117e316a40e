"""The runs above a child run: what it sees of them, and where it stands below them.

A loop's item sees the event, the variables and the finished steps of the runs around
it, which are read from there and never copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from automate.lib.encryption import is_readable, may_be_copied
from runs.engine.held import Held
from runs.engine.payload import NO_EVENT, item_of, run_scope, trigger_scope
from runs.engine.versions import Compiled
from runs.models import Run, StepRun
from runs.states import StepStatus

SHAPE = (
    "workflow_id",
    "version_id",
    "parent_id",
    "parent_node",
    "item_index",
    "root_run_id",
    "replay_of_id",
    "variables",
    "hidden",
)
EVENT = ("body", "content_type", "headers", "query", "event_id")
SETTLED = (StepStatus.SUCCEEDED, StepStatus.FAILED)

Versions = Mapping[UUID, Compiled | Exception]


class Orphaned(Exception):
    """The run around this item is gone: what its steps refer to cannot be read."""


@dataclass(slots=True)
class Ancestors:
    """The runs above some child runs, by id, each with `job_pk` while it lives."""

    runs: dict[UUID, Run] = field(default_factory=dict)
    outputs: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    _triggers: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, held: Sequence[Held], versions: Versions) -> Ancestors:
        """One query a level, and one more where bodies refer to steps around them."""
        found = cls()
        bodies = {item.run_id: body_of(item.run, versions) for item in held}
        runs = [item.run for item in held]
        event = any("trigger" in body.roots for body in bodies.values() if body)
        wanted = {run.parent_id for run in runs if run.parent_id is not None}
        while wanted:
            rows = Run.objects.filter(pk__in=wanted).annotate(job_pk=F("job__id"))
            for run in rows.only(*SHAPE, *(EVENT if event else ())):
                found.runs[run.pk] = run
            there = (found.runs[key] for key in wanted if key in found.runs)
            above = {run.parent_id for run in there if run.parent_id is not None}
            wanted = above - found.runs.keys()
        found._read_outputs(held, bodies)
        return found

    def _read_outputs(
        self, held: Sequence[Held], bodies: Mapping[UUID, Compiled | None]
    ) -> None:
        wanted = Q()
        for item in held:
            body = bodies[item.run_id]
            if body is not None and body.outer:
                around = [run.pk for run in self.around(item.run)]
                wanted |= Q(run__in=around, node_id__in=body.outer)
        if not wanted:
            return
        rows = StepRun.objects.filter(wanted, status__in=SETTLED)
        for run_id, node_id, output in rows.values_list("run", "node_id", "output"):
            self.outputs.setdefault(run_id, {})[node_id] = output

    def above(self, run: Run) -> list[Run]:
        """The runs above this one, nearest first, as far as they are there."""
        found = []
        parent = self.runs.get(run.parent_id) if run.parent_id else None
        while parent is not None:
            found.append(parent)
            parent = self.runs.get(parent.parent_id) if parent.parent_id else None
        return found

    def around(self, item: Run) -> list[Run]:
        """The runs that an item stands in: up to the first that is no item itself."""
        found = []
        for run in self.above(item):
            found.append(run)
            if run.item_index is None:
                break
        return found

    def parent_job(self, run: Run) -> int | None:
        """The job of the run that waits for this one, if it still lives."""
        parent = self.runs.get(run.parent_id) if run.parent_id else None
        if parent is None or run.replay_of_id is not None:
            return None
        job: int | None = getattr(parent, "job_pk", None)
        return job

    def place(self, run: Run) -> str:
        """Where a run stands below the first of its family; empty for that itself."""
        line = [run, *self.above(run)]
        return "/".join(place_in_parent(item) for item in line if item.parent_node)

    def scope(self, held: Held, body: Compiled) -> dict[str, Any]:
        """What the templates of a loop's item see. Raises for what cannot be read."""
        around = self.around(held.run)
        if not around or around[-1].item_index is not None:
            raise Orphaned("the run around this item was deleted")
        base = around[-1]
        steps: dict[str, Any] = {}
        for run in reversed(around):
            for name, output in self.outputs.get(run.pk, {}).items():
                if name not in body.outer:
                    continue
                if not may_be_copied(output):  # else it is fetched when it is read
                    raise ValueError(f"the output of step {name} is {output}")
                steps[name] = output
        scope: dict[str, Any] = {
            "trigger": NO_EVENT,  # nobody asks
            "item": item_of(held.run),
            "index": held.run.item_index,
            "steps": steps,
            "variables": {**body.variables, **variables_of(base)},
            "run": run_scope(held.run, held.slug, body.number),
        }
        if "trigger" in body.roots:
            if base.pk not in self._triggers:
                self._triggers[base.pk] = trigger_scope(base)
            scope["trigger"] = self._triggers[base.pk]
        return scope


def place_in_parent(run: Run) -> str:
    """The step that started a run, and which of its items the run is."""
    index = "" if run.item_index is None else f"[{run.item_index}]"
    return f"{run.parent_node}{index}"


def body_of(run: Run, versions: Versions) -> Compiled | None:
    """The body of the loop whose item this run is; None when it is none."""
    version = versions[run.version_id]
    if run.item_index is None or isinstance(version, Exception):
        return None
    return version.bodies.get(run.parent_node)


def variables_of(run: Run) -> dict[str, Any]:
    """The variables that came with the run; ValueError when they are unreadable."""
    value = run.variables
    if not is_readable(value):
        raise ValueError(f"the run's variables are {value}")
    return dict(value or {})


def children(held: Iterable[Held]) -> list[Held]:
    """Those that have a parent."""
    return [item for item in held if item.run.parent_id is not None]

"""The planner again, slowly: rules applied until nothing changes, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runs.engine.plan import Edge, StepState
from runs.states import StepStatus

OPEN = (StepStatus.RUNNING, StepStatus.WAITING)


@dataclass
class Told:
    """What the rules say, as sets: they know no order."""

    start: set[str] = field(default_factory=set)
    complete: set[str] = field(default_factory=set)
    skip: set[str] = field(default_factory=set)
    cancel: set[str] = field(default_factory=set)
    stopped_by: set[str] = field(default_factory=set)
    ends: bool = False


@dataclass
class World:
    """A graph without an order, and where its steps stand."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    on_error: Mapping[str, str]
    states: Mapping[str, StepState]
    now: datetime
    entries: frozenset[str]
    side_ports: Mapping[str, frozenset[str]]

    def tell(self) -> Told:
        """Apply the rules of joining until nothing changes."""
        told = Told(stopped_by={n for n in self.nodes if self._stops(n)})
        taken = self._decided(told)
        while self._skip_one(told, taken):
            pass
        if told.stopped_by:
            self._stop(told)
            return told
        told.start = {n for n in self.nodes if self._begins(n, taken)}
        left_open = {n for n, s in self.states.items() if s.status in OPEN}
        told.ends = not told.start and not left_open - told.complete
        return told

    def _stops(self, node: str) -> bool:
        state = self.states.get(node)
        failed = state is not None and state.status is StepStatus.FAILED
        return failed and self.on_error[node] == "stop"

    def _decided(self, told: Told) -> dict[str, set[str]]:
        taken: dict[str, set[str]] = {}
        for node, state in self.states.items():
            if state.status is StepStatus.SUCCEEDED:
                taken[node] = self._ports(node, state)
            elif state.status is StepStatus.FAILED:
                rule = self.on_error[node]
                taken[node] = {"continue": {"success"}, "branch": {"failure"}}.get(
                    rule, set()
                )
            elif state.status in (StepStatus.SKIPPED, StepStatus.CANCELLED):
                taken[node] = set()
            elif self._time_is_up(state) and not told.stopped_by:
                told.complete.add(node)
                taken[node] = self._ports(node, state)
        return taken

    def _ports(self, node: str, state: StepState) -> set[str]:
        if state.port in self.side_ports.get(node, ()):
            return {state.port}
        return {"success", state.port} - {""}

    def _time_is_up(self, state: StepState) -> bool:
        return state.waiting_for == "time" and self._due(state)

    def _due(self, state: StepState) -> bool:
        return (
            state.status is StepStatus.WAITING
            and state.due_at is not None
            and state.due_at <= self.now
        )

    def _into(self, node: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.target == node]

    def _skip_one(self, told: Told, taken: dict[str, set[str]]) -> bool:
        nodes = list(self.nodes)
        random.shuffle(nodes)
        for node in nodes:
            if self._has_begun(node) or node in taken or node in self.entries:
                continue
            edges = self._into(node)
            if any(edge.source not in taken for edge in edges):
                continue
            is_entry = not edges and not self.entries
            if is_entry or any(edge.on in taken[edge.source] for edge in edges):
                continue
            told.skip.add(node)
            taken[node] = set()
            return True
        return False

    def _has_begun(self, node: str) -> bool:
        state = self.states.get(node)
        return state is not None and state.status is not StepStatus.PENDING

    def _begins(self, node: str, taken: Mapping[str, set[str]]) -> bool:
        if self._has_begun(node):
            state = self.states[node]
            return self._due(state) and not self._time_is_up(state)
        if node in taken:
            return False
        if node in self.entries:
            return True
        edges = self._into(node)
        if not edges:
            return not self.entries
        decided = all(edge.source in taken for edge in edges)
        return decided and any(edge.on in taken[edge.source] for edge in edges)

    def _stop(self, told: Told) -> None:
        statuses = {state.status for state in self.states.values()}
        if StepStatus.RUNNING in statuses:
            return
        told.ends = True
        before = told.skip
        told.skip = before | {n for n in self.nodes if n not in self.states}
        held = (StepStatus.WAITING, StepStatus.PENDING)
        open_steps = {n for n, s in self.states.items() if s.status in held}
        told.cancel = open_steps - before


def names(items: Iterable[str]) -> set[str]:
    """As a set, and none of them twice."""
    listed = list(items)
    assert len(listed) == len(set(listed)), f"twice: {listed}"
    return set(listed)

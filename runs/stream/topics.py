"""What is known of a watched run or workflow, and what of it is new to a viewer.

A topic keeps the latest state of each thing, with the number of the look that changed
it. A viewer remembers one number. So whoever reads slowly is told the latest state of
what changed meanwhile, and nothing waits for it in memory.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from runs.states import FINAL_RUN
from runs.stream.look import NEWEST, Known, Row

ENDED = "end"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed; `data` is JSON, `id` empty or where to go on from."""

    kind: str
    data: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader was: a `Last-Event-ID` of ours."""

    stamp: str = ""
    attempt: int = 0
    log: int = 0

    @classmethod
    def read(cls, text: str) -> Position:
        """What the id says; the beginning for one that is not ours."""
        stamp, _, rest = text.partition("-")
        attempt, _, log = rest.partition("-")
        if not _is_number(attempt) or not _is_number(log):
            return cls()
        return cls(stamp, int(attempt), int(log))

    def __str__(self) -> str:
        return f"{self.stamp}-{self.attempt}-{self.log}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


@dataclass(frozen=True, slots=True)
class _Entry:
    look: int
    kind: str
    number: int
    data: str


class Topic(ABC):
    """What viewers of one thing are told; `looks` counts the looks that changed it."""

    kind = ""

    def __init__(self, key: UUID) -> None:
        self.key = key
        self.looks = 0
        self.has_ended = False
        self._cached: tuple[int, list[Event]] = (-1, [])

    @abstractmethod
    def take(self, rows: Iterable[Row]) -> bool:
        """Learn what a look found. False when none of it was new."""

    def after(self, look: int) -> list[Event]:
        """What has changed since this look, the last of it with an id."""
        if self._cached[0] != look:
            self._cached = (look, self._events(look))
        return self._cached[1]

    def beginning(self, last_id: str) -> list[Event]:
        """What somebody who comes now is told, who may have been here before."""
        del last_id
        return self._events(0)

    @abstractmethod
    def _events(self, look: int) -> list[Event]:
        """As `after`, made anew."""

    def _changed(self) -> None:
        self._cached = (-1, [])


class RunTopic(Topic):
    """One run with its steps, and the newest of its attempts and log lines."""

    kind = "run"

    def __init__(self, key: UUID) -> None:
        super().__init__(key)
        self.known = Known()
        self._run: _Entry | None = None
        self._steps: dict[str, _Entry] = {}
        self._attempts: list[_Entry] = []
        self._lines: list[_Entry] = []

    def take(self, rows: Iterable[Row]) -> bool:
        """As above."""
        rows = sorted(rows, key=lambda row: row.number)
        if not rows:
            return False
        self.looks += 1
        self._changed()
        for row in rows:
            if row.part == "run":
                self._take_run(row.data)
            elif row.part == "step":
                self._take_step(row)
            elif row.part == "attempt":
                self._attempts.append(self._entry(row))
                self.known = replace(self.known, attempt=row.number)
            else:
                self._lines.append(self._entry(row))
                self.known = replace(self.known, log=row.number)
        del self._attempts[:-NEWEST], self._lines[:-NEWEST]
        return True

    def _take_run(self, data: dict[str, Any]) -> None:
        self.known = replace(self.known, stamp=data["stamp"])
        self.has_ended = data["status"] in FINAL_RUN
        shown = _shown(data)
        if self._run is None or self._run.data != shown:
            self._run = _Entry(self.looks, "run", 0, shown)

    def _take_step(self, row: Row) -> None:
        before, now = self._steps.get(row.data["id"]), self._entry(row)
        if before is None or before.data != now.data:
            self._steps[row.data["id"]] = now

    def _entry(self, row: Row) -> _Entry:
        return _Entry(self.looks, row.part, row.number, _dumps(row.data))

    @property
    def position(self) -> Position:
        """Where whoever was told everything is."""
        return Position(_digest(self.known.stamp), self.known.attempt, self.known.log)

    def beginning(self, last_id: str) -> list[Event]:
        """All of the run and its steps, unless it is as it was; what is new besides."""
        was, now = Position.read(last_id), self.position
        states = [] if was.stamp == now.stamp else list(self._states())
        attempts = [one for one in self._attempts if one.number > was.attempt]
        lines = [one for one in self._lines if one.number > was.log]
        return self._told([*states, *attempts, *lines])

    def _events(self, look: int) -> list[Event]:
        entries = [*self._states(), *self._attempts, *self._lines]
        return self._told([one for one in entries if one.look > look])

    def _states(self) -> Iterator[_Entry]:
        if self._run is not None:
            yield self._run
        yield from self._steps.values()

    def _told(self, entries: list[_Entry]) -> list[Event]:
        """The events; an id only at the last, so that nobody goes on from within."""
        events = [Event(one.kind, one.data) for one in entries]
        if events:
            events[-1] = replace(events[-1], id=str(self.position))
        return events

    def end(self) -> Event:
        """What is said when there will be no more."""
        data = self._run.data if self._run is not None else "{}"
        return Event(ENDED, data, str(self.position))


class WorkflowTopic(Topic):
    """The newest runs of a workflow, and those that have just ended."""

    kind = "workflow"
    most = 500  # runs that it remembers; those of the latest look in any case

    def __init__(self, key: UUID) -> None:
        super().__init__(key)
        self._runs: dict[str, _Entry] = {}

    def take(self, rows: Iterable[Row]) -> bool:
        """As above."""
        shown = {row.data["id"]: _shown(row.data) for row in rows}
        fresh = {
            run: data
            for run, data in shown.items()
            if run not in self._runs or self._runs[run].data != data
        }
        if not fresh and self.looks:
            return False
        self.looks += 1
        self._changed()
        for run, data in fresh.items():
            self._runs[run] = _Entry(self.looks, "run", 0, data)
        if len(self._runs) > self.most:
            self._runs = {run: self._runs[run] for run in shown}
        return True

    def _events(self, look: int) -> list[Event]:
        entries = sorted(self._runs.items())  # ids of runs sort by time
        return [Event("run", one.data) for _, one in entries if one.look > look]


def _shown(run: dict[str, Any]) -> str:
    return _dumps({name: run[name] for name in run if name != "stamp"})


def _dumps(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _digest(stamp: str) -> str:
    return hashlib.sha256(stamp.encode()).hexdigest()[:16]

"""What is known in memory of a step that started child runs; values, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

CHUNK = 500  # children that one transaction starts


@dataclass(frozen=True, slots=True)
class Callee:
    """A workflow that a step runs, as it was published when the step began.

    `declared` are its own variables, read where something needs them. `keys_above`
    are its exclusive keys that runs have which wait for the calling one.
    """

    workflow_id: UUID
    version_id: UUID
    run_timeout: int
    exclusive: str = ""
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keys_above: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Before:
    """Children that runs before this one had, by item: done, and only begun."""

    done: Mapping[int, UUID] = field(default_factory=dict)
    begun: Mapping[int, UUID] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Child:
    """How a child run ended; without `run_id` it was deleted since."""

    index: int
    run_id: UUID | None
    status: str
    output: Any = field(repr=False)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The children of a step whose wait is over, in the order of their items.

    `too_large` when their outputs together are more than a step may give. When the
    first failure ended the wait, it is the only one.
    """

    children: tuple[Child, ...] = ()
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """The children of one step: how many there are, and how many are stored.

    `inputs` is empty once all are stored: then nobody needs them. `started` is the
    index of the next input to start. `before` are children of runs that this one
    redrives. `ended` is set when the wait is over.
    """

    count: int
    inputs: tuple[Any, ...] = field(default=(), repr=False)
    concurrency: int = 1
    started: int = 0
    before: Before = field(default_factory=Before)
    callee: Callee | None = None
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    exclusive_key: str = ""
    waits: bool = True
    ended: Ended | None = None

    @property
    def is_started(self) -> bool:
        """Whether every child is stored."""
        return self.started >= self.count


@dataclass(frozen=True, slots=True)
class Birth:
    """A child to be stored: its place among the items, and what it gets.

    `goes_on` is the run before it that it continues.
    """

    id: UUID
    index: int
    input: Any = field(repr=False)
    goes_on: UUID | None = None


@dataclass(frozen=True, slots=True)
class Births:
    """Children of one step that one transaction stores."""

    node_id: str
    loop: Loop
    children: tuple[Birth, ...]
    first: bool  # none is stored yet

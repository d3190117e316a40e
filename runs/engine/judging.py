"""What results tell of the receivers behind connections: whether they work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runs.engine.held import Held
from runs.engine.task import Result, Task
from workflows.actions.outcomes import Done, Retry

if TYPE_CHECKING:
    from runs.engine.draft import Draft

# Of a request that got no answer: it was the receiver that failed, not our rules.
FAILURES = frozenset({"name", "connect", "tls", "timeout", "reset", "protocol"})

Probe = tuple["Draft", str, bool | None]  # of which run, which step, how it went
Wanting = tuple["Draft", Task]


@dataclass(slots=True)
class Judged:
    """What one turn tells of one connection's receiver."""

    name: str = ""
    attempts: int = 0
    failures: int = 0
    error: str = ""
    last: Draft | None = None  # of the last failure
    probes: list[Probe] = field(default_factory=list)


def judge(
    work: Mapping[Held, Sequence[Result]],
    drafts: Sequence[Draft],
    shut: Collection[UUID],
) -> dict[UUID, Judged]:
    """By connection what these results tell; of the `shut` ones perhaps of a probe."""
    found: dict[UUID, Judged] = defaultdict(Judged)
    for draft in drafts:
        version = draft.held.version
        if version is None or not version.connections:
            continue
        for result in work.get(draft.held, ()):
            link = link_of(draft.held, result.node_id)
            if link is None:
                continue
            key, name = link
            good = is_good(result.outcome)
            if key in shut:
                found[key].name = name
                found[key].probes.append((draft, result.node_id, good))
            if good is None:
                continue
            one = found[key]
            one.name = name
            one.attempts += 1
            if not good:
                one.failures += 1
                one.error, one.last = _error(result.outcome), draft
    return found


def wanted_on(
    drafts: Sequence[Draft], keys: Collection[UUID]
) -> dict[UUID, list[Wanting]]:
    """The steps that are to begin on these connections."""
    found: dict[UUID, list[Wanting]] = defaultdict(list)
    for draft in drafts if keys else ():
        for task in draft.tasks:
            link = link_of(draft.held, task.node.id)
            if link is not None and link[0] in keys:
                found[link[0]].append((draft, task))
    return found


def link_of(held: Held, node_id: str) -> tuple[UUID, str] | None:
    """Id and name of the connection that this step uses, if it does."""
    node = held.version.nodes.get(node_id) if held.version is not None else None
    if node is None or not node.connection:
        return None
    found = held.supplies.connections.get(node.connection)
    return (found.id, found.name) if found is not None and found.id else None


def is_good(outcome: Any) -> bool | None:
    """Whether the receiver works; None where nothing was sent that could tell.

    An answer below 500 is one of a receiver that works, also 408, 425 and 429 (their
    Retry-After is the retry's): a 4xx is about the request.
    """
    attempt = getattr(outcome, "attempt", None)
    if attempt is None:
        return None
    if isinstance(outcome, Done):
        return True
    if attempt.response_status is not None:
        return bool(attempt.response_status < 500)
    if attempt.error_kind == "token" and isinstance(outcome, Retry):
        return False  # its token endpoint is away, which holds threads as well
    return False if attempt.error_kind in FAILURES else None


def _error(outcome: Any) -> str:
    error = getattr(outcome, "error", None)
    return f"{error.error_class}: {error.message}" if error is not None else ""

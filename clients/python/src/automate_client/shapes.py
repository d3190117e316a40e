"""What answers hold; the whole contract is docs/api-contracts.md."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

# `class` is no name in Python, so this one is not written as a class.
RunError = TypedDict("RunError", {"class": str, "message": str, "fingerprint": str})


class Run(TypedDict):
    """A run; what lists leave out is not required."""

    id: str
    workflow_id: str
    workflow: str
    version: int
    status: str
    event_id: str
    error: RunError | None
    error_message: str | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    replay_of: str | None
    parent_id: str | None
    links: dict[str, str]
    payload: NotRequired[Any]
    variables: NotRequired[dict[str, Any]]
    output: NotRequired[Any]
    results: NotRequired[dict[str, Any]]


class Execution(TypedDict):
    """What became of a call of `execute`."""

    run_id: str
    status: str
    result: Any
    error: RunError | None

"""What publishing warns of: steps that may wait longer than their run may last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from workflows.actions import base as actions
from workflows.definition import Problem, walk_nodes


def long_waits(definition: Mapping[str, Any], run_timeout: int) -> Iterator[Problem]:
    """A warning for each step that `run_timeout` (seconds) would cut short."""
    allowed = timedelta(seconds=run_timeout)
    for item in walk_nodes(definition):
        longest = actions.get(item.node["type"]).longest_wait(item.node["config"])
        if longest is not None and longest >= allowed:
            yield Problem(
                f"{item.path}.config",
                f"waits up to {_shown(longest)}, but its run is failed after "
                f"{_shown(allowed)}: give the workflow a longer run_timeout",
            )


def _shown(length: timedelta) -> str:
    """Days, hours, minutes and seconds, as a document writes them."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"

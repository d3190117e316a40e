"""Search keys: what people find a run by, read from the event that it begins with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from automate.lib import jsonio
from automate.lib.jsonio import storable_text
from runs.engine.exclusive_key import Arrived, event_scope
from workflows import expressions
from workflows.models import Workflow

logger = logging.getLogger(__name__)

LONGEST = 200  # characters of a value

Scope = Callable[[str], Mapping[str, Any]]


def read_keys(sources: Mapping[str, str], scope_for: Scope) -> dict[str, str]:
    """The keys that the event has, as texts; one that cannot be read is left out.

    `scope_for` gives what an expression may refer to.
    """
    found: dict[str, str] = {}
    for name, source in sources.items():
        try:
            value = expressions.render(source, scope_for(source))
        except expressions.ExpressionError as error:
            logger.info("search key %s: %s", name, error)
            continue
        if value is not None:
            text = value if isinstance(value, str) else jsonio.dumps(value)
            found[name] = storable_text(text)[:LONGEST]
    return found


def search_keys(
    workflow: Workflow, event: Arrived, variables: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """The search keys of an event that starts this workflow's published version."""
    return read_keys(
        workflow.search_keys,
        lambda source: event_scope(workflow, event, source, variables=variables),
    )

"""Variables that come with a start, checked against the version that is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runs.services.errors import BadVariables
from workflows.definition.overrides import overriding
from workflows.models import WorkflowVersion


def checked(version: WorkflowVersion, given: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides as they are stored, when the version declares each of them.

    A value takes the declared one's place as a whole, whatever its type. Raises
    BadVariables with everything that is wrong.
    """
    values, wrong = overriding(version.definition.get("variables") or {}, given)
    if wrong:
        raise BadVariables(version, wrong)
    return values

"""What schemathesis cannot make up: which objects there are, and marks of pages.

`FUZZ_WORLD` names a file: by the name of a path's variable, what a test has made.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

KNOWN: dict[str, list[str]] = json.loads(Path(os.environ["FUZZ_WORLD"]).read_text())
# What would take the others their object away.
ENDING = ("DELETE",)
NO_KEY = "00000000-0000-7000-8000-000000000000"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Most cases ask about what is there; valid ones invent no marks of pages.

    Those that are to be refused too: who lets a fault pass does so only where there is
    something to pass it to.
    """
    if case.method in ENDING:
        _spare(case.path_parameters or {})
    if case.meta is None:
        return
    valid = case.meta.generation.mode.is_positive
    if valid and "cursor" in (case.query or {}):
        del case.query["cursor"]
    # Chains of calls go on with what they have made.
    chained = case.meta.phase.name == TestPhase.STATEFUL
    if chained or case.method in ENDING or not case.path_parameters:
        return
    if case.meta.is_negative_at(ParameterLocation.PATH):
        return
    # All valid cases at an edge have one path.
    always = not valid or case.meta.phase.name == TestPhase.COVERAGE
    for name, value in case.path_parameters.items():
        known = KNOWN.get(name)
        if not known or str(value) in known:  # cases that share what they hold
            continue
        number = zlib.crc32(str(value).encode())
        if always or number % 4:
            case.path_parameters[name] = known[number % len(known)]


def _spare(named: dict[str, Any]) -> None:
    """Who asks by a key may learn its id, and goes on asking by it."""
    for name, value in named.items():
        if value in KNOWN["key_id"]:
            named[name] = NO_KEY

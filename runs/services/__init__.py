"""The public verbs of runs: accept, cancel, redrive."""

from runs.engine.payload import trigger_payload
from runs.services.accept import (
    Accepted,
    Dedupe,
    Event,
    Target,
    accept,
    execute_manually,
)
from runs.services.errors import NotRunnable, RedriveRefused, RunServiceError
from runs.services.repair import cancel, redrive

__all__ = [
    "Accepted",
    "Dedupe",
    "Event",
    "NotRunnable",
    "RedriveRefused",
    "RunServiceError",
    "Target",
    "accept",
    "cancel",
    "execute_manually",
    "redrive",
    "trigger_payload",
]

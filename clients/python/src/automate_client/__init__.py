"""A typed client for the API of Automate: see `Automate`."""

from automate_client.client import Automate, Workflow
from automate_client.errors import (
    ApiError,
    AutomateError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServerError,
    StillRunning,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from automate_client.events import Event
from automate_client.shapes import Execution, Run, RunError

__all__ = [
    "ApiError",
    "Automate",
    "AutomateError",
    "BadRequest",
    "Conflict",
    "Event",
    "Execution",
    "Forbidden",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Run",
    "RunError",
    "ServerError",
    "StillRunning",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Workflow",
]

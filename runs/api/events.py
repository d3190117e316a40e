"""The address of a run's events, on the web server: they are at the stream listener."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.lib.rest import ApiError
from automate.lib.rest.described import described
from automate.lib.rest.strict import StrictQuery
from runs.addresses import events_url
from runs.api.base import RunView, visible_runs

RETRY_AFTER = 60  # seconds, until somebody has mended the proxy
EVENTS = {
    "type": "string",
    "description": "Server-Sent Events: `run`, `step`, `attempt`, `log` and `end`, "
    "each with the whole state of its thing as JSON.",
}


class Events(RunView):
    """Sends whoever asks here to the stream listener."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described(
        "watch_run",
        {200: EVENTS, 204: None, 307: None},
        query=StrictQuery,
        media={200: "text/event-stream"},
        takes=("Last-Event-ID",),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """307. Raises ApiError 503 where a proxy should have passed this on."""
        StrictQuery.read_query(request)
        self.find(visible_runs(request).only("id"), run_id)
        if _is_here():
            raise ApiError(
                503,
                Code.UNAVAILABLE,
                "The proxy must pass addresses that end in /events on to the stream "
                "listener (docs/operations.md).",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        return Response(status=307, headers={"Location": events_url(run_id)})


def _is_here() -> bool:
    """Whether listener and web server have one origin, which only a proxy can make."""
    ours, theirs = urlsplit(settings.PUBLIC_URL), urlsplit(settings.STREAM_URL)
    return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

"""Workers: who is alive and how busy."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import admin
from django.utils import timezone

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import block, duration, pill, pretty, when
from runs.models import Worker


def is_alive(worker: Worker) -> bool:
    """Whether a worker gave a sign of life within three heartbeats."""
    return worker.beat_at > timezone.now() - timedelta(seconds=3 * settings.HEARTBEAT)


class WorkerAdmin(ReadOnlyAdmin):
    """Drains with their last heartbeat."""

    list_display = (
        "__str__", "state", "seat", "load", "last_beat", "since",
    )  # fmt: skip
    search_fields = ("host",)
    fields = (
        "kind", "host", "pid", "seat", "state", "load", "last_beat", "started_at",
        "details",
    )  # fmt: skip

    since = when("started_at", "since", sortable=True)

    @admin.display(description="state")
    def state(self, worker: Worker) -> str:
        """Alive, or silent for longer than three heartbeats."""
        return (
            pill("succeeded", "alive") if is_alive(worker) else pill("failed", "silent")
        )

    @admin.display(description="busy threads")
    def load(self, worker: Worker) -> str:
        """Steps in progress, of how many at once."""
        return f"{worker.busy} of {worker.threads}" if worker.threads else "–"  # noqa: RUF001

    @admin.display(description="last heartbeat", ordering="beat_at")
    def last_beat(self, worker: Worker) -> str:
        """How long ago it last gave a sign of life."""
        return f"{duration(worker.beat_at, None)} ago"

    @admin.display(description="figures")
    def details(self, worker: Worker) -> str:
        """What it says about itself."""
        return block(pretty(worker.stats)) if worker.stats else "–"  # noqa: RUF001

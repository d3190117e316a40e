"""`manage.py reap`: give back the runs of workers that vanished, by hand."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from runs.engine.reap import Reaper


class Command(BaseCommand):
    """Two looks a heartbeat apart, as every worker does all the time."""

    help = "Make runs due again whose workers vanished; workers do this by themselves."

    def handle(self, **_: Any) -> None:
        """Says how many runs were given back or ended."""
        reaper = Reaper()
        reaper.look()
        time.sleep(settings.HEARTBEAT)
        self.stdout.write(f"{reaper.look()} run(s) given back.")

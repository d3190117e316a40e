"""`manage.py cancel RUN...`: end runs at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs import services
from runs.models import Run


class Command(BaseCommand):
    """Cancels runs by their ids, whatever they are doing."""

    help = "End runs at once; results that come later are discarded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", nargs="+", type=UUID, metavar="RUN", help="its id")
        parser.add_argument("--reason", default="", help="kept with the run")

    def handle(self, **options: Any) -> None:
        """Cancel each; fails when one of them does not exist."""
        known = Run.objects.in_bulk(options["runs"])
        for key in options["runs"]:
            run = known.get(key)
            if run is None:
                raise CommandError(f"There is no run {key}.")
            ended = services.cancel(run, by=None, reason=options["reason"])
            word = "cancelled" if ended else f"had ended already: {run.status}"
            self.stdout.write(f"{key} {word}")

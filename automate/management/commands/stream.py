"""`manage.py stream`: the listener that tells of runs as they change."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from automate import ports, stream


class Command(BaseCommand):
    help = "Serve streams of what happens to runs (…/events and /ws/), until SIGTERM."
    # They load every page of the site, of which this process serves none.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, and for how many."""
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument("--port", type=int, default=8001, help="default: 8001")
        parser.add_argument(
            "--processes", type=int, default=1, help="default: 1, which is plenty"
        )
        parser.add_argument(
            "--viewers",
            type=int,
            default=1000,
            help="streams at once in a process, a quarter of which one key or person "
            "may have; default: 1000",
        )

    def handle(self, **options: Any) -> None:
        """Serve. Raises CommandError for what cannot be."""
        if options["processes"] < 1 or options["viewers"] < 1:
            raise CommandError("--processes and --viewers must be 1 or more.")
        host, port = options["host"], options["port"]
        why = ports.why_taken(host, port)
        if why:
            raise CommandError(f"Port {port} of {host} cannot be used: {why.lower()}.")
        stream.serve(
            host, port, workers=options["processes"], capacity=options["viewers"]
        )

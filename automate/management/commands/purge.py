"""`manage.py purge`: throw away what has passed its retention."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runs.maintenance import purge


class Command(BaseCommand):
    help = (
        "Delete finished runs past their retention, expired idempotency keys and "
        "sessions, old inbound events and workers that are gone. The audit is kept. "
        "A cluster does this every day by itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--dry-run and --json."""
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count what would go."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Prints how many rows of each kind went, or would."""
        dry_run = options["dry_run"]
        counts = purge(dry_run=dry_run)
        if options["json"]:
            report = {"dry_run": dry_run, "deleted": counts}
            self.stdout.write(json.dumps(report, indent=2))
            return
        verb = "would be deleted" if dry_run else "deleted"
        for name, count in counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count} {verb}")

"""`manage.py rotate_keys`: every encrypted value under the first key."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from automate.lib.key_ring import get_ring
from automate.rotation import rotate


class Command(BaseCommand):
    help = (
        "Re-encrypt secrets and payloads under the first of FIELD_ENCRYPTION_KEYS. "
        "Put the new key first, keep the old ones, restart every process, then run "
        "this. It can be stopped and started again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--batch and --json."""
        parser.add_argument(
            "--batch", type=int, default=200, help="Rows to a transaction."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Exit status 1 when something could not be read."""
        if options["batch"] < 1:
            raise CommandError("--batch must be 1 or more.")
        first = get_ring().key_ids[0]
        reports = []
        for report in rotate(options["batch"]):
            reports.append(report)
            if not options["json"]:
                self.stdout.write(
                    f"{report.column}: {report.rotated} re-encrypted"
                    + (
                        f", {report.unreadable.total()} unreadable"
                        * bool(report.unreadable)
                    )
                )
        unreadable = sum((report.unreadable.total() for report in reports), 0)
        if options["json"]:
            columns = {
                report.column: {
                    "rotated": report.rotated,
                    "unreadable": dict(report.unreadable),
                }
                for report in reports
            }
            done = sum(report.rotated for report in reports)
            summary = {"key": first, "rotated": done, "unreadable": unreadable}
            self.stdout.write(json.dumps({**summary, "columns": columns}, indent=2))
        elif not unreadable:
            self.stdout.write(f"Everything is under key {first}.")
        if unreadable:
            raise CommandError(
                f"{unreadable} value(s) could not be read and were left as they are. "
                "Add the keys they were written with to FIELD_ENCRYPTION_KEYS, after "
                "the first, and run this again."
            )

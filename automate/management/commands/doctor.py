"""`manage.py doctor`: is this installation well, and what to do if not?"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from automate.doctor import FAIL, WARN, examine


class Command(BaseCommand):
    help = "Examine this installation; exit status 1 when something fails."
    # What they find is part of the report.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Prints a line for each finding, and what to do below it."""
        findings = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                colour = {FAIL: self.style.ERROR, WARN: self.style.WARNING}
                paint = colour.get(finding.level, self.style.SUCCESS)
                level = paint(f"{finding.level:<5}")
                self.stdout.write(f"{level} {finding.name}: {finding.message}")
                if finding.todo:
                    self.stdout.write(f"      -> {finding.todo}")
        failed = any(finding.level == FAIL for finding in findings)
        if options["json"]:
            listed = [finding.as_dict() for finding in findings]
            self.stdout.write(
                json.dumps({"ok": not failed, "findings": listed}, indent=2)
            )
        if failed:
            sys.exit(1)

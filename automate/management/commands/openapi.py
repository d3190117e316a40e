"""`manage.py openapi`: docs/openapi.json, the description of the API."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from automate.env import BASE_DIR
from automate.openapi.document import FILE, text


class Command(BaseCommand):
    help = f"Write {FILE}, the description of the API (OpenAPI 3.1), from the code."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """--check, --print."""
        parser.add_argument(
            "--check", action="store_true", help="Exit with 1 when the file differs."
        )
        parser.add_argument(
            "--print", action="store_true", help="Print it; write nothing."
        )

    def handle(self, *, check: bool, **options: Any) -> None:
        """Writes, prints or compares the file."""
        made = text()
        if options["print"]:
            self.stdout.write(made, ending="")
            return
        path = BASE_DIR / FILE
        stored = path.read_text(encoding="utf-8") if path.is_file() else None
        if stored == made:
            self.stdout.write(f"{FILE} is up to date.")
        elif check:
            self.stderr.write(f"Out of date: {FILE}. Run: manage.py openapi")
            sys.exit(1)
        else:
            path.write_text(made, encoding="utf-8")
            self.stdout.write(f"Wrote {FILE}.")

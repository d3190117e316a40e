"""Writes the JSON Schema of workflow documents, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows.services.published_schema import schema_text


class Command(BaseCommand):
    help = "Writes the JSON Schema of workflow documents to FILE, or prints it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="without it: standard output")
        parser.add_argument(
            "--built-in",
            action="store_true",
            help="leave out the step and trigger kinds of plugins",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text = schema_text(built_in=options["built_in"])
        if not options["file"]:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["file"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(str(error)) from error

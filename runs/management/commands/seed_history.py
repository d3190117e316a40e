"""`manage.py seed_history`: a made-up history, for looking at how fast lists are."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone
from django.utils.text import slugify

from automate.accounts.models import Team
from runs.models import Run
from runs.seeding import Sizes, make_flows, seed


class Command(BaseCommand):
    help = (
        "Write a made-up history of runs into this database, for measuring: never into "
        "one that is in use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How much of it."""
        parser.add_argument(
            "--runs", type=int, default=1_000_000, help="default: 1000000"
        )
        parser.add_argument("--workflows", type=int, default=50, help="default: 50")
        parser.add_argument("--days", type=int, default=30, help="default: 30")
        parser.add_argument(
            "--steps", type=int, default=1, help="of each run; default: 1"
        )
        parser.add_argument(
            "--team", help="whose workflows they are; default: nobody's"
        )
        parser.add_argument("--seed", type=int, default=1, help="for another history")
        parser.add_argument(
            "--beside",
            action="store_true",
            help="although there are runs already that are not made up",
        )

    def handle(self, **options: Any) -> None:
        """Refuses a database with runs of its own, unless told otherwise."""
        numbers = {
            name: options[name] for name in ("runs", "workflows", "days", "steps")
        }
        if min(numbers["runs"], numbers["workflows"], numbers["days"]) < 1:
            raise CommandError("--runs, --workflows and --days must be 1 or more.")
        if not 0 <= numbers["steps"] <= 20:
            raise CommandError("--steps must be from 0 to 20.")
        real = Run.objects.exclude(workflow__slug__startswith="history-")
        if not options["beside"] and real.exists():
            raise CommandError(
                f"There are runs in {settings.DATABASES['default']['NAME']} already: "
                "take a database of its own, or say --beside."
            )
        team = None
        if options["team"]:
            team = _team(options["team"])
        began = time.monotonic()
        flows = make_flows(numbers["workflows"], team)
        for written in seed(
            flows, Sizes(**numbers), by=options["seed"], until=timezone.now()
        ):
            if written % 100_000 == 0:
                self.stderr.write(f"{written:,} runs")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        took = time.monotonic() - began
        self.stdout.write(f"{numbers['runs']:,} runs in {took:.0f} s.")


def _team(name: str) -> Team:
    slug = slugify(name)
    return Team.objects.get_or_create(slug=slug, defaults={"name": name})[0]

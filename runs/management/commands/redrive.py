"""`manage.py redrive`: one run, or all that match a filter, at a rate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from runs import services
from runs.models import Run
from runs.services import campaigns
from runs.states import RunStatus

FILTERS = {
    "workflow": "workflow",
    "status": "status",
    "since": "created_after",
    "until": "created_before",
    "fingerprint": "error_fingerprint",
    "error": "error_class",
}


class Command(BaseCommand):
    """Redrives the named runs now, or starts a campaign over a filter."""

    help = "Redrive runs by id, or start a campaign over all that match a filter."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", nargs="*", type=UUID, metavar="RUN", help="its id")
        parser.add_argument(
            "--from",
            dest="start",
            default="failed",
            help="start, failed or a step's id; default: %(default)s",
        )
        parser.add_argument(
            "--on", dest="on", choices=["pinned", "latest"], default="pinned",
            help="the version to run on; default: %(default)s",
        )  # fmt: skip
        parser.add_argument("--workflow", help="its slug or id")
        parser.add_argument(
            "--status", action="append", choices=[str(item) for item in RunStatus]
        )
        parser.add_argument("--since", type=moment, help="created then or later")
        parser.add_argument("--until", type=moment, help="created before")
        parser.add_argument("--fingerprint", help="of the error")
        parser.add_argument("--error", help="class of the error")
        parser.add_argument("--rate", type=float, default=5.0, help="redrives a second")
        parser.add_argument(
            "--check-after", type=int, default=20, help="default: %(default)s"
        )
        parser.add_argument(
            "--max-failed", type=float, default=0.2, help="share; default: %(default)s"
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="with a filter: only say how many match",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, **options: Any) -> None:
        """Fails when a run does not exist or is refused."""
        wanted = {
            name: options[option]
            for option, name in FILTERS.items()
            if options[option] is not None
        }
        if bool(options["runs"]) == bool(wanted):
            raise CommandError(
                "Name runs, or a filter such as --workflow SLUG --status failed."
            )
        if options["runs"] and options["dry_run"]:
            raise CommandError("--dry-run counts what a filter matches; leave it out.")
        try:
            if options["runs"]:
                self._each(options)
            else:
                self._campaign(wanted, options)
        except services.RunServiceError as error:
            raise CommandError(error.message) from None

    def _each(self, options: dict[str, Any]) -> None:
        known = Run.objects.in_bulk(options["runs"])
        for key in options["runs"]:
            if key not in known:
                raise CommandError(f"There is no run {key}.")
            fresh = services.redrive(
                known[key], by=None, start=options["start"], version=options["on"]
            )
            self.stdout.write(f"{key} redriven as {fresh.pk}")

    def _campaign(self, wanted: dict[str, Any], options: dict[str, Any]) -> None:
        number = campaigns.count(wanted, by=None)
        self.stdout.write(f"{number:,} run(s) match.")
        if options["dry_run"] or not number:
            return
        question = f"Redrive them, {options['rate']:g} a second? [y/N] "
        if not options["yes"] and input(question).strip().lower() not in ("y", "yes"):
            self.stdout.write("Nothing was done.")
            return
        campaign = campaigns.start_campaign(
            wanted,
            by=None,
            start=options["start"],
            version=options["on"],
            rate=options["rate"],
            check_after=options["check_after"],
            max_failed=options["max_failed"],
        )
        self.stdout.write(
            f"Campaign {campaign.pk} redrives {campaign.total:,} run(s); workers carry "
            "it out, the admin shows how far it is."
        )


def moment(text: str) -> Any:
    """A date or a moment in ISO 8601, in UTC without an offset."""
    from datetime import UTC, datetime, time

    found = parse_datetime(text)
    if found is None and (day := parse_date(text)) is not None:
        found = datetime.combine(day, time())
    if found is None:
        raise ValueError(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

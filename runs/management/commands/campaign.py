"""`manage.py campaign`: list campaigns, or pause, resume and stop one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.models import Campaign
from runs.services import campaigns

VERBS = {
    "pause": (campaigns.pause, "paused"),
    "resume": (campaigns.resume, "running again"),
    "stop": (campaigns.stop, "stopped"),
}
LATEST = 20


class Command(BaseCommand):
    """Says how far campaigns are; with a verb it changes one."""

    help = "List the latest campaigns, show one, or pause, resume or stop it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "campaign", nargs="?", type=UUID, metavar="CAMPAIGN", help="its id"
        )
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument(
            "--pause", dest="verb", action="store_const", const="pause",
            help="until it is resumed",
        )  # fmt: skip
        verbs.add_argument(
            "--resume", dest="verb", action="store_const", const="resume",
            help="from where it was paused or stopped",
        )  # fmt: skip
        verbs.add_argument(
            "--stop", dest="verb", action="store_const", const="stop",
            help="what it has redriven goes on",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        """Fails when there is no such campaign, or its state does not allow it."""
        key, verb = options["campaign"], options["verb"]
        if key is None:
            if verb:
                raise CommandError(f"Name the campaign: campaign ID --{verb}.")
            for each in Campaign.objects.order_by("-pk")[:LATEST]:
                self._show(each)
            return
        campaign = Campaign.objects.filter(pk=key).first()
        if campaign is None:
            raise CommandError(f"There is no campaign {key}.")
        if verb is None:
            self._show(campaign)
            return
        change, done = VERBS[verb]
        if not change(campaign, by=None):
            raise CommandError(f"Campaign {key} is {campaign.status}: not changed.")
        self.stdout.write(f"Campaign {key} is {done}.")

    def _show(self, campaign: Campaign) -> None:
        now = campaigns.progress(campaign)
        self.stdout.write(
            f"{campaign.pk} {campaign.status}: {now.redriven:,} of {now.total:,} "
            f"redriven, {now.failed:,} failed, {now.refused:,} refused"
            f"{f'. {campaign.reason}' if campaign.reason else ''}"
        )

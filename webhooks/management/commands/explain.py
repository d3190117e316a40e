"""`manage.py explain`: why did this run, or why did it not?"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from automate.lib import jsonio
from runs.services.explained import as_data, as_text
from webhooks.explain import recent
from webhooks.finding import Found, find
from webhooks.models import InboundEvent
from workflows.models import Trigger


class Command(BaseCommand):
    """Explains a run, a turned-away event, or what a trigger lately turned away."""

    help = "Say why an event became a run, or did not, and where the run stands."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "id",
            nargs="?",
            default="",
            metavar="ID",
            help="of a run (8 digits or more), of a turned-away event, or the sender's "
            "id of an event",
        )
        parser.add_argument(
            "--trigger",
            metavar="KEY",
            help="only events of this trigger (its key, path or id); without an ID: "
            "the latest of them that did not become runs",
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, **options: Any) -> None:
        """Fails when nothing has this id, and says where else to look."""
        wanted = options["id"].strip()
        trigger = _trigger(options["trigger"]) if options["trigger"] else None
        if not wanted and trigger is None:
            raise CommandError("Name a run or an event, or a trigger with --trigger.")
        if not wanted and trigger is not None:
            self._recent(trigger, as_json=options["json"])
            return
        found = find(wanted, trigger)
        if not found.count:
            raise CommandError(_nowhere(wanted, trigger))
        self._tell(found, as_json=options["json"])

    def _tell(self, found: Found, *, as_json: bool) -> None:
        explanations = list(found.explanations())
        if as_json:
            self.stdout.write(jsonio.dumps([as_data(item) for item in explanations]))
            return
        self.stdout.write("\n\n".join(map(as_text, explanations)))
        if found.more:
            self.stdout.write("\nThere are more; name one by its own id.")

    def _recent(self, trigger: Trigger, *, as_json: bool) -> None:
        events = recent(trigger)
        if as_json:
            self.stdout.write(jsonio.dumps([_row(event) for event in events]))
            return
        if not events:
            self.stdout.write(
                f"Of the last {settings.RETENTION_DAYS} days no event is known that "
                f"came to {_named(trigger)} and did not become a run."
            )
        for event in events:
            row = _row(event)
            self.stdout.write(
                f"{row['id']:>8}  {row['at']}  {row['count']:>5} x  {row['why']}"
                f"{' at ' + row['gate'] if row['gate'] else ''}"
                f"{'  ' + row['event_id'] if row['event_id'] else ''}"
            )
        if events:
            self.stdout.write("\nmanage.py explain ID tells more about one of them.")


def _row(event: InboundEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "at": f"{event.at:%Y-%m-%d %H:%M:%S} UTC",
        "why": event.get_reason_display(),
        "gate": event.gate,
        "event_id": event.known_as,
        "count": event.count,
        "run_id": str(event.first_run_id) if event.first_run_id else None,
    }


def _trigger(name: str) -> Trigger:
    name = name.strip().lstrip("/")
    rule = Q(key=name) | Q(path=name)
    with suppress(ValueError):
        rule |= Q(pk=UUID(name))
    found = Trigger.objects.select_related("workflow").filter(rule).first()
    if found is None:
        raise CommandError(f"There is no trigger {name}.")
    return found


def _named(trigger: Trigger) -> str:
    return f"the {trigger.kind} trigger of {trigger.workflow}"


def _nowhere(wanted: str, trigger: Trigger | None) -> str:
    where = f" among the events of {_named(trigger)}" if trigger else ""
    days = settings.RETENTION_DAYS
    return (
        f"Nothing here has the id {wanted}{where}. Runs and turned-away events are "
        f"kept for {days} days (a workflow may have its own number), then purged. "
        "Senders who did not prove who they are (401), events over a rate limit (429) "
        "and bodies that did not come whole are counted by the minute, not kept by "
        "their ids: "
        "`manage.py explain --trigger KEY` lists those of a trigger, and the admin "
        "shows the others under Turned away."
    )

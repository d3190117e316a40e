"""`manage.py send_event`: post a file to a webhook as its provider would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webhooks.lookup import find
from webhooks.sending import CannotSend, Delivery, Reply, Sender, address, send
from workflows.triggers.schemes import SCHEMES


class Command(BaseCommand):
    help = (
        "Sign a file as the provider would and post it to a webhook; exit status 0 "
        "when it was taken (2xx), 1 otherwise."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """KEY --file F and what the provider would know."""
        parser.add_argument("key", help="The webhook's key or path.")
        parser.add_argument("--file", required=True, help="The body; - for stdin.")
        parser.add_argument(
            "--scheme",
            choices=sorted(SCHEMES),
            help="Default: the one of the trigger in this database.",
        )
        parser.add_argument("--secret", help="Default: the trigger's own.")
        parser.add_argument("--event", default="", help="Its name, for instance push.")
        parser.add_argument("--event-id", default="", help="Default: a new one.")
        parser.add_argument(
            "--url",
            default=settings.PUBLIC_URL,
            help=f"The site's address. Default: {settings.PUBLIC_URL}",
        )
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            metavar="NAME:VALUE",
            help="Added, or in place of what the provider sends. May be repeated.",
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Raises CommandError that says what to do."""
        try:
            delivery = _delivery(options)
            reply = send(delivery)
        except CannotSend as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(_as_json(delivery, reply))
        else:
            paint = self.style.SUCCESS if reply.ok else self.style.ERROR
            self.stdout.write(f"{delivery.method} {delivery.url}")
            self.stdout.write(paint(f"{reply.status} {_words(reply)}"))
        if not reply.ok:
            sys.exit(1)


def _delivery(options: dict[str, Any]) -> Delivery:
    sender = Sender.for_trigger(
        find(options["key"]), options["scheme"], options["secret"]
    )
    return sender.delivery(
        address(options["url"], options["key"]),
        _body(options["file"]),
        event=options["event"],
        event_id=options["event_id"],
        headers=dict(_header(text) for text in options["header"]),
    )


def _body(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError(f"--header {text!r} is not NAME:VALUE.")
    return name.strip(), value.strip()


def _words(reply: Reply) -> str:
    data = reply.data
    if isinstance(data, dict):
        error = data.get("error")
        if isinstance(error, dict):
            return f"{error.get('code')}: {error.get('message')}"
        if data.get("run_id"):
            word = "the same event as before" if data.get("duplicate") else "accepted"
            return f"{word}, run {data['run_id']}"
        return f"{data.get('status', '')}, no run"
    return str(data)[:500]


def _as_json(delivery: Delivery, reply: Reply) -> str:
    return json.dumps(
        {
            "ok": reply.ok,
            "url": delivery.url,
            "status": reply.status,
            "location": reply.location,
            "answer": reply.data,
        },
        indent=2,
    )

"""`manage.py create_person`: somebody who may sign in, with a role."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from automate.accounts.people import create_person, role_named, teams_named
from automate.accounts.roles import ROLES

LONGEST = 4_096  # characters of a line with a password


class Command(BaseCommand):
    help = (
        "Make a person with a role. The password is asked for, or read as the first "
        "line of standard input: never give it as an argument, which others can see."
    )
    stealth_options = ("stdin",)

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL --role ROLE [--team SLUG ...] [--name NAME] [--no-password]."""
        parser.add_argument("email", help="The address that the person signs in with.")
        parser.add_argument(
            "--role", required=True, help=f"One of: {', '.join(ROLES)}."
        )
        parser.add_argument(
            "--team",
            action="append",
            default=[],
            metavar="SLUG",
            help="A team of theirs; may be repeated. Without one they see what "
            "belongs to nobody's team.",
        )
        parser.add_argument("--name", default="", help="What pages call them.")
        parser.add_argument(
            "--no-password",
            action="store_true",
            help="An identity provider signs them in, or nobody does.",
        )

    def handle(self, **options: Any) -> None:
        """Raises CommandError that says what to do."""
        try:
            role = role_named(options["role"])
            teams = teams_named(options["team"])
            stdin = options.get("stdin") or sys.stdin
            password = None if options["no_password"] else _password(stdin)
            person = create_person(
                options["email"],
                role=role,
                name=options["name"],
                teams=teams,
                password=password,
            )
        except ValidationError as error:
            raise CommandError(_sentence(error)) from None
        of = f" of {', '.join(team.slug for team in teams)}" if teams else ""
        where = settings.PUBLIC_URL + reverse("admin:index")
        self.stdout.write(f"{person} signs in at {where} as {role}{of}.")


def _password(stdin: IO[str]) -> str:
    """Typed twice at a terminal, else the first line."""
    if stdin.isatty():
        password = getpass("Password: ")
        if password and getpass("Password (again): ") != password:
            raise CommandError("These were two passwords; nothing is done.")
    else:
        password = stdin.readline(LONGEST).rstrip("\r\n")
    if not password:
        raise CommandError("Give a password on standard input, or --no-password.")
    return password


def _sentence(error: ValidationError) -> str:
    if hasattr(error, "error_dict"):
        found = error.message_dict.items()
        return " ".join(f"{name}: {text}" for name, texts in found for text in texts)
    return " ".join(error.messages)

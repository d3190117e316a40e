"""`manage.py create_api_key`: access for a program."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, User
from automate.accounts.models.api_key import Scope, validate_rate, validate_scopes
from automate.lib.database import write_transaction


class Command(BaseCommand):
    help = (
        "Make an API key and print it, alone, on standard output. It is shown this "
        "once: only its hash is kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL --name N --scope S ... [--expires-days D] [--rate-limit R] [--json]."""
        parser.add_argument("email", help="The user in whose name it acts.")
        parser.add_argument("--name", required=True, help="What it is for.")
        parser.add_argument(
            "--scope",
            action="extend",
            nargs="+",
            required=True,
            metavar="SCOPE",
            help=f"One or more of: {', '.join(Scope.values)}.",
        )
        parser.add_argument("--expires-days", type=int, help="Default: never.")
        parser.add_argument(
            "--rate-limit",
            default="",
            metavar="RATE",
            help="Requests that it may make: 10/s, 100/m, 1000/h. Default: the site's "
            "limit, AUTOMATE_API_RATE.",
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Raises CommandError that says what to do."""
        user = self._user(options["email"])
        days = options["expires_days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--expires-days must be 1 to 36500.")
        if not options["name"].strip() or len(options["name"]) > 100:
            raise CommandError("--name must have 1 to 100 characters.")
        expires = timezone.now() + timedelta(days=days) if days else None
        scopes = list(dict.fromkeys(options["scope"]))
        rate_limit = options["rate_limit"].strip()
        try:
            validate_scopes(scopes)
            if rate_limit:
                validate_rate(rate_limit)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        with write_transaction():
            key, plain = ApiKey.objects.issue(
                user=user,
                name=options["name"].strip(),
                scopes=scopes,
                expires_at=expires,
                rate_limit=rate_limit,
            )
            record("api_key.create", key, by=None, changes={"scopes": scopes})
        self.stdout.write(_as_json(key, plain) if options["json"] else plain)

    def _user(self, email: str) -> User:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(
                f"There is no user {email}. Create one with: "
                f"python manage.py create_person {email} --role Developer"
            )
        if not user.is_active:
            raise CommandError(f"{email} is not active, so no key of theirs works.")
        return user


def _as_json(key: ApiKey, plain: str) -> str:
    return json.dumps(
        {
            "id": str(key.pk),
            "key": plain,
            "prefix": key.prefix,
            "name": key.name,
            "user": key.user.email,
            "scopes": key.scopes,
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
            "rate_limit": key.rate_limit or None,
        },
        indent=2,
    )

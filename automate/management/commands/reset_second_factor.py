"""`manage.py reset_second_factor`: the way in for somebody who lost the telephone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from automate.accounts.models import User
from automate.accounts.sign_in import second_factor


class Command(BaseCommand):
    help = (
        "Turn off a person's second factor, so that the password alone signs in again. "
        "It is in the audit. An administrator can do the same in the admin (Users)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The person."""
        parser.add_argument("email", help="The person's e-mail address.")

    def handle(self, *, email: str, **options: Any) -> None:
        """Exit status 1 when there is nobody, or nothing to turn off."""
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"Nobody signs in as {email}.")
        if not second_factor.remove(user, by=None):
            raise CommandError(f"{user.email} has no second factor.")
        self.stdout.write(f"{user.email} signs in with the password alone again.")

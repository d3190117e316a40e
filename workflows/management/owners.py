"""Whose the workflows are that a command makes: `--owner EMAIL --team SLUG`."""

from __future__ import annotations

from argparse import ArgumentTypeError

from django.core.management.base import CommandParser

from automate.accounts.models import Team, User

NOBODY_S = "nobody owns it; --owner EMAIL names who does"


def add_arguments(parser: CommandParser, team: str) -> None:
    """The two options, as a User and a Team; `team` is what the second one is for."""
    parser.add_argument(
        "--owner",
        type=_person,
        metavar="EMAIL",
        help="Who owns workflows that are new, or that nobody owns yet.",
    )
    parser.add_argument("--team", type=_team, metavar="SLUG", help=team)


def _person(email: str) -> User:
    person = User.objects.filter(email__iexact=email.strip()).first()
    if person is None:
        raise ArgumentTypeError(f"there is nobody with the e-mail address {email}")
    return person


def _team(slug: str) -> Team:
    team = Team.objects.filter(slug=slug.strip()).first()
    if team is None:
        raise ArgumentTypeError(f"there is no team {slug}")
    return team

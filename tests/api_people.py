"""Who calls."""

from __future__ import annotations

import pytest

from automate.accounts.models import Team, User
from tests.api_caller import Caller
from tests.makers import make_user


@pytest.fixture
def team(db: None) -> Team:
    return Team.objects.create(name="Ours", slug="ours")


@pytest.fixture
def user(team: Team) -> User:
    """A member of one team."""
    user = make_user()
    user.teams.add(team)
    return user


@pytest.fixture
def api(user: User) -> Caller:
    """Their key, which may do everything."""
    return Caller(user)


@pytest.fixture
def stranger(db: None) -> Caller:
    """A member of another team."""
    user = make_user()
    user.teams.add(Team.objects.create(name="Theirs", slug="theirs"))
    return Caller(user)

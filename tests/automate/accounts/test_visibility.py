"""The one rule of teams."""

from __future__ import annotations

import pytest

from automate.accounts.models import Team
from automate.accounts.visibility import visible_to
from tests.makers import make_user, make_workflow
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def test_members_see_their_teams_shared_and_own_rows_once_each() -> None:
    ours = Team.objects.create(name="Ours", slug="ours")
    more = Team.objects.create(name="More", slug="more")
    theirs = Team.objects.create(name="Theirs", slug="theirs")
    user = make_user()
    user.teams.add(ours, more)
    seen = [
        make_workflow(team=ours, slug="ours"),
        make_workflow(team=None, slug="shared"),
        make_workflow(team=theirs, owner=user, slug="own"),
    ]
    make_workflow(team=theirs, slug="hidden")

    found = Workflow.objects.filter(visible_to(user)).order_by("id")

    assert list(found) == seen


def test_a_superuser_sees_all() -> None:
    team = Team.objects.create(name="T", slug="t")
    make_workflow(team=team)

    user = make_user(is_superuser=True)

    assert Workflow.objects.filter(visible_to(user)).count() == 1

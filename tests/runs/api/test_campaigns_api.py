"""Campaigns for programs: count, start, look, steer."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import Team, User
from runs.models import Campaign
from tests.makers import make_run, make_workflow
from tests.runs.api.conftest import Ask

# What is refused ends its transaction, which a test may not be within.
pytestmark = pytest.mark.django_db(transaction=True)
REDRIVE = "runs:redrive"


def post(ask: Ask, path: str, **body: Any) -> Any:
    return ask(path, REDRIVE, method="post", data=body)


def started(ask: Ask, **body: Any) -> dict[str, Any]:
    answer = post(ask, "campaigns", filter={}, **body)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_it_is_counted_before_it_begins(ask: Ask) -> None:
    run = make_run(status="failed")
    make_run(status="failed")
    make_run(status="succeeded")

    assert post(ask, "campaigns/count", filter={}).json() == {"count": 2}
    wanted = {"workflow": run.workflow.slug, "status": ["ERROR"]}
    assert post(ask, "campaigns/count", filter=wanted).json() == {"count": 1}
    assert Campaign.objects.count() == 0


def test_it_begins_with_what_was_asked_for(ask: Ask, user: User) -> None:
    run = make_run(status="failed")

    shown = started(
        ask,
        **{"from": "start"},
        version="latest",
        rate=2.5,
        check_after=0,
        max_failed=0.5,
    )

    campaign = Campaign.objects.get(pk=shown["id"])
    assert (campaign.start, campaign.version, campaign.rate) == ("start", "latest", 2.5)
    assert (campaign.check_after, campaign.max_failed) == (0, 0.5)
    assert campaign.created_by == user
    assert (shown["status"], shown["total"], shown["left"]) == ("running", 1, 1)
    assert shown["created_by"] == user.email
    (item,) = ask(f"campaigns/{shown['id']}/runs").json()["results"]
    assert item == {
        "run_id": str(run.pk), "redriven_as": None, "status": None, "refused": None,
    }  # fmt: skip


def test_it_is_paused_resumed_and_stopped(ask: Ask) -> None:
    make_run(status="failed")
    path = f"campaigns/{started(ask)['id']}"

    assert post(ask, f"{path}/pause").json()["status"] == "paused"
    refused = post(ask, f"{path}/pause")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert post(ask, f"{path}/resume").json()["status"] == "running"
    assert post(ask, f"{path}/stop").json()["status"] == "stopped"
    assert ask(path).json()["reason"].startswith("Stopped by ")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"filter": {"colour": "red"}}, 409),
        ({"filter": {}, "rate": 0}, 409),
        ({"filter": {}, "rate": 1000}, 409),
        ({"filter": {}, "version": "newest"}, 400),
        ({"filter": {}, "speed": 1}, 400),
        ({"filter": {"created_after": "yesterday"}}, 409),
    ],
)
def test_what_cannot_be_is_refused_and_said(
    ask: Ask, body: dict[str, Any], status: int
) -> None:
    make_run(status="failed")

    refused = post(ask, "campaigns", **body)

    assert refused.status_code == status, refused.content
    assert refused.json()["error"]["message"]
    assert Campaign.objects.count() == 0


def test_nothing_that_matches_is_no_campaign(ask: Ask) -> None:
    refused = post(ask, "campaigns", filter={})

    assert refused.status_code == 409
    assert "No run matches" in refused.json()["error"]["message"]


def test_another_team_s_campaign_is_not_there(ask: Ask) -> None:
    team = Team.objects.create(name="Theirs", slug="theirs")
    make_run(make_workflow(team=team), status="failed")
    campaign = Campaign.objects.create()
    campaign.runs.create(run=make_run(make_workflow(team=team), status="failed"))

    assert post(ask, "campaigns/count", filter={}).json() == {"count": 0}
    assert ask("campaigns").json()["results"] == []
    for path in ("", "/runs"):
        assert ask(f"campaigns/{campaign.pk}{path}").status_code == 404
    assert post(ask, f"campaigns/{campaign.pk}/pause").status_code == 404


def test_it_needs_runs_redrive(ask: Ask) -> None:
    for path in ("campaigns", "campaigns/count"):
        assert ask(path, method="post", data={"filter": {}}).status_code == 403


def test_lists_take_as_many_queries_for_many(
    ask: Ask, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_run(status="failed")
    shown = started(ask)
    for _ in range(4):
        Campaign.objects.create(
            created_by=Campaign.objects.get(pk=shown["id"]).created_by
        )

    with django_assert_max_num_queries(7):
        assert len(ask("campaigns").json()["results"]) == 5
    with django_assert_max_num_queries(8):
        assert len(ask(f"campaigns/{shown['id']}/runs").json()["results"]) == 5

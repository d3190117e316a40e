"""GET /api/v1/runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import Team, User
from automate.lib.encryption import encrypted_fields
from automate.lib.ids import first_id
from runs.api import base
from runs.models import Run
from tests.makers import make_job, make_key, make_run, make_user, make_workflow
from tests.runs.api.conftest import Ask
from workflows.models import Trigger

pytestmark = pytest.mark.django_db


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def issues(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.content
    errors = response.json()["error"]["details"]["errors"]
    return {item["field"]: item["issue"] for item in errors}


def test_runs_come_newest_first_in_the_short_form(ask: Ask) -> None:
    workflow = make_workflow()
    older, newer = make_run(workflow), make_run(workflow, status="succeeded")

    response = ask("runs")

    assert ids(response) == [str(newer.pk), str(older.pk)]
    row = response.json()["results"][0]
    assert row["execution_id"] == row["id"]
    assert row["workflow_id"] == str(workflow.pk)
    assert row["workflow"] == workflow.slug
    assert row["version"] == 1
    assert row["status"] == "succeeded"
    assert row["error"] is None
    assert row["completed_at"] is not None
    assert row["links"]["self"] == f"http://testserver/api/v1/runs/{newer.pk}"
    assert "payload" not in row


def test_an_empty_list_is_an_answer(ask: Ask) -> None:
    assert ask("runs").json() == {"results": [], "next": None, "next_cursor": None}


def test_pages_are_walked_by_following_next(client: Client, user: User) -> None:
    runs = [str(make_run(make_workflow()).pk) for _ in range(5)]
    headers = {"x-api-key": make_key(user)}
    seen: list[str] = []
    url = "/api/v1/runs?limit=2"
    while url:
        response = client.get(url, headers=headers)
        seen += ids(response)
        url = response.json()["next"]

    assert seen == runs[::-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["queued"], {"queued"}),
        (["PENDING"], {"queued"}),
        (["triggered"], {"queued"}),
        (["completed"], {"succeeded"}),
        (["Success"], {"succeeded"}),
        (["ERROR"], {"failed"}),
        (["dead-letter"], {"dead_letter"}),
        (["Dead_Letter"], {"dead_letter"}),
        (["failed", "dead_letter"], {"failed", "dead_letter"}),
        (["failed, cancelled"], {"failed", "cancelled"}),
        (["waiting"], {"waiting"}),
        (["running"], {"running"}),
        (["running,waiting,success"], {"running", "waiting", "succeeded"}),
    ],
)
def test_statuses_are_filtered_by_any_of_their_names(
    ask: Ask, words: list[str], expected: set[str]
) -> None:
    workflow = make_workflow()
    for status in ("queued", "succeeded", "failed", "dead_letter", "cancelled"):
        make_run(workflow, status=status)
    make_job(make_run(workflow, status="running"), due_in=-1)
    make_job(make_run(workflow, status="running"), due_in=3600)

    response = ask("runs", query={"status": words})

    assert len(ids(response)) == len(expected)
    assert {row["status"] for row in response.json()["results"]} == expected


def test_an_unknown_status_is_told_with_the_known_ones(ask: Ask) -> None:
    found = issues(ask("runs", query={"status": "done"}))

    assert "'done'" in found["status"]
    assert "succeeded" in found["status"]


def test_a_workflow_is_named_by_id_or_slug(ask: Ask) -> None:
    wanted, other = make_workflow(slug="crm"), make_workflow()
    run = make_run(wanted)
    make_run(other)

    assert ids(ask("runs", query={"workflow": "crm"})) == [str(run.pk)]
    assert ids(ask("runs", query={"workflow": str(wanted.pk)})) == [str(run.pk)]


def test_runs_are_filtered_by_trigger_event_and_fingerprint(ask: Ask) -> None:
    workflow = make_workflow()
    trigger = Trigger.objects.create(workflow=workflow, kind="webhook")
    run = make_run(
        workflow,
        trigger=trigger,
        event_id="evt-1",
        error_fingerprint="f" * 32,
        status="failed",
    )
    make_run(workflow)

    for query in (
        {"trigger": str(trigger.pk)},
        {"event_id": "evt-1"},
        {"error_fingerprint": "f" * 32},
    ):
        assert ids(ask("runs", query=query)) == [str(run.pk)], query
    assert ids(ask("runs", query={"trigger": str(uuid4())})) == []


@pytest.mark.parametrize(
    ("after", "before"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"),
        ("2026-03-01T12:00:00", "2026-03-01T13:00:00"),
        ("2026-03-01T13:00:00+01:00", "2026-03-01T14:00:00 01:00"),
        ("2026-03-01", "2026-03-02"),
    ],
)
def test_created_after_is_included_and_created_before_is_not(
    ask: Ask, after: str, before: str
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    workflow = make_workflow()
    inside = make_run(workflow, id=first_id(noon))
    Run.objects.filter(pk=inside.pk).update(created_at=noon)
    for moment in (noon - timedelta(days=1), noon + timedelta(days=1)):
        outside = make_run(workflow, id=first_id(moment))
        Run.objects.filter(pk=outside.pk).update(created_at=moment)

    query = {"created_after": after, "created_before": before}
    assert ids(ask("runs", query=query)) == [str(inside.pk)]


def test_the_bounds_are_exact(ask: Ask) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    run = make_run()
    Run.objects.filter(pk=run.pk).update(created_at=noon)

    assert ids(ask("runs", query={"created_after": noon.isoformat()})) == [str(run.pk)]
    assert ids(ask("runs", query={"created_before": noon.isoformat()})) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created_after", "yesterday"),
        ("created_before", "2026-13-01"),
        ("created_after", "0001-01-01T00:00:00+14:00"),
        ("trigger", "not-a-uuid"),
        ("workflow", "x" * 101),
        ("event_id", "a\0b"),
        ("limit", "1000"),
        ("cursor", "zzz"),
        ("colour", "red"),
        ("Status", "failed"),
    ],
)
def test_a_bad_parameter_is_named(ask: Ask, name: str, value: str) -> None:
    assert set(issues(ask("runs", query={name: value}))) == {name}


def test_another_teams_runs_are_not_listed(ask: Ask, user: User) -> None:
    ours = Team.objects.create(name="Ours", slug="ours")
    theirs = Team.objects.create(name="Theirs", slug="theirs")
    user.teams.add(ours)
    seen = [
        make_run(make_workflow(team=ours)),
        make_run(make_workflow()),
        make_run(make_workflow(team=theirs, owner=user)),
    ]
    hidden = make_run(make_workflow(team=theirs, slug="hidden"))

    assert set(ids(ask("runs"))) == {str(run.pk) for run in seen}
    for name in ("hidden", str(hidden.workflow_id)):
        said = issues(ask("runs", query={"workflow": name}))["workflow"]
        other = issues(ask("runs", query={"workflow": name[:-1] + "0"}))["workflow"]
        assert said.replace(name, "") == other.replace(name[:-1] + "0", "")
    everybody = ids(ask("runs", by=make_user(is_superuser=True)))
    assert str(hidden.pk) in everybody


def test_a_workflow_that_is_not_there_is_told_with_those_that_are_near(
    ask: Ask,
) -> None:
    make_workflow(slug="order-paid")
    hidden = Team.objects.create(name="Theirs", slug="theirs")
    make_workflow(slug="order-payd", team=hidden)

    said = issues(ask("runs", query={"workflow": "order-pad"}))
    assert said == {
        "workflow": 'There is no workflow "order-pad". Did you mean order-paid?'
    }


def test_a_list_costs_three_queries_however_long(
    client: Client, user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"x-api-key": make_key(user)}
    client.get("/api/v1/runs", headers=headers)  # notes the key's use
    for _ in range(20):
        make_run(make_workflow(), payload={"a": 1})

    with django_assert_max_num_queries(3):
        listed = ids(client.get("/api/v1/runs", headers=headers))
    assert len(listed) == 20


@pytest.mark.parametrize("few", [base.FEW, 2], ids=["few", "many"])
def test_somebody_who_sees_little_of_a_long_history(
    client: Client, user: User, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "FEW", few)
    team, other = (Team.objects.create(name=name, slug=name) for name in "ab")
    user.teams.add(team)
    mine = [make_workflow(team=team), make_workflow(owner=user, team=other)]
    runs = [make_run(workflow) for workflow in (*mine, make_workflow())]
    make_run(make_workflow(team=other))
    headers = {"x-api-key": make_key(user)}

    with CaptureQueriesContext(connection) as queries:
        listed = ids(client.get("/api/v1/runs", headers=headers))

    assert listed == [str(run.pk) for run in reversed(runs)]
    listing = next(q["sql"] for q in queries if 'FROM "runs_run"' in q["sql"])
    # By name the database knows how many there are.
    assert ('"runs_run"."workflow_id" IN (' in listing) == (few > 2)


def test_a_list_reads_no_encrypted_column(client: Client, user: User) -> None:
    make_run(payload={"a": 1})
    headers = {"x-api-key": make_key(user)}

    with CaptureQueriesContext(connection) as queries:
        client.get("/api/v1/runs", headers=headers)

    listing = next(q["sql"] for q in queries if 'FROM "runs_run"' in q["sql"])
    for model, column in encrypted_fields():
        assert f'"{model._meta.db_table}"."{column.column}"' not in listing


@pytest.mark.parametrize("scopes", [["workflows:read"], ["payloads:read"]])
def test_the_list_wants_runs_read(ask: Ask, scopes: list[str]) -> None:
    assert ask("runs", *scopes).status_code == 403


def test_strangers_are_asked_for_a_key(client: Client) -> None:
    response = client.get("/api/v1/runs")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["error"]["code"] == "UNAUTHORIZED"


def test_runs_are_found_by_search_key(ask: Ask) -> None:
    keys = {"customer": "c-17", "order": "o:1"}
    run = make_run(search_keys=keys)
    make_run(search_keys={"customer": "c-170"})
    make_run()

    assert ids(ask("runs", query={"search_key": "customer:c-17"})) == [str(run.pk)]
    assert ids(ask("runs", query={"search_key": "order:o:1"})) == [str(run.pk)]
    assert ids(ask("runs", query={"search_key": "order:c-17"})) == []
    assert ids(ask("runs", query={"search_key": "contains:c-17"})) == []
    for wrong in ("customer", "customer:", ":c-17"):
        assert "search_key" in issues(ask("runs", query={"search_key": wrong}))


def test_clocks_that_differ_by_minutes_hide_no_run(ask: Ask) -> None:
    """Ids are made by one clock, created_at by another."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    run = make_run(id=first_id(noon - timedelta(minutes=10)))
    Run.objects.filter(pk=run.pk).update(created_at=noon)

    query = {"created_after": noon.isoformat().replace("+00:00", "Z")}
    assert ids(ask("runs", query=query)) == [str(run.pk)]

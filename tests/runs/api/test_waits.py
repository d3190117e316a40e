"""Steps that wait for an answer, for programs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import Team, User
from runs.models import StepRun, WaitToken
from tests.admin_world import asking_run, flow
from tests.makers import make_user
from tests.runs.api.conftest import Ask

# What is refused ends its transaction, which a test may not be within.
pytestmark = pytest.mark.django_db(transaction=True)


def answer(ask: Ask, run: Any, step: str = "ask", **body: Any) -> Any:
    return ask(f"runs/{run.pk}/waits/{step}", "runs:execute", method="post", data=body)


def test_what_waits_is_listed_with_its_question(ask: Ask) -> None:
    run = asking_run(flow(), message="Ship order 7?", details={"order": 7})

    (row,) = ask(f"runs/{run.pk}/waits").json()["results"]

    assert row["step"] == "ask"
    assert row["kind"] == "approval"
    assert (row["message"], row["details"]) == ("Ship order 7?", {"order": 7})
    assert row["approvers"] == []
    (listed,) = ask("waits").json()["results"]
    assert (listed["run_id"], listed["workflow"]) == (str(run.pk), "orders")


@pytest.mark.parametrize("word", ["approved", "Approve", "APPROVED"])
def test_a_decision_is_taken_once(ask: Ask, user: User, word: str) -> None:
    run = asking_run(flow())

    taken = answer(ask, run, decision=word, comment="Fine.")

    assert taken.status_code == 200, taken.content
    assert taken.json()["id"] == str(run.pk)
    assert StepRun.objects.get(run=run).port == "approved"
    token = WaitToken.objects.get(run=run)
    assert (token.answered_by, token.comment) == (user, "Fine.")
    again = answer(ask, run, decision="rejected")
    assert (again.status_code, again.json()["error"]["code"]) == (
        409,
        "ALREADY_ANSWERED",
    )
    assert ask("waits").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "decision"),
        ({"decision": "maybe"}, "decision"),
        ({"decision": "approved", "data": {}}, "data"),
        ({"decision": "approved", "commment": "x"}, "commment"),
    ],
)
def test_what_is_wrong_is_named(ask: Ask, body: dict[str, Any], field: str) -> None:
    run = asking_run(flow())

    refused = answer(ask, run, **body)

    assert refused.status_code == 400
    assert refused.json()["error"]["details"]["field"] == field
    assert WaitToken.objects.get(run=run).decision == ""


def test_only_approvers_decide(ask: Ask) -> None:
    run = asking_run(flow(), approvers=["boss@example.com"])

    refused = answer(ask, run, decision="approved")

    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "NOT_AN_APPROVER"


def test_a_step_that_does_not_wait_takes_none(ask: Ask) -> None:
    run = asking_run(flow())

    assert answer(ask, run, "other", decision="approved").status_code == 409
    run.job.delete()
    assert answer(ask, run, decision="approved").status_code == 410


def test_it_needs_runs_execute_and_the_run_s_team(ask: Ask) -> None:
    run = asking_run(flow(team=Team.objects.create(name="Theirs", slug="theirs")))
    path, body = f"runs/{run.pk}/waits/ask", {"decision": "approved"}

    assert ask(path, "runs:read", method="post", data=body).status_code == 403
    assert ask(path, "runs:execute", method="post", data=body).status_code == 404
    assert ask(f"runs/{run.pk}/waits").status_code == 404
    assert ask("waits").json()["results"] == []
    assert ask(f"runs/{uuid4()}/waits").status_code == 404


def test_the_list_takes_as_many_queries_for_many(
    ask: Ask, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        asking_run(flow(f"flow-{number}", by=make_user()))

    with django_assert_max_num_queries(7):
        assert len(ask("waits").json()["results"]) == 5

"""POST /api/v1/runs/{id}/cancel and /redrive."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry, Team
from runs.models import Job, Run
from tests.makers import make_job, make_run, make_step, make_workflow
from tests.runs.api.conftest import Ask
from tests.runs.flows import given, publish, steps

pytestmark = pytest.mark.django_db


def cancel(ask: Ask, run: Run, data: Any = None, scope: str = "runs:execute") -> Any:
    return ask(f"runs/{run.pk}/cancel", scope, method="post", data=data)


def redrive(ask: Ask, run: Run, data: Any = None, scope: str = "runs:redrive") -> Any:
    return ask(f"runs/{run.pk}/redrive", scope, method="post", data=data)


def test_a_run_is_cancelled_and_the_audit_names_the_key(ask: Ask) -> None:
    run = make_run()
    make_job(run)

    response = cancel(ask, run, {"reason": "Wrong address."})

    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert not Job.objects.filter(run=run).exists()
    entry = AuditEntry.objects.get(action="run.cancel")
    assert entry.api_key is not None
    assert entry.changes["reason"] == "Wrong address."


def test_cancelling_again_is_no_error(ask: Ask) -> None:
    run = make_run(status="cancelled")

    assert cancel(ask, run).status_code == 200


def test_a_run_that_ended_otherwise_cannot_be_cancelled(ask: Ask) -> None:
    response = cancel(ask, make_run(status="succeeded"))

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "CONFLICT"
    assert "succeeded" in response.json()["error"]["message"]


def test_a_redrive_is_a_new_run_of_the_same_event(ask: Ask) -> None:
    run = make_run(payload={"a": 1}, status="dead_letter", event_id="evt-1")

    response = redrive(ask, run, {"from": "start", "version": "pinned"})

    assert response.status_code == 202
    body = response.json()
    assert body["run_id"] == body["id"] != str(run.pk)
    assert body["status"] == "queued"
    assert body["replay_of"] == str(run.pk)
    assert response["Location"] == body["links"]["self"]
    new = Run.objects.get(pk=body["id"])
    assert new.body == run.body
    assert Job.objects.filter(run=new).exists()


def test_start_and_pinned_are_what_is_done_without_a_body(ask: Ask) -> None:
    assert redrive(ask, make_run(status="failed")).status_code == 202


@pytest.mark.parametrize("start", ["b", "step:b"])
def test_from_a_step_what_was_before_it_keeps_its_output(ask: Ask, start: str) -> None:
    flow = publish(given("a", n=1), given("b", n=2), given("c", n="{{ b.n }}"))
    run = make_run(workflow=flow, version=flow.published, status="failed")
    for key in ("a", "b"):
        make_step(run, key, kind="set", output={"n": 7}, status="succeeded")

    response = redrive(ask, run, {"from": start})

    assert response.status_code == 202
    assert steps(Run.objects.get(pk=response.json()["id"])) == {"a": "succeeded"}


def test_from_a_step_that_is_not_there_is_refused(ask: Ask) -> None:
    response = redrive(ask, make_run(status="failed"), {"from": "middle"})

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "REDRIVE_REFUSED"
    assert "middle" in response.json()["error"]["message"]


@pytest.mark.parametrize("status", ["queued", "running"])
def test_an_unfinished_run_is_not_redriven(ask: Ask, status: str) -> None:
    response = redrive(ask, make_run(status=status))

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "REDRIVE_REFUSED"
    assert status in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"from": ""}, "from"),
        ({"from": "x" * 106}, "from"),
        ({"version": "3"}, "version"),
        ({"form": "start"}, "form"),
        ({"from": None}, "from"),
        ({"from": ["start"]}, "from"),
    ],
)
def test_a_bad_redrive_names_the_field(ask: Ask, data: Any, field: str) -> None:
    response = redrive(ask, make_run(status="failed"), data)

    assert response.status_code == 400
    assert response.json()["error"]["details"]["field"] == field
    assert Run.objects.count() == 1


def test_each_verb_wants_its_scope(ask: Ask) -> None:
    run = make_run(status="failed")

    for scope in ("runs:read", "runs:execute", "workflows:write"):
        assert redrive(ask, run, scope=scope).status_code == 403
    for scope in ("runs:read", "runs:redrive"):
        assert cancel(ask, run, scope=scope).status_code == 403
    assert Run.objects.get().status == "failed"


@pytest.mark.parametrize("verb", [cancel, redrive])
def test_another_teams_run_is_404_and_left_alone(ask: Ask, verb: Any) -> None:
    team = Team.objects.create(name="T", slug="t")
    run = make_run(make_workflow(team=team), status="running")

    assert verb(ask, run).status_code == 404
    assert Run.objects.get().status == "running"


@pytest.mark.parametrize("verb", ["cancel", "redrive"])
def test_the_verbs_are_no_gets(ask: Ask, verb: str) -> None:
    assert ask(f"runs/{make_run().pk}/{verb}", "admin").status_code == 405

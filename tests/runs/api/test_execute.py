"""POST /api/v1/workflows/{id}/execute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team, User
from automate.lib import jsonio
from runs.api import execute
from runs.models import Job, Run
from runs.services import trigger_payload
from runs.services.waiting import WaitingRoom
from tests.makers import make_key, make_user, make_workflow
from tests.runs.drains import draining
from tests.runs.flows import given, node, publish
from tests.waiting_rooms import waiting_room
from workflows.models import Trigger, Workflow

pytestmark = pytest.mark.django_db

SCOPE = "runs:execute"


@pytest.fixture
def user(db: None) -> User:
    return make_user()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[WaitingRoom]:
    """Nobody performs in most of these tests: waiting for it would take long."""
    monkeypatch.setattr(execute, "DEFAULT_WAIT", 0.1)
    with waiting_room() as room:
        yield room


def run_it(
    user: User, workflow: Any, data: Any = None, *scopes: str, **headers: str
) -> Any:
    """The answer to one call, by a key of the user's."""
    key = headers.pop("key", "") or make_key(user, *(scopes or (SCOPE,)))
    return Client().post(
        f"/api/v1/workflows/{getattr(workflow, 'pk', workflow)}/execute",
        jsonio.dumps(data if data is not None else {}),
        content_type="application/json",
        headers={"x-api-key": key, **headers},
    )


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


class TestTheBody:
    @pytest.mark.parametrize(
        ("body", "payload"),
        [
            ({"input_data": {"n": 1}}, {"n": 1}),
            ({"input_data": None}, None),
            ({"input_data": [1]}, [1]),
            ({"variables": {}}, {}),
            ({"async_mode": True}, {}),
            ({}, {}),
            ({"n": 1, "input": {}}, {"n": 1, "input": {}}),
            ([1, 2], [1, 2]),
            ("text", "text"),
        ],
    )
    def test_its_input_is_input_data_or_all_of_it(
        self, user: User, body: Any, payload: Any
    ) -> None:
        assert run_it(user, make_workflow(), body).status_code == 202
        assert trigger_payload(Run.objects.get()) == payload

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"input_data": 1, "colour": 2}, "colour"),
            ({"async_mode": "maybe"}, "async_mode"),
            ({"variables": [1]}, "variables"),
        ],
    )
    def test_beside_a_known_name_an_unknown_one_is_refused(
        self, user: User, body: Any, field: str
    ) -> None:
        found = run_it(user, make_workflow(), body)
        assert found.status_code == 400
        assert error(found)["details"]["field"] == field
        assert not Run.objects.exists()

    def test_variables_are_the_runs(self, user: User) -> None:
        workflow = publish(given("a"), variables={"region": "eu"})
        run_it(user, workflow, {"variables": {"region": "us"}})
        assert Run.objects.get().variables == {"region": "us"}

    def test_variables_that_are_not_declared_are_refused(self, user: User) -> None:
        workflow = publish(given("a"), variables={"region": "eu"})
        found = run_it(user, workflow, {"variables": {"regoin": "us"}})
        assert found.status_code == 400
        assert error(found)["details"]["field"] == "variables.regoin"
        assert "region" in error(found)["details"]["issue"]


class TestWhoMay:
    def test_a_slug_serves_as_well_as_the_id(self, user: User) -> None:
        workflow = make_workflow(slug="orders")
        assert run_it(user, "orders").status_code == 202
        assert Run.objects.get().workflow == workflow

    def test_another_scope_is_refused(self, user: User) -> None:
        found = run_it(user, make_workflow(), None, "runs:read")
        assert found.status_code == 403
        assert SCOPE in error(found)["message"]

    @pytest.mark.parametrize(
        "name", ["nowhere", "0199c0de-0000-7000-8000-000000000000"]
    )
    def test_what_does_not_exist_is_a_404(self, user: User, name: str) -> None:
        assert run_it(user, name).status_code == 404

    def test_another_teams_workflow_does_not_exist(self, user: User) -> None:
        team = Team.objects.create(name="Others", slug="others")
        workflow = make_workflow(team=team)
        assert run_it(user, workflow).status_code == 404
        assert run_it(user, workflow.slug).status_code == 404
        user.teams.add(team)
        assert run_it(user, workflow).status_code == 202

    @pytest.mark.parametrize("status", ["draft", "inactive", "archived"])
    def test_a_workflow_that_takes_nothing_is_a_409(
        self, user: User, status: str
    ) -> None:
        workflow = make_workflow()
        Workflow.objects.filter(pk=workflow.pk).update(status=status)
        found = run_it(user, workflow)
        assert found.status_code == 409
        assert error(found)["code"] == "WORKFLOW_NOT_RUNNABLE"


class TestTheRun:
    def test_it_names_the_api_trigger_and_begins_where_that_does(
        self, user: User
    ) -> None:
        workflow = publish(given("a"), given("b"))
        trigger = Trigger.objects.create(workflow=workflow, kind="api", start=["b"])
        run_it(user, workflow)
        run = Run.objects.get()
        assert (run.trigger, run.start) == (trigger, ["b"])

    def test_without_one_it_names_none(self, user: User) -> None:
        run_it(user, make_workflow())
        assert Run.objects.get().trigger is None

    def test_the_audit_names_the_key(self, user: User) -> None:
        run_it(user, make_workflow())
        entry = AuditEntry.objects.get(action="run.start")
        assert entry.api_key is not None
        assert entry.changes == {"run": str(Run.objects.get().pk)}


class TestTheSameAgain:
    """With `Idempotency-Key`."""

    def test_it_is_the_first_run(self, user: User) -> None:
        workflow, key = make_workflow(), make_key(user, SCOPE)
        both = [
            run_it(user, workflow, body, key=key, **{"Idempotency-Key": "k"})
            for body in ({"n": 1, "m": 2}, {"m": 2, "n": 1})
        ]
        assert [found.status_code for found in both] == [202, 202]
        assert both[0].json() == both[1].json()
        assert Run.objects.count() == 1
        assert AuditEntry.objects.filter(action="run.start").count() == 1

    def test_another_body_is_refused(self, user: User) -> None:
        workflow, key = make_workflow(), make_key(user, SCOPE)
        run_it(user, workflow, {"n": 1}, key=key, **{"Idempotency-Key": "k"})
        found = run_it(user, workflow, {"n": 2}, key=key, **{"Idempotency-Key": "k"})
        assert found.status_code == 422
        assert error(found)["code"] == "IDEMPOTENCY_KEY_REUSED"

    def test_another_key_or_workflow_is_another_run(self, user: User) -> None:
        workflow, key = make_workflow(), make_key(user, SCOPE)
        same = {"Idempotency-Key": "k"}
        run_it(user, workflow, key=key, **same)
        run_it(user, workflow, **same)
        run_it(user, make_workflow(), key=key, **same)
        assert Run.objects.count() == 3


class TestTheAnswer:
    def test_what_takes_longer_is_a_202(self, user: User) -> None:
        found = run_it(user, make_workflow())
        run = Run.objects.get()
        assert found.status_code == 202
        assert found.json() == {
            "execution_id": str(run.pk),
            "run_id": str(run.pk),
            "status": "queued",
            "result": None,
            "error": None,
        }
        assert found["Location"].endswith(f"/api/v1/runs/{run.pk}")
        assert Job.objects.get(run=run).wants_answer

    def test_asynchronously_nobody_waits(self, user: User) -> None:
        found = run_it(user, make_workflow(), {"async_mode": True})
        assert found.status_code == 202
        assert not Job.objects.get().wants_answer

    def test_with_every_seat_taken_nobody_waits(
        self, user: User, short: WaitingRoom
    ) -> None:
        short.capacity = 0
        assert run_it(user, make_workflow()).status_code == 202
        assert not Job.objects.get().wants_answer


@pytest.mark.usefixtures("engine")
class TestWithDrains:
    @pytest.fixture(autouse=True)
    def _patient(self, short: WaitingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(execute, "DEFAULT_WAIT", 20)

    def test_the_result_is_the_output(self, engine: Settings) -> None:
        doubled = given("a", n="{{ trigger.payload.n + trigger.payload.n }}")
        workflow = publish(doubled, output={"twice": "{{ steps.a.n }}"})
        with draining():
            found = run_it(make_user(), workflow, {"n": 21}, SCOPE, "payloads:read")
        assert found.status_code == 200
        body = found.json()
        assert (body["status"], body["error"]) == ("succeeded", None)
        assert body["result"] == {"twice": 42}
        assert body["run_id"] == body["execution_id"] == str(Run.objects.get().pk)

    def test_else_what_a_respond_step_said(self, engine: Settings) -> None:
        said = node("r", "respond", {"status": 404, "body": "none"})
        later = node("p", "delay", {"duration": 300})
        with draining():
            found = run_it(make_user(), publish(said, later))
        assert found.status_code == 200
        assert (found.json()["status"], found.json()["result"]) == ("running", "none")

    def test_what_waits_longer_is_a_202_that_says_so(
        self, engine: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(execute, "DEFAULT_WAIT", 4)
        with draining():
            found = run_it(make_user(), publish(node("p", "delay", {"duration": 300})))
        assert found.status_code == 202
        assert found.json()["status"] == "waiting"

    def test_a_run_that_fails_is_a_200_with_its_error(self, engine: Settings) -> None:
        workflow = publish(given("a", n="{{ trigger.payload.gone }}"))
        with draining():
            found = run_it(make_user(), workflow)
        assert found.status_code == 200
        body = found.json()
        assert (body["status"], body["result"]) == ("failed", None)
        assert "gone" in body["error"]["message"]

    def test_the_same_again_gets_the_same_answer(self, engine: Settings) -> None:
        user = make_user()
        key = make_key(user, SCOPE, "payloads:read")
        workflow = publish(given("a", n=1), output="{{ steps.a.n }}")
        with draining():
            both = [
                run_it(user, workflow, key=key, **{"Idempotency-Key": "k"})
                for _ in range(2)
            ]
        assert both[0].json() == both[1].json()
        assert both[0].json()["result"] == 1

"""POST /api/v1/trigger and /workflow; GET workflows/{id}/logs and logs/{run}."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import Team, User
from runs.models import Run, RunLog
from runs.services import trigger_payload
from tests.api_caller import Caller, wrong
from tests.makers import make_attempt, make_run, make_step, make_user, make_workflow
from tests.runs.flows import given, publish
from workflows.models import Trigger, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
DAG: dict[str, Any] = {
    "nodes": [
        {"id": "a", "type": "log", "config": {"message": "hello"}},
        {"id": "b", "type": "log", "config": {"message": "bye"}},
    ],
    "connections": [{"from": "a", "to": "b"}],
}


@pytest.fixture
def user(db: None) -> User:
    user = make_user()
    user.teams.add(Team.objects.create(name="Ours", slug="ours"))
    return user


class TestTrigger:
    @pytest.mark.parametrize("by", ["pk", "slug"])
    def test_it_starts_a_run(self, api: Caller, by: str) -> None:
        workflow = make_workflow(slug="orders")
        name = str(getattr(workflow, by))
        answer = api.post("trigger", {"workflow_id": name, "payload": {"n": 1}})
        run = Run.objects.get()
        assert answer.status_code == 202
        assert answer.json() == {
            "run_id": str(run.pk),
            "execution_id": str(run.pk),
            "status": "triggered",
        }
        assert answer["Location"].endswith(f"/api/v1/runs/{run.pk}")
        assert trigger_payload(run) == {"n": 1}

    def test_without_a_payload_it_is_empty(self, api: Caller) -> None:
        api.post("trigger", {"workflow_id": str(make_workflow().pk)})
        assert trigger_payload(Run.objects.get()) == {}

    def test_variables_are_the_runs(self, api: Caller) -> None:
        workflow = publish(given("a"), variables={"region": "eu"})
        body = {"workflow_id": str(workflow.pk), "variables": {"region": "us"}}
        assert api.post("trigger", body).status_code == 202
        assert Run.objects.get().variables == {"region": "us"}
        body["variables"] = {"regoin": "us"}
        assert "variables.regoin" in wrong(api.post("trigger", body))

    @pytest.mark.parametrize(
        ("body", "field"),
        [({}, "workflow_id"), ({"workflow_id": "x", "colour": 1}, "colour")],
    )
    def test_what_is_wrong_is_told(
        self, api: Caller, body: dict[str, Any], field: str
    ) -> None:
        assert field in wrong(api.post("trigger", body))

    def test_what_takes_nothing_or_is_not_seen(
        self, api: Caller, stranger: Caller
    ) -> None:
        made = api.post("workflows", {"name": "Mine", **DAG}).json()
        assert stranger.post("trigger", {"workflow_id": made["id"]}).status_code == 404
        api.patch(f"workflows/{made['id']}", {"status": "inactive"})
        answer = api.post("trigger", {"workflow_id": made["id"]})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "WORKFLOW_NOT_RUNNABLE"
        assert not Run.objects.exists()

    def test_the_same_key_starts_one_run(self, api: Caller) -> None:
        workflow = make_workflow()
        body = {"workflow_id": str(workflow.pk), "payload": {"n": 1}}
        both = [api.post("trigger", body, Idempotency_Key="k") for _ in range(2)]
        assert both[0].json() == both[1].json()
        other = {**body, "payload": {"n": 2}}
        answer = api.post("trigger", other, Idempotency_Key="k")
        assert answer.status_code == 422
        assert Run.objects.count() == 1

    def test_another_scope_is_refused(self, user: User) -> None:
        reader = Caller(user, "workflows:write", "runs:read")
        body = {"workflow_id": str(make_workflow().pk)}
        assert reader.post("trigger", body).status_code == 403


class TestWorkflow:
    def test_a_bare_dag_is_stored_published_and_started(
        self, api: Caller, user: User
    ) -> None:
        answer = api.post("workflow", DAG)
        assert answer.status_code == 202, answer.content
        body = answer.json()
        run, workflow = Run.objects.get(), Workflow.objects.get()
        assert (body["workflow_id"], body["version"]) == (str(workflow.pk), 1)
        assert body["run_id"] == body["execution_id"] == str(run.pk)
        assert body["status"] == "triggered"
        assert workflow.status == "active"
        assert workflow.team == user.teams.get()
        assert run.version == workflow.published

    def test_the_same_again_is_the_same_version(self, api: Caller) -> None:
        both = [api.post("workflow", DAG).json() for _ in range(2)]
        assert both[0]["workflow_id"] == both[1]["workflow_id"]
        assert both[0]["version"] == both[1]["version"] == 1
        assert both[0]["run_id"] != both[1]["run_id"]
        assert WorkflowVersion.objects.count() == 1

    @pytest.mark.parametrize(
        "name", [{"name": "My flow"}, {"slug": "mine"}, {"id": "x"}]
    )
    def test_a_name_makes_another_graph_the_next_version(
        self, api: Caller, name: dict[str, str]
    ) -> None:
        first = api.post("workflow", {**name, **DAG}).json()
        changed = {"nodes": DAG["nodes"][:1]}
        second = api.post("workflow", {**name, **changed}).json()
        assert first["workflow_id"] == second["workflow_id"]
        assert (first["version"], second["version"]) == (1, 2)

    def test_two_teams_have_their_own(self, api: Caller, stranger: Caller) -> None:
        for body in (DAG, {"name": "My flow", **DAG}):
            ours = api.post("workflow", body).json()
            theirs = stranger.post("workflow", body).json()
            assert ours["workflow_id"] != theirs["workflow_id"]
            assert stranger.post("workflow", body).json()["version"] == 1
        slug = {"slug": "mine", **DAG}
        assert api.post("workflow", slug).status_code == 202
        assert "slug" in wrong(stranger.post("workflow", slug))

    @pytest.mark.parametrize("name", ["payload", "input_data"])
    def test_a_payload_beside_it_is_the_run_s(self, api: Caller, name: str) -> None:
        assert api.post("workflow", {**DAG, name: {"n": 1}}).status_code == 202
        assert trigger_payload(Run.objects.get()) == {"n": 1}

    def test_two_payloads_that_differ_are_refused(self, api: Caller) -> None:
        answer = api.post("workflow", {**DAG, "payload": 2, "input_data": {"a": 1}})
        assert list(wrong(answer)) == ["input_data"]
        assert not Workflow.objects.exists()
        same = api.post("workflow", {**DAG, "payload": 2, "input_data": 2})
        assert same.status_code == 202

    def test_what_is_wrong_is_told_and_nothing_is_stored(self, api: Caller) -> None:
        bad = {"nodes": [{"id": "a", "type": "nope"}], "colour": 1}
        assert {"nodes[0].type", "colour"} <= set(wrong(api.post("workflow", bad)))
        draft = api.post("workflow", {**DAG, "status": "draft"})
        assert draft.status_code == 409
        assert not Workflow.objects.exists()

    def test_the_same_key_starts_one_run(self, api: Caller) -> None:
        both = [api.post("workflow", DAG, Idempotency_Key="k") for _ in range(2)]
        assert both[0].json()["run_id"] == both[1].json()["run_id"]
        other = {"nodes": DAG["nodes"][:1]}
        answer = api.post("workflow", other, Idempotency_Key="k")
        assert answer.status_code == 422
        assert Run.objects.count() == Workflow.objects.count() == 1

    def test_a_secret_that_was_made_is_told(self, api: Caller) -> None:
        triggers = [{"kind": "webhook", "config": {"scheme": "bearer"}}]
        body = api.post("workflow", {**DAG, "triggers": triggers}).json()
        row = Trigger.objects.get()
        assert body["secrets"] == {str(row.pk): row.secret}

    @pytest.mark.parametrize("missing", ["workflows:write", "runs:execute"])
    def test_it_needs_both_scopes(self, user: User, missing: str) -> None:
        has = {"workflows:write", "runs:execute"} - {missing}
        answer = Caller(user, *has).post("workflow", DAG)
        assert answer.status_code == 403
        assert missing in answer.json()["error"]["message"]
        assert not Workflow.objects.exists()


class TestLogs:
    def test_a_workflow_s_runs_come_newest_first(
        self, api: Caller, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        workflow = make_workflow(slug="orders")
        runs = [make_run(workflow, status="succeeded") for _ in range(3)]
        make_run(make_workflow())
        api.get("runs")
        with django_assert_max_num_queries(3):
            found = api.get("workflows/orders/logs?limit=2").json()
        shown = [row["execution_id"] for row in found["results"]]
        assert shown == [str(runs[2].pk), str(runs[1].pk)]
        assert found["next"] is not None
        failed = api.get(f"workflows/{workflow.pk}/logs?status=failed").json()
        assert failed["results"] == []
        assert "workflow" in wrong(api.get("workflows/orders/logs?workflow=x"))

    def test_a_run_with_all_that_happened(
        self, api: Caller, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        run = make_run(payload={"n": 1}, status="succeeded", output={"m": 2})
        for number in range(5):
            step = make_step(run, f"s{number}", output={"k": number})
            make_attempt(step)
            RunLog.objects.create(run=run, message=f"line {number}")
        api.get("runs")
        with django_assert_max_num_queries(5):
            body = api.get(f"logs/{run.pk}").json()
        assert body["execution_id"] == body["id"] == str(run.pk)
        assert (body["status"], body["input_data"], body["output_data"]) == (
            "succeeded", {"n": 1}, {"m": 2},
        )  # fmt: skip
        assert [step["id"] for step in body["steps"]] == [f"s{n}" for n in range(5)]
        assert body["steps"][1]["output"] == {"k": 1}
        assert [one["step"] for one in body["attempts"]][2] == "s2"
        assert [line["message"] for line in body["logs"]][3] == "line 3"

    def test_it_is_redacted_without_the_scope(self, user: User) -> None:
        secret = {"password": "hunter2-canary"}
        run = make_run(payload=secret, status="succeeded", output=secret)
        make_step(run, output=secret)
        reader = Caller(user, "runs:read")
        assert b"hunter2-canary" not in reader.get(f"logs/{run.pk}").content
        exact = Caller(user, "runs:read", "payloads:read")
        assert exact.get(f"logs/{run.pk}").json()["payload"] == secret

    def test_what_one_step_names_a_secret_is_hidden_in_the_others(
        self, user: User
    ) -> None:
        run = make_run(status="succeeded")
        make_step(run, "a", output={"text": "sent hunter2-canary on"})
        make_step(run, "b", output={"password": "hunter2-canary"})
        RunLog.objects.create(run=run, message="with hunter2-canary")
        reader = Caller(user, "runs:read")
        answer = reader.get(f"logs/{run.pk}")
        assert answer.status_code == 200
        assert b"hunter2-canary" not in answer.content

    def test_another_teams_is_404(self, api: Caller, stranger: Caller) -> None:
        made = api.post("workflow", {"name": "Mine", **DAG}).json()
        assert stranger.get(f"logs/{made['run_id']}").status_code == 404
        assert stranger.get("workflows/mine/logs").status_code == 404

"""Trying a step in the admin: shown first, sent only by the button that says so."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team, User
from automate.lib.filestore import storage_setting
from runs.admin.try_step import LATEST
from runs.models import DeliveryAttempt, Run
from tests.admin_world import boss, flow, operator, signed_in
from tests.automate.lib.net.servers import Server, always, answer
from tests.makers import make_run, make_step
from tests.runs.drains import LOOPBACK
from tests.runs.flows import call, given, node, publish
from workflows.models import Secret, Workflow

pytestmark = pytest.mark.django_db
RIGHTS = ("workflows.change_workflow", "runs.view_run")
CANARY = "canary-of-a-secret-77"


@pytest.fixture(autouse=True)
def _loopback(settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = LOOPBACK


@pytest.fixture
def receiver() -> Any:
    with Server(always(answer(body=b'{"ticket": 4711}'))) as server:
        yield server


def page(workflow: Workflow) -> str:
    return reverse("admin:runs_run_try", args=(workflow.pk,))


def tried(workflow: Workflow, step: str, user: User | None = None, **data: Any) -> str:
    response = signed_in(user or boss()).post(page(workflow), {"step": step, **data})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def calling(receiver: Server, **more: Any) -> Workflow:
    config = {"body": {"n": "{{ trigger.payload.n }}"}, **more}
    return publish(given("first", x=1), call("tell", receiver.url, config=config))


def test_the_page_offers_the_steps_and_the_last_ten_runs(receiver: Server) -> None:
    workflow = calling(receiver)
    runs = [make_run(workflow) for _ in range(LATEST + 1)]
    make_run(flow("another"))
    response = signed_in(operator(*RIGHTS)).get(page(workflow))
    form = response.context["form"]
    assert form.fields["step"].choices == [
        ("first", "first (set)"),
        ("tell", "tell (http_request)"),
    ]
    offered = [key for key, _ in form.fields["run"].choices]
    assert offered == ["", *(str(run.pk) for run in reversed(runs[1:]))]
    assert receiver.requests == []


def test_it_shows_the_request_for_a_run_and_sends_nothing(receiver: Server) -> None:
    workflow = calling(receiver)
    run = make_run(workflow, payload={"n": 7})
    text = tried(workflow, "tell", operator(*RIGHTS), run=str(run.pk))
    assert "What it would do" in text
    assert f"POST {receiver.url}" in text
    assert '"n": 7' in text
    assert "not executed" in text
    assert "Send it now" not in text  # this person may not
    assert receiver.requests == []
    assert not AuditEntry.objects.filter(action="step.try").exists()


def test_data_that_is_typed_in_goes_before_the_run_s(receiver: Server) -> None:
    workflow = calling(receiver)
    run = make_run(workflow, payload={"n": 7})
    typed = '{"trigger": {"payload": {"n": 8}}}'
    assert '"n": 8' in tried(workflow, "tell", run=str(run.pk), pinned=typed)
    assert '"n": 8' in tried(workflow, "tell", pinned=typed)


def test_it_sends_when_the_button_is_pressed(receiver: Server) -> None:
    workflow = calling(receiver)
    run = make_run(workflow, payload={"n": 7})
    user = operator(*RIGHTS, "runs.redrive_run")
    assert "Send it now" in tried(workflow, "tell", user, run=str(run.pk))
    assert receiver.requests == []
    text = tried(workflow, "tell", user, run=str(run.pk), send="1")
    assert len(receiver.requests) == 1
    assert "What it did" in text
    assert '"ticket": 4711' in text
    assert "The answer: 200" in text
    entry = AuditEntry.objects.get(action="step.try")
    assert (entry.user, entry.changes["step"]) == (user, "tell")
    assert not DeliveryAttempt.objects.exists()


def test_sending_needs_the_right_to_redrive(receiver: Server) -> None:
    workflow = calling(receiver)
    client = signed_in(operator(*RIGHTS))
    asked = {
        "step": "tell",
        "send": "1",
        "pinned": '{"trigger": {"payload": {"n": 1}}}',
    }
    assert client.post(page(workflow), asked).status_code == 403
    assert receiver.requests == []


@pytest.mark.parametrize("rights", [RIGHTS[:1], RIGHTS[1:], ()])
def test_trying_needs_the_rights_to_edit_and_to_see_runs(
    rights: tuple[str, ...], receiver: Server
) -> None:
    workflow = calling(receiver)
    client = signed_in(operator(*rights))
    assert client.get(page(workflow)).status_code == 403
    assert client.post(page(workflow), {"step": "first"}).status_code == 403


def test_another_team_s_workflow_is_not_there(receiver: Server) -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = calling(receiver)
    Workflow.objects.filter(pk=workflow.pk).update(team=team)
    assert signed_in(operator(*RIGHTS)).get(page(workflow)).status_code == 404
    member = signed_in(operator(*RIGHTS, team=team))
    assert member.get(page(workflow)).status_code == 200


def test_another_workflow_s_run_is_no_choice(receiver: Server) -> None:
    workflow, other = calling(receiver), make_run(flow("another"))
    text = tried(workflow, "tell", run=str(other.pk))
    assert "Select a valid choice" in text
    assert "What it would do" not in text


def test_a_secret_is_not_shown(receiver: Server) -> None:
    Secret.objects.create(name="CRM", value=CANARY)
    header = {"headers": {"X-Key": "{{ secrets.CRM }}"}, "body": {"a": 1}}
    workflow = calling(receiver, **header)
    assert CANARY not in tried(workflow, "tell")
    assert CANARY not in tried(workflow, "tell", send="1")
    assert CANARY.encode() in receiver.requests[0]


def test_a_step_without_an_effect_shows_what_it_gives(receiver: Server) -> None:
    workflow = publish(given("before"), given("sum", total="{{ steps.before.n + 1 }}"))
    run = make_run(workflow, status="succeeded")
    make_step(run, "before", kind="set", output={"n": 41})
    text = tried(workflow, "sum", run=str(run.pk))
    assert '"total": 42' in text
    assert "Send it now" not in text


def test_what_would_be_stored_is_not_before_the_button_is_pressed(
    settings: Settings, tmp_path: Any
) -> None:
    folder = storage_setting("", tmp_path)
    settings.STORAGES = {**settings.STORAGES, "default": folder}
    workflow = publish(node("keep", "store_file", {"name": "a.txt", "content": "x"}))
    text = tried(workflow, "keep")
    assert "not executed" in text
    assert "Send it now" in text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert "not executed" not in tried(workflow, "keep", send="1")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    assert AuditEntry.objects.filter(action="step.try").count() == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("{", "This is not JSON (line 1, column 2)"),
        ("[1]", "Write an object"),
        ('{"payload": 1}', "Unknown: payload. Known: index, item, steps"),
        ('{"steps": [1]}', "“steps” must be an object"),
    ],
)
def test_what_is_wrong_with_the_data_is_told_at_the_field(
    typed: str, told: str, receiver: Server
) -> None:
    text = tried(calling(receiver), "tell", pinned=typed)
    assert told in text
    assert "What it would do" not in text
    assert receiver.requests == []


def test_a_step_that_fails_says_why_and_cannot_be_sent(receiver: Server) -> None:
    text = tried(calling(receiver), "tell")
    assert "payload" in text.partition("What it would do")[2]
    assert "Send it now" not in text


def test_what_the_service_refuses_is_told(receiver: Server) -> None:
    workflow = calling(receiver)
    Workflow.objects.filter(pk=workflow.pk).update(
        definition={"nodes": [{"id": "tell", "type": "http_request", "config": {}}]}
    )
    assert "It cannot be tried." in tried(workflow, "tell")


def test_a_draft_that_cannot_be_read_offers_nothing(receiver: Server) -> None:
    workflow = calling(receiver)
    Workflow.objects.filter(pk=workflow.pk).update(definition={"nodes": 7})
    response = signed_in(boss()).get(page(workflow))
    assert response.status_code == 200
    assert response.context["form"].fields["step"].choices == []


def test_the_page_is_kept_by_no_cache(receiver: Server) -> None:
    response = signed_in(boss()).get(page(calling(receiver)))
    assert "no-store" in response["Cache-Control"]
    assert Run.objects.count() == 0

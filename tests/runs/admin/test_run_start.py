"""“Run now”: a person starts a workflow with a payload of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team, User
from runs.models import Run
from tests.admin_world import boss, flow, operator, signed_in
from workflows import services
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
RIGHTS = ("runs.view_run", "runs.add_run", "workflows.view_workflow")


def start(user: User, workflow: Workflow, payload: str) -> Any:
    address = reverse("admin:runs_run_start", args=(workflow.pk,))
    return signed_in(user).post(address, {"payload": payload}, follow=True)


def test_a_payload_becomes_a_queued_run() -> None:
    workflow, user = flow(), operator(*RIGHTS)
    response = start(user, workflow, '{"order": {"id": 7}}')
    run = Run.objects.get()
    assert response.redirect_chain[-1][0].endswith(f"/{run.pk}/change/")
    assert bytes(run.body) == b'{"order":{"id":7}}'
    assert (run.status, run.version) == ("queued", workflow.published)
    assert AuditEntry.objects.get(action="run.start").user == user


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ('{"a": 1,}', "This is not JSON (line 1, column 9)"),
        ('{"a": NaN}', "This is not JSON"),
        ('{"a": 1, "a": 2}', "This is not JSON"),
        ("[" * 3000, "This is not JSON"),
        ("", "This field is required."),
    ],
)
def test_what_is_not_json_starts_nothing(payload: str, said: str) -> None:
    response = start(boss(), flow(), payload)
    assert said in response.content.decode()
    assert not Run.objects.exists()


def test_a_viewer_starts_nothing() -> None:
    workflow = flow()
    user = operator("runs.view_run", "workflows.view_workflow")
    assert start(user, workflow, "{}").status_code == 403
    page = reverse("admin:workflows_workflow_change", args=(workflow.pk,))
    assert "Run now" not in signed_in(user).get(page).content.decode()
    assert not Run.objects.exists()


def test_another_team_s_workflow_is_not_there() -> None:
    workflow = flow(team=Team.objects.create(name="Sales", slug="sales"))
    assert start(operator(*RIGHTS), workflow, "{}").status_code == 404


def test_an_inactive_workflow_says_what_to_do() -> None:
    workflow = flow()
    services.deactivate(workflow, None)
    response = start(boss(), workflow, "{}")
    assert "activate it first" in response.content.decode()
    assert not Run.objects.exists()

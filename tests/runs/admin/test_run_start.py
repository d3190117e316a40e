"""“Run now”: a person starts a workflow with a payload of their own."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team, User
from runs.models import Run
from tests.admin_world import boss, flow, operator, signed_in
from tests.runs.flows import given, publish
from workflows import services
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
RIGHTS = ("runs.view_run", "runs.add_run", "workflows.view_workflow")


def start(user: User, workflow: Workflow, payload: str, **more: str) -> Any:
    address = reverse("admin:runs_run_start", args=(workflow.pk,))
    return signed_in(user).post(address, {"payload": payload, **more}, follow=True)


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


class TestVariables:
    """Values for this run instead of the workflow's own."""

    @pytest.fixture
    def workflow(self) -> Workflow:
        return publish(given("a"), variables={"region": "eu", "token": "t-123456789"})

    def test_the_form_names_what_is_declared_redacted(self, workflow: Workflow) -> None:
        page = reverse("admin:runs_run_start", args=(workflow.pk,))
        text = html.unescape(signed_in(boss()).get(page).content.decode())
        assert 'name="variables"' in text
        assert '{"region": "eu", "token": "[redacted]"}' in text
        assert "t-123456789" not in text

    def test_given_ones_become_the_run_s(self, workflow: Workflow) -> None:
        start(boss(), workflow, "{}", variables='{"region": "us"}')
        assert Run.objects.get().variables == {"region": "us"}

    @pytest.mark.parametrize("typed", ["", "  ", "{}"])
    def test_none_leave_the_workflow_s_own(
        self, workflow: Workflow, typed: str
    ) -> None:
        start(boss(), workflow, "{}", variables=typed)
        assert Run.objects.get().variables == {}

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ('{"regoin": "us"}', 'declared are region, token; did you mean "region"?'),
            ("[1]", 'Write an object: {"name": "value"}.'),
            ("{", "This is not JSON"),
        ],
    )
    def test_wrong_ones_start_nothing_and_stay_in_the_box(
        self, workflow: Workflow, typed: str, said: str
    ) -> None:
        response = start(boss(), workflow, "{}", variables=typed)
        assert said in response.context["form"].errors["variables"][0]
        assert typed in html.unescape(response.content.decode())
        assert not Run.objects.exists()

    def test_without_declared_ones_there_is_no_box(self) -> None:
        page = reverse("admin:runs_run_start", args=(flow().pk,))
        assert 'name="variables"' not in signed_in(boss()).get(page).content.decode()

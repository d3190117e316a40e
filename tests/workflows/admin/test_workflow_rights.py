"""Who may publish, switch and see a workflow in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team, User
from tests.admin_world import DEFINITION, boss, flow, operator, signed_in
from tests.workflows.admin.test_workflow import RIGHTS, existing, page, send, texts
from workflows.admin.workflow import WorkflowAdmin
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def switch(user: User, workflow: Workflow, verb: str) -> Any:
    address = reverse("admin:workflows_workflow_switch", args=(workflow.pk, verb))
    return signed_in(user).post(address)


def test_publishing_needs_its_permission() -> None:
    workflow = flow()
    user = operator(*RIGHTS)
    definition = {"nodes": [{**DEFINITION["nodes"][0], "timeout": 5}]}
    client = signed_in(user)
    assert "Save and publish" not in client.get(page(workflow)).content.decode()
    rows = [existing(workflow)]
    send(client, page(workflow), definition=definition, triggers=rows, _publish="1")
    workflow.refresh_from_db()
    assert workflow.published is not None
    assert workflow.published.number == 1
    for verb in ("deactivate", "archive"):
        assert switch(user, workflow, verb).status_code == 403
    workflow.refresh_from_db()
    assert workflow.status == "active"


def test_a_workflow_is_switched_off_on_and_away() -> None:
    workflow = flow()
    user = operator("workflows.view_workflow", "workflows.publish_workflow")
    for verb, status in (
        ("deactivate", "inactive"),
        ("activate", "active"),
        ("archive", "archived"),
    ):
        assert switch(user, workflow, verb).status_code == 302
        workflow.refresh_from_db()
        assert workflow.status == status
        assert AuditEntry.objects.filter(action=f"workflow.{verb}", user=user).exists()
    assert switch(user, workflow, "explode").status_code == 404


def test_what_cannot_be_switched_says_why() -> None:
    draft = Workflow.objects.create(slug="d", name="Draft")
    address = reverse("admin:workflows_workflow_switch", args=(draft.pk, "activate"))
    response = signed_in(boss()).post(address, follow=True)
    assert "publish it first" in texts(response)


def test_another_team_s_workflow_is_not_there() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = flow(team=team)
    stranger = operator(*RIGHTS, "workflows.publish_workflow")
    assert signed_in(stranger).get(page(workflow)).status_code == 302
    assert switch(stranger, workflow, "archive").status_code == 404
    names = signed_in(stranger).get(reverse("admin:workflows_workflow_changelist"))
    assert "Orders" not in names.content.decode()
    assert "Sales" not in names.content.decode(), "nor its team's name"


def test_nobody_deletes_a_workflow() -> None:
    workflow = flow()
    address = reverse("admin:workflows_workflow_delete", args=(workflow.pk,))
    assert signed_in(boss()).post(address, {"post": "yes"}).status_code == 403
    assert Workflow.objects.exists()


def test_every_list_action_carries_a_permission() -> None:
    for name in WorkflowAdmin.actions:
        assert getattr(WorkflowAdmin, name).allowed_permissions, name


def test_selected_workflows_are_published_and_switched() -> None:
    flow("a")
    draft = Workflow.objects.create(slug="d", name="Draft", definition=DEFINITION)
    client, address = signed_in(boss()), reverse("admin:workflows_workflow_changelist")
    chosen = [str(pk) for pk in Workflow.objects.values_list("pk", flat=True)]
    for action in ("publish_selected", "deactivate"):
        data = {"action": action, "_selected_action": chosen}
        response = client.post(address, data, follow=True)
        assert "Draft" in texts(response)
    draft.refresh_from_db()
    assert draft.published is not None
    assert set(Workflow.objects.values_list("status", flat=True)) == {"inactive"}

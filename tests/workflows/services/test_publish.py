"""Publishing: versions, triggers, secrets, names."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry, Team, User
from workflows.models import Connection, Secret, Workflow, WorkflowVersion
from workflows.services import (
    DocumentError,
    EditConflict,
    StateRefused,
    activate,
    archive,
    create_workflow,
    deactivate,
    publish,
    publish_in_full,
    save_draft,
)

pytestmark = pytest.mark.django_db

NO = 'there is no {} "{}" for this workflow; create it'
HTTP = {"type": "http_request", "config": {"url": "https://api.example.com/x"}}


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "Orders",
        "slug": "orders",
        "steps": [{"id": "notify", **HTTP}],
        "triggers": [{"kind": "webhook", "config": {"scheme": "github"}}],
    }
    return base | changes


def draft(**changes: Any) -> Workflow:
    return create_workflow(document(**changes), by=None, publish=False).workflow


def problems(error: pytest.ExceptionInfo[DocumentError]) -> dict[str, str]:
    return {problem.path: problem.message for problem in error.value.problems}


def test_publish_makes_version_one_and_activates() -> None:
    workflow = draft()
    assert workflow.status == Workflow.Status.DRAFT
    version = publish(workflow, by=None, note="first")
    assert (version.number, version.note) == (1, "first")
    assert workflow.published == version
    assert workflow.status == Workflow.Status.ACTIVE
    assert [node["id"] for node in version.definition["nodes"]] == ["notify"]
    assert set(version.definition) == {"nodes", "connections", "variables"}


def test_the_same_definition_again_is_the_same_version() -> None:
    workflow = draft()
    first = publish(workflow, by=None)
    save_draft(workflow, document(description="other words"), by=None)
    again = publish_in_full(workflow, by=None)
    assert again.version == first
    assert again.is_new is False
    assert WorkflowVersion.objects.filter(workflow=workflow).count() == 1


def test_a_changed_definition_is_the_next_version_and_the_first_stays() -> None:
    workflow = draft()
    first = publish(workflow, by=None)
    steps = [
        {"id": "notify", **HTTP},
        {"id": "pause", "type": "delay", "config": {"duration": 1}},
    ]
    save_draft(workflow, document(steps=steps), by=None)
    workflow.refresh_from_db()
    assert workflow.published == first
    second = publish(workflow, by=None)
    assert second.number == 2
    first.refresh_from_db()
    assert len(first.definition["nodes"]) == 1


def test_a_draft_with_problems_is_refused_with_every_place() -> None:
    steps = [
        {"id": "a", "type": "nope"},
        {"id": "b", "type": "http_request", "config": {}},
    ]
    workflow = create_workflow(document(steps=steps), by=None, publish=False).workflow
    with pytest.raises(DocumentError) as error:
        publish(workflow, by=None)
    assert set(problems(error)) == {"nodes[0].type", "nodes[1].config.url"}
    workflow.refresh_from_db()
    assert workflow.published is None
    assert not workflow.versions.exists()


def test_an_inactive_workflow_stays_inactive_when_published() -> None:
    workflow = draft()
    publish(workflow, by=None)
    assert deactivate(workflow, None)
    publish(workflow, by=None)
    assert workflow.status == Workflow.Status.INACTIVE


def test_an_archived_workflow_is_not_published() -> None:
    workflow = draft()
    assert archive(workflow, None)
    with pytest.raises(StateRefused, match="archived"):
        publish(workflow, by=None)


def test_a_stale_edit_count_is_a_conflict() -> None:
    workflow = draft()
    seen = workflow.edit_count
    save_draft(workflow, document(description="mine"), by=None)
    with pytest.raises(EditConflict) as error:
        publish(workflow, by=None, expected_edit_count=seen)
    assert error.value.current == seen + 1
    assert not workflow.versions.exists()


def test_publishing_is_audited_with_the_person() -> None:
    user = User.objects.create_user("ann@example.com")
    workflow = draft()
    version = publish(workflow, by=user)
    entry = AuditEntry.objects.get(action="workflow.publish")
    assert entry.user == user
    assert entry.object_id == str(workflow.pk)
    assert entry.changes["version"] == 1
    assert version.created_by == user


def test_a_literal_credential_becomes_a_secret_of_the_team() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    step = {
        "id": "notify",
        "type": "http_request",
        "config": {
            "url": "https://api.example.com",
            "headers": {"Authorization": "Bearer tok-canary-1"},
        },
    }
    result = create_workflow(document(steps=[step]), by=None, team=team)
    secret = Secret.objects.get()
    assert (secret.team, secret.value) == (team, "tok-canary-1")
    assert result.version is not None
    stored = repr(
        [
            result.version.definition,
            result.workflow.definition,
            list(AuditEntry.objects.values()),
        ]
    )
    assert "tok-canary-1" not in stored
    assert "{{ secrets." + secret.name + " }}" in stored
    assert [m.path for m in result.messages] == [
        "steps[0].config.headers.Authorization"
    ]


def test_the_same_literal_again_is_the_same_secret_and_version() -> None:
    def given(token: str) -> dict[str, Any]:
        step = {
            "id": "notify",
            "type": "http_request",
            "config": {
                "url": "https://api.example.com",
                "headers": {"Authorization": token},
            },
        }
        return document(steps=[step])

    workflow = create_workflow(given("Bearer tok-one"), by=None).workflow
    save_draft(workflow, given("Bearer tok-one"), by=None)
    assert publish(workflow, by=None).number == 1
    assert Secret.objects.count() == 1
    save_draft(workflow, given("Bearer tok-two"), by=None)
    assert publish(workflow, by=None).number == 2
    assert sorted(s.value for s in Secret.objects.all()) == ["tok-one", "tok-two"]
    save_draft(workflow, given("Bearer tok-two"), by=None)
    publish(workflow, by=None)
    assert Secret.objects.count() == 2


def test_a_literal_where_secrets_cannot_be_used_is_refused_and_not_stored() -> None:
    step = {
        "id": "build",
        "type": "set",
        "config": {"values": {"t": "ghp_" + "a" * 36}},
    }
    with pytest.raises(DocumentError, match="secrets cannot be used here"):
        create_workflow(document(steps=[step]), by=None)
    assert not Secret.objects.exists()


@pytest.mark.parametrize("other", [False, True])
def test_a_name_of_nobody_and_of_another_team_are_refused_alike(other: bool) -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    theirs = Team.objects.create(name="Theirs", slug="theirs")
    if other:
        Secret.objects.create(team=theirs, name="KEY", value="v")
        Connection.objects.create(
            team=theirs,
            name="crm",
            kind="bearer",
            base_url="https://c.example.com",
            credentials={"token": "t"},
        )
    config = {
        "url": "/x",
        "connection": "crm",
        "headers": {"X-Key": "{{ secrets.KEY }}"},
    }
    steps = [{"id": "notify", "type": "http_request", "config": config}]
    with pytest.raises(DocumentError) as error:
        create_workflow(document(steps=steps), by=None, team=mine)
    assert problems(error) == {
        "steps[0].config.headers.X-Key": NO.format("secret", "KEY"),
        "steps[0].config.connection": NO.format("connection", "crm"),
    }


def test_names_of_the_team_and_shared_ones_are_accepted() -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    Secret.objects.create(team=mine, name="KEY", value="v")
    Connection.objects.create(
        team=None,
        name="crm",
        kind="bearer",
        base_url="https://c.example.com",
        credentials={"token": "t"},
    )
    config = {
        "url": "/x",
        "connection": "crm",
        "headers": {"X-Key": "{{ secrets.KEY }}"},
    }
    steps = [{"id": "notify", "type": "http_request", "config": config}]
    assert (
        create_workflow(document(steps=steps), by=None, team=mine).version is not None
    )


def test_activate_needs_a_published_version() -> None:
    workflow = draft()
    archive(workflow, None)
    with pytest.raises(StateRefused, match="never published"):
        activate(workflow, None)


def test_switching_states_says_whether_anything_changed() -> None:
    workflow = draft()
    publish(workflow, by=None)
    assert [deactivate(workflow, None), deactivate(workflow, None)] == [True, False]
    assert [activate(workflow, None), activate(workflow, None)] == [True, False]
    assert [archive(workflow, None), archive(workflow, None)] == [True, False]
    with pytest.raises(StateRefused, match="archived cannot become inactive"):
        deactivate(workflow, None)
    actions = AuditEntry.objects.filter(action__startswith="workflow.").order_by("id")
    assert [entry.action for entry in actions][-3:] == [
        "workflow.deactivate",
        "workflow.activate",
        "workflow.archive",
    ]

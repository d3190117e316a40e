"""A version's pages: what it changed, and rolling back to it."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team
from tests.admin_world import DEFINITION, STEP, boss, flow, operator, signed_in
from workflows.models import Workflow, WorkflowVersion
from workflows.services import archive, publish, save_draft

pytestmark = pytest.mark.django_db
VIEW = ("workflows.view_workflow", "workflows.view_workflowversion")
PUBLISH = (*VIEW, "workflows.publish_workflow")
OTHER = {**STEP, "config": {**STEP["config"], "method": "PUT"}}  # type: ignore[dict-item]


def changed(**fields: Any) -> Workflow:
    """A workflow with a second version, in which the step's method differs."""
    workflow = flow(**fields)
    save_draft(workflow, {"nodes": [OTHER]}, by=None)
    publish(workflow, by=None)
    return workflow


def version(workflow: Workflow, number: int) -> WorkflowVersion:
    return workflow.versions.get(number=number)


def address(row: WorkflowVersion, verb: str = "change", query: str = "") -> str:
    name = f"admin:workflows_workflowversion_{verb}"
    return reverse(name, args=(row.pk,)) + query


def shown(client: Client, *args: Any) -> str:
    response = client.get(address(*args))
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def told(response: Any) -> str:
    return html.unescape(" ".join(map(str, response.context["messages"])))


def test_the_page_says_what_a_version_changed() -> None:
    text = shown(signed_in(boss()), version(changed(), 2), "diff")
    assert "From version 1 to version 2" in text
    assert 'Step "notify": config.method changed: "POST" -> "PUT"' in text


def test_the_page_names_both_versions_with_who_when_and_why() -> None:
    workflow = changed()
    person = boss()
    save_draft(workflow, DEFINITION, by=person)
    publish(workflow, by=person, note="Back to POST")
    third = version(workflow, 3)
    text = shown(signed_in(person), third, "diff")
    assert f"by {person}" in text
    assert "“Back to POST”" in text
    assert "1 change<" in text
    assert "The triggers are the same." in text
    assert f'href="{address(version(workflow, 2), "rollback")}"' in text
    assert f'href="{address(third, "rollback")}"' not in text


def test_the_page_says_that_triggers_differ() -> None:
    workflow = flow()
    document = {"definition": DEFINITION, "triggers": [{"kind": "manual"}]}
    save_draft(workflow, document, by=None)
    publish(workflow, by=None)
    text = shown(signed_in(boss()), version(workflow, 2), "diff")
    assert "The triggers differ, too." in text


def test_the_page_compares_with_the_draft() -> None:
    workflow = changed()
    text = shown(signed_in(boss()), version(workflow, 2), "diff", "?against=draft")
    assert "Nothing is different." in text
    save_draft(workflow, DEFINITION, by=None)
    text = shown(signed_in(boss()), version(workflow, 2), "diff", "?against=draft")
    assert '"PUT" -> "POST"' in text


def test_what_a_definition_holds_is_escaped() -> None:
    workflow = changed()
    name = {**STEP, "name": "<script>alert(1)</script>"}
    save_draft(workflow, {"nodes": [name]}, by=None)
    page = address(version(workflow, 2), "diff", "?against=draft")
    assert b"<script>alert(1)" not in signed_in(boss()).get(page).content


def test_the_first_version_has_none_before_it() -> None:
    client, first = signed_in(boss()), version(changed(), 1)
    assert client.get(address(first, "diff")).status_code == 404
    assert "What it changed" not in shown(client, first)


def test_a_draft_that_cannot_be_read_is_told() -> None:
    workflow = changed()
    Workflow.objects.filter(pk=workflow.pk).update(definition={"nodes": 3})
    page = address(version(workflow, 1), "diff", "?against=draft")
    response = signed_in(boss()).get(page, follow=True)
    assert "must be a list" in told(response)


def test_rolling_back_asks_first_and_shows_what_would_change() -> None:
    workflow = changed()
    text = shown(signed_in(boss()), version(workflow, 1), "rollback")
    assert "From version 2 to version 1" in text
    assert '"PUT" -> "POST"' in text
    workflow.refresh_from_db()
    assert workflow.published == version(workflow, 2)


def test_rolling_back_with_a_word_about_why() -> None:
    workflow, person = changed(), operator(*PUBLISH)
    page = address(version(workflow, 1), "rollback")
    data = {"note": "too many PUTs", "seen_edit": workflow.edit_count}
    response = signed_in(person).post(page, data, follow=True)
    assert "rolled back to version 1" in told(response)
    workflow.refresh_from_db()
    assert workflow.published == version(workflow, 1)
    entry = AuditEntry.objects.get(action="workflow.rollback")
    assert (entry.user, entry.changes["note"]) == (person, "too many PUTs")


def test_a_workflow_that_somebody_changed_meanwhile_is_left_alone() -> None:
    workflow = changed()
    data = {"note": "", "seen_edit": workflow.edit_count - 1}
    page = address(version(workflow, 1), "rollback")
    response = signed_in(boss()).post(page, data, follow=True)
    assert "changed by somebody else" in told(response)
    workflow.refresh_from_db()
    assert workflow.published == version(workflow, 2)


def test_a_post_without_the_edit_that_was_seen_asks_again() -> None:
    workflow = changed()
    page = address(version(workflow, 1), "rollback")
    assert signed_in(boss()).post(page, {"note": "x"}).status_code == 200
    workflow.refresh_from_db()
    assert workflow.published == version(workflow, 2)


def test_what_stands_in_the_way_is_told() -> None:
    workflow = changed()
    WorkflowVersion.objects.filter(workflow=workflow, number=1).update(
        definition={
            "nodes": [{**STEP, "type": "gone"}],
            "connections": [],
            "variables": {},
        }
    )
    page = address(version(workflow, 1), "rollback")
    data = {"note": "", "seen_edit": workflow.edit_count}
    response = signed_in(boss()).post(page, data, follow=True)
    assert "Not rolled back" in told(response)
    assert "unknown step type" in told(response)


def test_the_button_is_there_for_those_who_may_publish() -> None:
    workflow = changed()
    button = "Roll back to this version"
    first, second = version(workflow, 1), version(workflow, 2)
    assert button in shown(signed_in(operator(*PUBLISH)), first)
    assert button not in shown(signed_in(operator(*PUBLISH)), second)
    assert button not in shown(signed_in(operator(*VIEW)), first)
    archive(workflow, by=None)
    assert button not in shown(signed_in(operator(*PUBLISH)), first)


def test_who_may_only_look_cannot_roll_back() -> None:
    workflow = changed()
    client, page = signed_in(operator(*VIEW)), address(version(workflow, 1), "rollback")
    assert client.get(page).status_code == 403
    data = {"note": "", "seen_edit": workflow.edit_count}
    assert client.post(page, data).status_code == 403


def test_pages_need_the_permission_to_view() -> None:
    client = signed_in(operator("workflows.view_workflow"))
    row = version(changed(), 2)
    for verb in ("diff", "rollback"):
        assert client.get(address(row, verb)).status_code == 403


def test_versions_of_other_teams_are_not_there() -> None:
    workflow = changed(team=Team.objects.create(name="A", slug="a"))
    stranger = signed_in(
        operator(*PUBLISH, team=Team.objects.create(name="B", slug="b"))
    )
    for verb in ("diff", "rollback"):
        assert stranger.get(address(version(workflow, 2), verb)).status_code == 404


def test_rolling_back_needs_the_token_of_the_form() -> None:
    workflow = changed()
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss())
    page = address(version(workflow, 1), "rollback")
    data = {"note": "", "seen_edit": workflow.edit_count}
    assert client.post(page, data).status_code == 403

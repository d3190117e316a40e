"""Building, publishing and switching workflows in the admin."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team
from tests.admin_world import DEFINITION, boss, flow, operator, signed_in
from workflows.admin.workflow_form import EXAMPLE
from workflows.models import Secret, Trigger, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
ADD = "admin:workflows_workflow_add"
RIGHTS = (
    "workflows.view_workflow",
    "workflows.add_workflow",
    "workflows.change_workflow",
    "workflows.add_trigger",
    "workflows.change_trigger",
    "workflows.view_trigger",
    "workflows.delete_trigger",
)


def page(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=(workflow.pk,))


def form(definition: Any = None, triggers: Any = (), **fields: Any) -> dict[str, Any]:
    """What the browser sends; `triggers` are dictionaries of their fields."""
    text = definition
    if not isinstance(definition, str):
        text = json.dumps(DEFINITION if definition is None else definition)
    data: dict[str, Any] = {
        "name": "Orders",
        "slug": "orders",
        "description": "",
        "definition": text,
        "run_timeout": "86400",
        "priority": "2",
        "tags": "",
        "search_keys": "",
        "triggers-TOTAL_FORMS": len(triggers),
        "triggers-INITIAL_FORMS": sum("id" in one for one in triggers),
        **fields,
    }
    for number, one in enumerate(triggers):
        given = {"kind": "webhook", "is_active": "on", **one}
        data |= {f"triggers-{number}-{name}": value for name, value in given.items()}
    return data


def texts(response: Any) -> str:
    return html.unescape(" ".join(str(one) for one in response.context["messages"]))


def errors(response: Any, field: str = "definition") -> list[str]:
    """The messages at a field of the form that was sent back."""
    assert response.status_code == 200
    return list(response.context["adminform"].form.errors.get(field, []))


def send(client: Client, address: str, **data: Any) -> Any:
    return client.post(address, form(**data), follow=True)


def test_a_new_workflow_is_published_with_its_webhook_and_secret() -> None:
    user = operator(*RIGHTS, "workflows.publish_workflow")
    client = signed_in(user)
    webhook = {"scheme": "github", "path": "/github/push", "generate": "on"}
    response = send(client, reverse(ADD), triggers=[webhook], _publish="1")

    workflow = Workflow.objects.get(slug="orders")
    assert response.redirect_chain[-1][0] == page(workflow)
    assert (workflow.status, workflow.owner) == ("active", user)
    assert workflow.published is not None
    trigger = Trigger.objects.get()
    assert (trigger.path, trigger.config["scheme"]) == ("github/push", "github")
    assert trigger.is_active
    assert str(trigger.secret) in texts(response), "shown once"
    shown = response.content.decode().replace("<wbr>", "")
    assert "/v1/webhooks/github/push" in shown
    again = client.get(page(workflow)).content.decode()
    assert str(trigger.secret) not in again
    assert "Is set. Empty keeps it." in again


def test_the_example_can_be_published_as_it_is() -> None:
    client = signed_in(boss())
    shown = client.get(reverse(ADD))
    text = shown.context["adminform"].form.initial["definition"]
    assert text == EXAMPLE
    response = send(
        client,
        reverse(ADD),
        definition=text,
        triggers=[{"scheme": "none"}],
        _publish="1",
    )
    assert "version 1 is published" in texts(response)
    assert texts(response).count("has no signature scheme") == 1


def test_a_save_keeps_a_draft_that_runs_nothing() -> None:
    response = send(signed_in(boss()), reverse(ADD), _continue="1")
    workflow = Workflow.objects.get()
    assert (workflow.status, workflow.published) == ("draft", None)
    assert "published" not in texts(response)
    assert workflow.definition["nodes"][0]["id"] == "notify"


BROKEN = {
    "nodes": [
        {"id": "a", "type": "http_request", "config": {"method": "POST"}},
        {"id": "b", "type": "no_such_step", "config": {}},
    ],
    "connections": [{"from": "a", "to": "nowhere"}],
}


def test_publishing_tells_every_problem_with_its_place() -> None:
    response = send(signed_in(boss()), reverse(ADD), definition=BROKEN, _publish="1")
    found = errors(response)
    assert any(text.startswith("nodes[0].config") for text in found), found
    assert any(text.startswith("nodes[1].type") for text in found), found
    assert any("nowhere" in text for text in found), found
    assert not Workflow.objects.exists()
    assert "no_such_step" in response.content.decode(), "what was typed stays"


def test_a_draft_may_have_problems_and_says_so() -> None:
    client = signed_in(boss())
    response = send(client, reverse(ADD), definition=BROKEN, _continue="1")
    assert "Before it can be published" in texts(response)
    assert "nodes[1].type" in texts(response)
    text = client.get(page(Workflow.objects.get())).content.decode()
    assert "nodes[1].type" in text
    number = text.count("<li>nodes") + text.count("<li>connections")
    assert f"No: {number} problems in the saved draft." in text


def test_a_draft_whose_connection_is_missing_is_not_ready() -> None:
    client = signed_in(boss())
    call = {
        "id": "a",
        "type": "http_request",
        "config": {"url": "https://example.com", "connection": "my-crm"},
    }
    definition = json.dumps({"nodes": [call]})
    send(client, reverse(ADD), definition=definition, _continue="1")
    text = client.get(page(Workflow.objects.get())).content.decode()
    assert "No: 1 problem in the saved draft." in text
    assert "there is no connection &quot;my-crm&quot;" in text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ('{"nodes": [}', "This is not JSON (line 1, column 12)"),
        ('{\n "nodes": [],\n "nodes": []}', "This is not JSON"),
        ("[]", 'Write an object: {"nodes": [...]}.'),
        ('"text"', 'Write an object: {"nodes": [...]}.'),
        ("[" * 5000, "This is not JSON"),
        ("   ", "This field is required."),
        ('{"nodes": [], "triggers": 7}', "triggers"),
    ],
)
@pytest.mark.parametrize("button", ["_publish", "_continue"])
def test_what_cannot_be_a_definition_is_refused(
    typed: str, said: str, button: str
) -> None:
    response = send(signed_in(boss()), reverse(ADD), definition=typed, **{button: "1"})
    assert any(said in text for text in errors(response)), errors(response)
    assert typed.strip() in html.unescape(response.content.decode())
    assert not Workflow.objects.exists()


def test_a_missing_secret_is_told_and_the_draft_is_kept() -> None:
    step = {
        "id": "notify",
        "type": "http_request",
        "config": {
            "method": "POST",
            "url": "https://crm.example.com",
            "headers": {"X-Auth": "{{ secrets.NOT_THERE }}"},
        },
    }
    response = send(
        signed_in(boss()), reverse(ADD), definition={"nodes": [step]}, _publish="1"
    )
    workflow = Workflow.objects.get()
    assert workflow.status == "draft"
    assert "NOT_THERE" in texts(response)
    assert "published." not in texts(response)


def test_a_literal_credential_becomes_a_secret() -> None:
    step = {
        "id": "notify",
        "type": "http_request",
        "config": {
            "method": "POST",
            "url": "https://crm.example.com",
            "headers": {"Authorization": "Bearer canary-literal-1234"},
        },
    }
    response = send(
        signed_in(boss()), reverse(ADD), definition={"nodes": [step]}, _publish="1"
    )
    assert "canary-literal-1234" not in response.content.decode()
    assert "canary-literal-1234" in str(Secret.objects.get().value)
    assert "canary-literal-1234" not in str(WorkflowVersion.objects.get().definition)


def existing(workflow: Workflow, **more: Any) -> dict[str, Any]:
    """The form of a workflow's one trigger as it stands."""
    trigger = workflow.triggers.get()
    return {
        "id": trigger.pk,
        "workflow": workflow.pk,
        "kind": trigger.kind,
        "scheme": trigger.config["scheme"],
        "path": trigger.path or "",
        **more,
    }


def test_a_second_save_changes_nothing_that_was_not_changed() -> None:
    workflow = flow()
    before = (workflow.published_id, workflow.triggers.get().secret)
    key = workflow.triggers.get().key
    send(signed_in(boss()), page(workflow), triggers=[existing(workflow)], _publish="1")
    workflow.refresh_from_db()
    assert (workflow.published_id, workflow.triggers.get().secret) == before
    assert workflow.triggers.get().key == key
    assert Trigger.objects.count() == 1
    assert WorkflowVersion.objects.count() == 1


def test_a_changed_step_makes_the_next_version() -> None:
    workflow = flow()
    definition = {"nodes": [{**DEFINITION["nodes"][0], "timeout": 5}]}
    send(
        signed_in(boss()),
        page(workflow),
        definition=definition,
        triggers=[existing(workflow)],
        _publish="1",
    )
    workflow.refresh_from_db()
    assert workflow.published is not None
    assert workflow.published.number == 2


def test_triggers_are_added_changed_and_deleted() -> None:
    workflow = flow()
    client = signed_in(boss())
    changed = existing(workflow, path="orders/v2", events="order.paid\norder.*")
    added = {"scheme": "hmac", "new_secret": "typed-by-hand", "path": ""}
    send(client, page(workflow), triggers=[changed, added], _publish="1")
    first, second = workflow.triggers.order_by("id")
    assert (first.path, first.config["events"]) == (
        "orders/v2",
        ["order.paid", "order.*"],
    )
    assert second.secret == "typed-by-hand"
    assert (second.path, second.is_active) == (None, True)

    rows = [
        existing_row(first),
        {**existing_row(second), "DELETE": "on"},
    ]
    send(client, page(workflow), triggers=rows, _publish="1")
    assert list(workflow.triggers.all()) == [first]
    first.refresh_from_db()
    assert first.path == "orders/v2"
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"trigger.create", "trigger.change", "trigger.delete"} <= actions
    assert "typed-by-hand" not in str(list(AuditEntry.objects.values_list("changes")))


def existing_row(trigger: Trigger) -> dict[str, Any]:
    return {
        "id": trigger.pk,
        "workflow": trigger.workflow_id,
        "kind": trigger.kind,
        "scheme": trigger.config["scheme"],
        "path": trigger.path or "",
        "events": "\n".join(trigger.config.get("events", [])),
    }


def test_a_rotated_secret_leaves_the_one_before_for_a_day() -> None:
    workflow = flow()
    old = workflow.triggers.get().secret
    rows = [existing(workflow, generate="on")]
    response = send(signed_in(boss()), page(workflow), triggers=rows, _continue="1")
    trigger = workflow.triggers.get()
    assert trigger.secret != old
    assert trigger.previous_secret == old
    assert trigger.previous_secret_expires_at is not None
    assert str(trigger.secret) in texts(response)
    assert "The one before works until" in response.content.decode()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"scheme": "", "path": "x"}, "scheme", "Say how senders prove who they are"),
        ({"scheme": "github"}, "new_secret", "This scheme needs a secret"),
        ({"scheme": "none", "generate": "on"}, "generate", "has no secret"),
        ({"scheme": "none", "new_secret": "x"}, "new_secret", "has no secret"),
        (
            {"scheme": "github", "new_secret": "x", "generate": "on"},
            "generate",
            "not both",
        ),
        (
            {"scheme": "standard_webhooks", "new_secret": "not base64!"},
            "new_secret",
            "The secret",
        ),
        ({"scheme": "none", "path": "a b"}, "path", "must be letters"),
        ({"scheme": "none", "path": "a//b"}, "path", "must be letters"),
        ({"scheme": "none", "more": "[1]"}, "more", "Write an object"),
        ({"scheme": "none", "more": '{"path": "x"}'}, "more", "Use the field above"),
        ({"scheme": "none", "more": '{"nonsense": 1}'}, "more", "nonsense"),
        ({"scheme": "none", "more": '{"methods": ["BREW"]}'}, "more", "methods"),
        ({"scheme": "none", "more": '{"condition": "{{ 1 +"}'}, "more", "condition"),
    ],
)
def test_a_trigger_is_told_what_is_wrong_at_the_field(
    given: dict[str, str], field: str, said: str
) -> None:
    response = send(signed_in(boss()), reverse(ADD), triggers=[given], _publish="1")
    assert response.status_code == 200
    formset = response.context["inline_admin_formsets"][0].formset
    found = formset.forms[0].errors.get(field, [])
    assert any(said in text for text in found), formset.forms[0].errors
    assert not Workflow.objects.exists()


def test_a_path_that_another_trigger_has_is_refused() -> None:
    flow("refunds")
    given = {"scheme": "none", "path": "refunds/in"}
    response = send(signed_in(boss()), reverse(ADD), triggers=[given], _publish="1")
    formset = response.context["inline_admin_formsets"][0].formset
    assert formset.forms[0].errors["path"]
    assert not Workflow.objects.filter(slug="orders").exists()


def test_two_people_do_not_overwrite_each_other() -> None:
    workflow = flow()
    response = send(
        signed_in(boss()),
        page(workflow),
        name="Mine",
        seen_edit=str(workflow.edit_count - 1),
        triggers=[existing(workflow)],
        _continue="1",
    )
    assert "Somebody else saved this workflow" in str(errors(response, "__all__"))
    workflow.refresh_from_db()
    assert workflow.name == "Orders"


def test_slug_and_team_move_and_are_in_the_audit() -> None:
    workflow, team = flow(), Team.objects.create(name="Sales", slug="sales")
    rows = [existing(workflow)]
    send(
        signed_in(boss()),
        page(workflow),
        slug="orders-2",
        team=str(team.pk),
        triggers=rows,
        _continue="1",
    )
    workflow.refresh_from_db()
    assert (workflow.slug, workflow.team) == ("orders-2", team)
    entry = AuditEntry.objects.get(action="workflow.change")
    assert entry.changes == {"slug": "orders-2", "team": "Sales"}


def test_a_person_offers_a_workflow_to_their_own_teams_only() -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    other = Team.objects.create(name="Other", slug="other")
    client = signed_in(operator(*RIGHTS, team=mine))
    offered = client.get(reverse(ADD)).context["adminform"].form.fields["team"]
    assert list(offered.queryset) == [mine]
    response = send(client, reverse(ADD), team=str(other.pk), _continue="1")
    assert errors(response, "team")

"""Whole documents in the box of the draft: those of newcomers, pasted as written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs.models import Run
from tests.admin_world import STEP, boss, signed_in
from tests.workflows.admin.test_workflow import (
    ADD,
    errors,
    existing_row,
    form,
    page,
    texts,
)
from tests.workflows.definition.test_newcomers import LINE, WITH_TRIGGER
from workflows.models import Trigger, Workflow
from workflows.services.exporting import document_of

pytestmark = pytest.mark.django_db
BUTTONS = [("_publish", "active"), ("_continue", "draft")]


def paste(document: Any, address: str = "", **fields: Any) -> Any:
    """A client's answer to the form with this in its box and empty names."""
    given = {"name": "", "slug": "", "definition": json.dumps(document), **fields}
    client = signed_in(boss())
    return client.post(address or reverse(ADD), form(**given), follow=True)


@pytest.mark.parametrize("address", ["/v1/webhooks/webhook/abc123", "/webhook/abc123"])
def test_a_pasted_trigger_node_becomes_a_trigger_that_takes_events(
    address: str,
) -> None:
    response = paste(WITH_TRIGGER, name="Hook", slug="hook", _publish="1")

    workflow = Workflow.objects.get()
    assert "version 1 is published" in texts(response)
    assert workflow.status == "active"
    trigger = Trigger.objects.get()
    assert (trigger.path, trigger.node_id) == ("webhook/abc123", "trigger-1")
    assert (trigger.start, trigger.is_active) == (["action-1"], True)
    reply = Client().post(address, b'{"order": 7}', content_type="application/json")
    assert reply.status_code == 202
    assert Run.objects.get().start == ["action-1"]


def test_a_pasted_document_brings_its_name_description_and_slug() -> None:
    response = paste(LINE, _publish="1")

    workflow = Workflow.objects.get()
    assert "version 1 is published" in texts(response)
    assert (workflow.slug, workflow.name) == ("my-workflow", "Demo Workflow")
    assert (workflow.description, workflow.status) == ("A sample workflow", "active")
    assert [node["type"] for node in workflow.definition["nodes"]] == [
        "delay",
        "http_request",
    ]


def test_a_line_with_a_webhook_below_is_started_by_an_event() -> None:
    webhook = {"scheme": "none", "path": "orders/in"}
    paste(LINE, triggers=[webhook], _publish="1")

    reply = Client().post(
        "/v1/webhooks/orders/in", b"{}", content_type="application/json"
    )
    assert reply.status_code == 202
    assert Run.objects.get().workflow.slug == "my-workflow"


def test_what_the_fields_say_goes_before_the_document_and_is_told() -> None:
    response = paste(LINE, name="Mine", slug="mine", description="A sample workflow")

    workflow = Workflow.objects.get()
    assert (workflow.slug, workflow.name) == ("mine", "Mine")
    told = texts(response)
    assert "“name” of the pasted document was left out: the field has “Mine”" in told
    assert "“slug” of the pasted document was left out: the field has “mine”" in told
    assert "“description”" not in told


def test_a_name_without_an_id_makes_the_slug() -> None:
    paste({"name": "Tell the CRM", "nodes": [STEP]})
    assert Workflow.objects.get().slug == "tell-the-crm"


def test_without_any_name_the_field_asks_for_one() -> None:
    response = paste({"nodes": [STEP]})
    assert errors(response, "name") == ["This field is required."]
    assert errors(response, "slug") == ["This field is required."]


def test_an_export_can_be_pasted_with_its_limits() -> None:
    document = {
        "name": "Orders",
        "slug": "orders",
        "status": "active",
        "tags": ["shop", "vip"],
        "priority": "high",
        "max_concurrent_runs": 3,
        "run_timeout": "1h",
        "definition": {"nodes": [STEP]},
        "triggers": [{"kind": "manual"}],
    }
    response = paste(document, _publish="1")

    workflow = Workflow.objects.get()
    assert (workflow.tags, workflow.max_concurrent_runs) == (["shop", "vip"], 3)
    assert (workflow.priority, workflow.run_timeout) == (1, 3600)
    assert Trigger.objects.get().kind == "manual"
    assert "“status” of the pasted document was left out" in texts(response)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", 7, "name"),
        ("id", "no good slug!", "letters, digits"),
        ("colour", "red", "unknown key"),
        ("triggers", 7, "triggers"),
    ],
)
@pytest.mark.parametrize(("button", "_status"), BUTTONS)
def test_what_is_wrong_with_a_pasted_document_is_told(
    key: str, value: Any, said: str, button: str, _status: str
) -> None:
    response = paste({**LINE, key: value}, name="A", slug="a", **{button: "1"})
    found = [*errors(response), *errors(response, "name"), *errors(response, "slug")]
    assert any(said in text for text in found), found
    assert not Workflow.objects.exists()


def test_an_unpublished_trigger_stays_in_the_box_until_it_is_published() -> None:
    paste(WITH_TRIGGER, name="Hook", slug="hook", _continue="1")
    workflow = Workflow.objects.get()
    assert (workflow.status, Trigger.objects.count()) == ("draft", 0)
    client = signed_in(boss())
    shown = client.get(page(workflow)).context["adminform"].form.initial["definition"]
    assert shown["triggers"][0]["node_id"] == "trigger-1"

    paste(shown, page(workflow), name="Hook", slug="hook", _publish="1")
    assert Trigger.objects.get().path == "webhook/abc123"
    after = client.get(page(workflow)).context["adminform"].form.initial["definition"]
    assert "triggers" not in after


def test_pasting_again_changes_the_same_trigger() -> None:
    paste(WITH_TRIGGER, name="Hook", slug="hook", _publish="1")
    workflow, first = Workflow.objects.get(), Trigger.objects.get()
    changed = json.loads(json.dumps(WITH_TRIGGER).replace("abc123", "xyz789"))
    rows = [existing_row(first)]
    paste(
        changed, page(workflow), name="Hook", slug="hook", triggers=rows, _publish="1"
    )

    again = Trigger.objects.get()
    assert (again.pk, again.key, again.path) == (first.pk, first.key, "webhook/xyz789")
    assert document_of(workflow)["triggers"][0]["node_id"] == "trigger-1"


def test_a_save_without_a_pasted_trigger_leaves_the_rows_alone() -> None:
    paste(WITH_TRIGGER, name="Hook", slug="hook", _publish="1")
    workflow, first = Workflow.objects.get(), Trigger.objects.get()
    client = signed_in(boss())
    shown = client.get(page(workflow)).context["adminform"].form.initial["definition"]
    rows = [existing_row(first) | {"more": '{"methods": ["POST"]}'}]
    paste(shown, page(workflow), name="Hook", slug="hook", triggers=rows, _publish="1")

    again = Trigger.objects.get()
    assert (again.pk, again.path, again.start) == (first.pk, first.path, first.start)
    assert workflow.versions.count() == 1

"""Limits in the admin: what can be set, and what is told at the field."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin_world import boss, flow, signed_in
from tests.workflows.admin.test_workflow import errors, existing, page, send
from tests.workflows.admin.test_write_only import address, connection_form
from workflows.models import Connection, Workflow

pytestmark = pytest.mark.django_db


def test_a_workflow_s_limits_are_set_in_its_form() -> None:
    workflow = flow()
    limits = {
        "exclusive": "{{ trigger.payload.customer }}",
        "priority": "0",
        "max_concurrent_runs": "3",
    }
    send(signed_in(boss()), page(workflow), triggers=[existing(workflow)], **limits)

    workflow.refresh_from_db()
    assert workflow.exclusive == "{{ trigger.payload.customer }}"
    assert workflow.priority == Workflow.Priority.URGENT
    assert workflow.max_concurrent_runs == 3


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ trigger.payload. }}", "exclusive"),
        ("{{ steps.a.body }}", "only trigger and variables exist"),
        ("customer", "must hold an expression"),
    ],
)
def test_what_is_wrong_with_an_exclusive_is_told_at_the_field(
    source: str, told: str
) -> None:
    workflow = flow()
    response = send(
        signed_in(boss()),
        page(workflow),
        triggers=[existing(workflow)],
        exclusive=source,
    )

    (text,) = errors(response, "exclusive")
    assert told in text
    workflow.refresh_from_db()
    assert workflow.exclusive == ""


def test_a_connection_s_rate_limit_is_set_in_its_form() -> None:
    data = connection_form(new_value="t", rate_limit=" 10/s ")
    signed_in(boss()).post(address("connection"), data)

    assert Connection.objects.get().rate_limit == "10/s"


@pytest.mark.parametrize("text", ["often", "10", "0/s", "10/d"])
def test_a_rate_that_cannot_be_read_is_told_at_the_field(text: str) -> None:
    data = connection_form(new_value="t", rate_limit=text)
    response = signed_in(boss()).post(reverse("admin:workflows_connection_add"), data)

    (told,) = response.context["adminform"].form.errors["rate_limit"]
    assert "such as 10/s, 100/m or 1000/h" in told
    assert not Connection.objects.exists()

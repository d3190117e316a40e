"""Limits in the admin: what can be set, and what is told at the field."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.admin_world import boss, flow, signed_in
from tests.workflows.admin.test_workflow import errors, existing, page, send
from tests.workflows.admin.test_write_only import address, connection_form
from webhooks.models import InboundEvent
from workflows.models import Connection, Trigger, Workflow

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


def trigger_page(trigger: Trigger) -> str:
    return reverse("admin:workflows_trigger_change", args=(trigger.pk,))


def trigger_form(**fields: str) -> dict[str, str]:
    return {"kind": "webhook", "is_active": "on", "scheme": "none", **fields}


def test_a_trigger_s_rate_limit_is_set_in_its_form_and_taken_away() -> None:
    trigger = flow().triggers.get()
    client = signed_in(boss())

    client.post(trigger_page(trigger), trigger_form(rate_limit="100/m"))
    trigger.refresh_from_db()
    assert trigger.config["rate_limit"] == "100/m"
    assert 'value="100/m"' in client.get(trigger_page(trigger)).content.decode()

    client.post(trigger_page(trigger), trigger_form())
    trigger.refresh_from_db()
    assert "rate_limit" not in trigger.config


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rate_limit": "often"}, "10/s, 100/m or 1000/h"),
        (
            {"kind": "schedule", "cron": "0 7 * * *", "rate_limit": "1/s"},
            "takes no events from other systems",
        ),
    ],
)
def test_what_cannot_be_a_trigger_s_limit_is_told_at_the_field(
    fields: dict[str, str], told: str
) -> None:
    trigger = flow().triggers.get()
    data = trigger_form(**fields)
    response = signed_in(boss()).post(trigger_page(trigger), data)

    (text,) = response.context["adminform"].form.errors["rate_limit"]
    assert told in text


def test_a_trigger_s_page_says_what_its_limit_has_turned_away() -> None:
    trigger = flow().triggers.get()
    Trigger.objects.update(config={"scheme": "none", "rate_limit": "100/m"})
    client = signed_in(boss())
    assert "None in the last day." in client.get(trigger_page(trigger)).content.decode()

    now = timezone.now()
    for hours, count, reason in (
        (0.1, 40, "rate_limited"), (0.2, 2, "rate_limited"), (3, 100, "rate_limited"),
        (30, 1000, "rate_limited"), (0.1, 7, "malformed"),
    ):  # fmt: skip
        at = now - timedelta(hours=hours)
        InboundEvent.objects.create(
            trigger=trigger, reason=reason, status=429, count=count, minute=at, at=at
        )
    page = client.get(trigger_page(trigger)).content.decode()

    assert "42 in the last hour, 142 in the last day" in page
    assert "reason__exact=rate_limited" in page


def test_a_trigger_without_a_limit_says_nothing_of_it() -> None:
    trigger = flow().triggers.get()

    content = signed_in(boss()).get(trigger_page(trigger)).content.decode()
    assert "over the limit" not in content.lower()

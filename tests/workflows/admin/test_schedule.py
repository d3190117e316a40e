"""The trigger's form and page: cron at its field, and the next five moments."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.admin_world import DEFINITION, boss, flow, signed_in
from tests.workflows.admin.test_workflow import existing, page, send
from workflows.models import Trigger, Workflow
from workflows.services import create_workflow, deactivate, set_trigger_active

pytestmark = pytest.mark.django_db

NIGHTLY = {"kind": "schedule", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}


def scheduled(**config: Any) -> Workflow:
    trigger = {"kind": "schedule", "config": {"cron": "30 2 * * *", **config}}
    document = {"name": "N", "slug": "n", **DEFINITION, "triggers": [trigger]}
    return create_workflow(document, by=None).workflow


def trigger_page(trigger: Trigger) -> str:
    return reverse("admin:workflows_trigger_change", args=(trigger.pk,))


def shown(response: Any) -> list[str]:
    """The moments on the page."""
    text = html.unescape(response.content.decode())
    found = re.findall(r"<ol class='moments'>(.*?)</ol>", text)
    assert len(found) == 1
    return re.findall(r"<li>(.*?)</li>", found[0])


def row(workflow: Workflow, **more: Any) -> dict[str, Any]:
    trigger = workflow.triggers.get()
    return {
        "id": trigger.pk,
        "workflow": workflow.pk,
        "kind": "schedule",
        "cron": trigger.config["cron"],
        "timezone": trigger.config.get("timezone", ""),
        "catch_up": trigger.config.get("catch_up", ""),
        **more,
    }


def test_a_schedule_is_made_on_the_workflows_page() -> None:
    workflow = flow()
    added = {**NIGHTLY, "catch_up": "all", "more": '{"payload": {"a": 1}}'}
    rows = [existing(workflow), added]
    send(signed_in(boss()), page(workflow), triggers=rows, _publish="1")
    trigger = workflow.triggers.get(kind="schedule")
    assert trigger.config == {
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "catch_up": "all",
        "payload": {"a": 1},
    }
    assert trigger.next_fire_at is not None
    assert trigger.next_fire_at > timezone.now()


def test_the_page_shows_the_next_five_in_the_zone_and_in_utc() -> None:
    workflow = scheduled(timezone="Asia/Tokyo")
    for address in (page(workflow), trigger_page(workflow.triggers.get())):
        moments = shown(signed_in(boss()).get(address))
        assert len(moments) == 5
        for text in moments:
            assert re.fullmatch(
                r"\w{3} \d+ \w{3} \d{4} 02:30 JST \(\d{4}-\d\d-\d\d 17:30 UTC\)", text
            ), text


def test_utc_is_not_said_twice() -> None:
    workflow = scheduled()
    [first, *_] = shown(signed_in(boss()).get(page(workflow)))
    assert first.endswith(" 02:30 UTC")


def test_a_page_of_what_rests_says_why() -> None:
    workflow = scheduled()
    trigger = workflow.triggers.get()
    set_trigger_active(trigger, active=False, by=None)
    response = signed_in(boss()).get(trigger_page(trigger))
    assert len(shown(response)) == 5
    assert "the trigger is off" in response.content.decode()
    set_trigger_active(trigger, active=True, by=None)
    deactivate(workflow, None)
    response = signed_in(boss()).get(trigger_page(trigger))
    assert "the workflow is inactive" in response.content.decode()


def test_kinds_without_a_clock_show_no_moments() -> None:
    response = signed_in(boss()).get(page(flow()))
    assert "class='moments'" not in response.content.decode()


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"cron": "0 0 31 2 *"}, "cron", "never comes: no February has a day 31"),
        ({"cron": "nightly"}, "cron", "must have five fields"),
        ({"cron": ""}, "cron", "required"),
        ({"timezone": "Berlin"}, "timezone", 'is it "Europe/Berlin"?'),
        ({"more": '{"cron": "@daily"}'}, "more", "Use the field above for cron"),
        ({"more": '{"payload": 7}'}, "more", "payload"),
        ({"kind": "manual"}, "cron", "does not go by the clock"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    given: dict[str, str], field: str, message: str
) -> None:
    workflow = scheduled()
    response = send(
        signed_in(boss()), page(workflow), triggers=[row(workflow, **given)]
    )
    assert response.status_code == 200
    [formset] = response.context["inline_admin_formsets"]
    errors = formset.formset.forms[0].errors
    assert list(errors) == [field]
    assert message in " ".join(errors[field])


def test_another_expression_has_its_own_next_moment() -> None:
    workflow = scheduled()
    before = workflow.triggers.get().next_fire_at
    client = signed_in(boss())
    send(client, page(workflow), triggers=[row(workflow)])
    assert workflow.triggers.get().next_fire_at == before
    send(client, page(workflow), triggers=[row(workflow, cron="45 5 * * *")])
    after = workflow.triggers.get().next_fire_at
    assert after is not None
    assert (after.hour, after.minute) == (5, 45)
    send(client, page(workflow), triggers=[row(workflow, is_active="")])
    assert workflow.triggers.get().next_fire_at is None


def test_a_config_that_is_broken_in_the_database_does_not_break_its_page() -> None:
    workflow = scheduled()
    Trigger.objects.update(config={"cron": "broken"})
    response = signed_in(boss()).get(trigger_page(workflow.triggers.get()))
    assert response.status_code == 200
    assert "class='moments'" not in response.content.decode()

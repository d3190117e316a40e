"""The list of triggers: kinds in words, times of those that go by the clock."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.urls import reverse

from tests.admin_world import DEFINITION, boss, flow, signed_in
from tests.workflows.admin.test_workflow import page
from workflows.admin.trigger_form import OWN
from workflows.admin.trigger_kinds import further_options, options_help
from workflows.models import Trigger, Workflow
from workflows.services import create_workflow, deactivate
from workflows.triggers.base import all_kinds

pytestmark = pytest.mark.django_db
LIST = "admin:workflows_trigger_changelist"


def started_by(kind: str, **config: Any) -> Workflow:
    document = {
        "name": "Nightly",
        "slug": kind.replace("_", "-"),
        "definition": DEFINITION,
        "triggers": [{"kind": kind, "config": config}],
    }
    return create_workflow(document, by=None).workflow


def listed(**filters: str) -> str:
    response = signed_in(boss()).get(reverse(LIST), filters)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_schedule_shows_its_times_and_the_next_one_in_its_zone() -> None:
    workflow = started_by("schedule", cron="30 2 * * *", timezone="Asia/Tokyo")
    text = listed()
    assert "30 2 * * *" in text
    assert re.search(
        r"<time[^>]*>\w{3} \d+ \w{3} \d{4} 02:30 JST \([-\d]+ 17:30 UTC\)</time>", text
    )
    deactivate(workflow, None)
    assert "JST" not in listed()


def test_kinds_have_one_name_in_the_list_and_in_its_filter() -> None:
    for kind in ("manual", "api", "run_finished"):
        started_by(kind)
    flow()
    text = listed()
    choices = text.partition("By kind")[2].partition("</ul>")[0]
    for label in (kind.label for kind in all_kinds().values()):
        assert f">{label}</a>" in choices
    for kind in ("API", "By hand", "A run's end", "Webhook"):
        assert f'class="field-starts">{kind}</td>' in text
    for kind in ("manual", "api", "run_finished", "webhook"):
        response = signed_in(boss()).get(reverse(LIST), {"kind__exact": kind})
        assert [row.kind for row in response.context["cl"].result_list] == [kind]


def test_further_options_are_named_for_each_kind_that_has_some() -> None:
    said = str(options_help(OWN))
    assert '<span data-kind="schedule">Schedule: payload.</span>' in said
    assert 'data-kind="run_finished">A run&#x27;s end: workflows, statuses' in said
    assert "methods" in said.partition('data-kind="webhook"')[2].partition("<")[0]
    for kind in ("manual", "api"):
        assert further_options(all_kinds()[kind], OWN) == []
        assert f'data-kind="{kind}"' not in said


def test_the_box_of_further_options_is_for_the_kinds_that_have_some() -> None:
    workflow = started_by("manual")
    trigger = Trigger.objects.get(workflow=workflow)
    own = reverse("admin:workflows_trigger_change", args=(trigger.pk,))
    for address in (page(workflow), own):
        text = signed_in(boss()).get(address).content.decode()
        box = re.search(r'<textarea name="[^"]*more"[^>]*>', text)
        assert box is not None
        kinds = re.search(r'data-kinds="([^"]*)"', box[0])
        assert kinds is not None
        assert {"webhook", "schedule", "run_finished"} <= set(kinds[1].split())
        assert not {"manual", "api"} & set(kinds[1].split())

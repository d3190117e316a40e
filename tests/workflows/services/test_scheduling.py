"""When a trigger fires next: set when it begins to take events, cleared at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from workflows.models import Trigger, Workflow
from workflows.services import (
    activate,
    archive,
    create_workflow,
    deactivate,
    publish,
    rollback,
    save_draft,
    set_trigger_active,
)
from workflows.triggers import base
from workflows.triggers.base import TriggerKind

pytestmark = pytest.mark.django_db

STEPS = [{"name": "wait", "type": "delay", "config": {"duration": 2}}]


def document(*crons: str, **more: Any) -> dict[str, Any]:
    triggers = [{"kind": "schedule", "config": {"cron": cron}} for cron in crons]
    return {"name": "D", "steps": STEPS, "triggers": triggers, **more}


def scheduled(*crons: str, **more: Any) -> Workflow:
    return create_workflow(document(*crons, **more), by=None).workflow


def moments(workflow: Workflow) -> list[datetime | None]:
    rows = Trigger.objects.filter(workflow=workflow).order_by("id")
    return list(rows.values_list("next_fire_at", flat=True))


def moment(workflow: Workflow) -> datetime:
    [found] = moments(workflow)
    assert found is not None
    return found


def test_publishing_sets_the_next_moment() -> None:
    found = moment(scheduled("15 4 * * *"))
    assert timezone.now() < found <= timezone.now() + timedelta(days=1)
    assert (found.hour, found.minute, found.second) == (4, 15, 0)


def test_a_draft_has_no_next_moment() -> None:
    workflow = scheduled("15 4 * * *", status="draft")
    assert set(moments(workflow)) <= {None}
    publish(workflow, by=None)
    assert moment(workflow)


def test_publishing_again_keeps_what_is_due() -> None:
    workflow = scheduled("15 4 * * *")
    due = timezone.now() - timedelta(seconds=1)
    Trigger.objects.update(next_fire_at=due)
    save_draft(workflow, document("15 4 * * *", description="new"), by=None)
    publish(workflow, by=None)
    assert moment(workflow) == due


def test_another_expression_has_another_moment() -> None:
    workflow = scheduled("15 4 * * *")
    save_draft(workflow, document("30 5 * * *"), by=None)
    assert moment(workflow).hour == 4, "the draft fires nothing"
    publish(workflow, by=None)
    assert (moment(workflow).hour, moment(workflow).minute) == (5, 30)


def test_a_trigger_that_leaves_the_document_fires_no_more() -> None:
    workflow = scheduled("15 4 * * *", "30 5 * * *")
    save_draft(workflow, document("15 4 * * *"), by=None)
    publish(workflow, by=None)
    first, second = moments(workflow)
    assert first is not None
    assert second is None


@pytest.mark.parametrize("rest", [deactivate, archive])
def test_a_workflow_that_rests_has_none_and_starts_anew(rest: Any) -> None:
    workflow = scheduled("15 4 * * *")
    Trigger.objects.update(next_fire_at=timezone.now() - timedelta(days=3))
    rest(workflow, None)
    assert moments(workflow) == [None]
    activate(workflow, None)
    assert moment(workflow) > timezone.now(), "nothing of the pause is caught up"


def test_a_switch_clears_and_sets_it() -> None:
    workflow = scheduled("15 4 * * *")
    trigger = workflow.triggers.get()
    set_trigger_active(trigger, active=False, by=None)
    assert moments(workflow) == [None]
    publish(workflow, by=None)
    assert moments(workflow) == [None]
    set_trigger_active(trigger, active=True, by=None)
    assert moment(workflow) > timezone.now()


def test_a_switch_of_an_inactive_workflow_sets_nothing() -> None:
    workflow = scheduled("15 4 * * *")
    trigger = workflow.triggers.get()
    set_trigger_active(trigger, active=False, by=None)
    deactivate(workflow, None)
    set_trigger_active(trigger, active=True, by=None)
    assert moments(workflow) == [None]


def test_rolling_back_brings_back_the_moments_of_that_version() -> None:
    workflow = scheduled("15 4 * * *")
    save_draft(workflow, document("30 5 * * *"), by=None)
    publish(workflow, by=None)
    rollback(workflow, 1, by=None)
    assert (moment(workflow).hour, moment(workflow).minute) == (4, 15)


def test_other_kinds_have_no_moment() -> None:
    workflow = create_workflow(
        {**document(), "triggers": [{"kind": "manual"}, {"kind": "api"}]}, by=None
    ).workflow
    assert moments(workflow) == [None, None]


def test_a_kind_that_fails_stops_no_publish(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(TriggerKind):
        kind = "broken"
        label = "Broken"

        def next_fire(self, config: Mapping[str, Any], after: datetime) -> datetime:
            raise RuntimeError("no idea")

    base.all_kinds()
    entries = {**base._registry.entries, "broken": Broken()}
    monkeypatch.setattr(base._registry, "entries", entries)
    broken = {**document("15 4 * * *")}
    broken["triggers"] = [{"kind": "broken"}, *broken["triggers"]]
    with caplog.at_level(logging.ERROR, "workflows"):
        workflow = create_workflow(broken, by=None).workflow
    first, second = moments(workflow)
    assert first is None
    assert second is not None
    assert "does not say when it fires next" in caplog.text

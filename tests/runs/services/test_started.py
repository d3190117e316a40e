"""Whose a run is that nobody's webhook started, and where it begins."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import ApiKey
from runs.models import Run
from runs.services import NotRunnable, execute_manually, trigger_payload
from runs.services.started import may_start, start_run
from tests.makers import make_user, make_workflow
from workflows.models import Trigger, Workflow
from workflows.services import create_workflow

pytestmark = pytest.mark.django_db

NODES = [
    {"id": "full", "type": "set", "config": {"values": {"a": 1}}},
    {"id": "quick", "type": "set", "config": {"values": {"a": 1}}},
]


def workflow(*triggers: dict[str, Any]) -> Workflow:
    document = {
        "name": "W",
        "nodes": NODES,
        "connections": [],
        "triggers": list(triggers),
    }
    return create_workflow(document, by=None).workflow


def api_key() -> ApiKey:
    key, _ = ApiKey.objects.issue(user=make_user(), name="k", scopes=["runs:execute"])
    return key


def started(found: Workflow, by: Any) -> Run:
    return Run.objects.get(pk=execute_manually(found, {}, by).run_id)


def test_a_person_starts_the_manual_trigger_and_a_program_the_api_one() -> None:
    found = workflow({"kind": "api", "start": ["quick"]}, {"kind": "manual"})
    api, manual = found.triggers.order_by("id")
    run = started(found, api_key())
    assert (run.trigger, run.start) == (api, ["quick"])
    run = started(found, make_user())
    assert (run.trigger, run.start) == (manual, [])


def test_without_such_a_trigger_the_run_has_none_and_begins_at_the_beginning() -> None:
    found = workflow({"kind": "api", "start": ["quick"]}, {"kind": "webhook"})
    run = started(found, make_user())
    assert (run.trigger, run.start) == (None, [])


def test_a_trigger_that_is_off_is_not_named() -> None:
    off = {"kind": "manual", "start": ["quick"], "is_active": False}
    found = workflow(off, {"kind": "webhook"})
    assert started(found, None).trigger is None


def test_a_run_starts_as_an_event_would() -> None:
    found = workflow({"kind": "manual", "start": ["quick"]}, {"kind": "api"})
    Workflow.objects.filter(pk=found.pk).update(
        priority=0,
        exclusive="{{ trigger.payload.n }}",
        run_timeout=60,
        search_keys={"n": "{{ trigger.payload.n }}", "m": "{{ trigger.payload.m }}"},
    )
    trigger = Trigger.objects.select_related("workflow").get(kind="manual")
    cause = Run.objects.get(pk=execute_manually(make_workflow(), {}, None).run_id)
    accepted = start_run(trigger, {"n": 7}, event_id="slot", caused_by=cause.pk)
    run = Run.objects.select_related("job").get(pk=accepted.run_id)
    assert trigger_payload(run) == {"n": 7}
    assert (run.start, run.event_id, run.caused_by) == (["quick"], "slot", cause)
    assert run.search_keys == {"n": "7"}
    assert run.job.priority == 0
    assert run.job.exclusive_key != ""
    assert run.version == found.published


@pytest.mark.parametrize("status", ["inactive", "archived", "draft"])
def test_what_takes_no_events_is_refused(status: str) -> None:
    found = workflow({"kind": "manual"})
    trigger = Trigger.objects.select_related("workflow").get()
    assert may_start(trigger)
    Workflow.objects.filter(pk=found.pk).update(status=status)
    trigger = Trigger.objects.select_related("workflow").get()
    assert not may_start(trigger)
    with pytest.raises(NotRunnable, match="takes no events"):
        start_run(trigger, {})


def test_a_run_by_hand_can_be_found_by_its_search_keys() -> None:
    found = workflow({"kind": "manual"})
    source = {"who": "{{ trigger.payload.who }}", "gone": "{{ trigger.payload.x }}"}
    Workflow.objects.filter(pk=found.pk).update(search_keys=source)
    found.refresh_from_db()
    run_id = execute_manually(found, {"who": ["a"]}, None).run_id
    assert Run.objects.get(pk=run_id).search_keys == {"who": '["a"]'}

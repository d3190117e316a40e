"""The plugin's own tests: `tests/contract/test_plugin.py` runs them, installed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runs.models import Firing, Run
from runs.services import trigger_payload
from runs.services.chores import all_chores
from tests.runs.drains import drained
from webhooks.lookup import find
from webhooks.sending import Sender
from workflows.actions.base import all_actions
from workflows.models import Trigger
from workflows.services import DocumentError, create_workflow, parse_document
from workflows.triggers.base import all_kinds
from workflows.triggers.moments import upcoming

pytest_plugins = ["tests.runs.conftest"]

FIRST = "2026-01-01T03:10:00+01:00"
DOCUMENT: dict[str, Any] = {
    "name": "Ferry",
    "nodes": [
        {
            "id": "depth",
            "type": "tide_depth",
            "config": {
                "high": 4.5,
                "low": 1.5,
                "minutes": "{{ trigger.payload.number * 0 }}",
            },
        },
    ],
    "output": {"depth": "{{ steps.depth.depth }}"},
    "triggers": [{"kind": "high_water", "config": {"first": FIRST}}],
}


def test_both_kinds_are_there() -> None:
    assert all_actions()["tide_depth"].label == "Depth of the tide"
    kind = all_kinds()["high_water"]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moments = upcoming(kind, {"first": FIRST}, now, 2)
    assert moments[0] == datetime(2026, 1, 1, 2, 10, tzinfo=UTC)
    assert moments[1] - moments[0] == timedelta(hours=12, minutes=25, seconds=14)


@pytest.mark.django_db
def test_the_scheme_is_there_and_proves_the_sender() -> None:
    config = {"scheme": "tide_gauge"}
    document = {**DOCUMENT, "triggers": [{"kind": "webhook", "config": config}]}
    create_workflow(document, by=None)
    entry = find(Trigger.objects.get().key)
    assert entry is not None
    url = f"/v1/webhooks/{entry.key}"
    for secret, status in ((None, 202), ("wrong", 401)):
        sender = Sender.for_trigger(entry, secret=secret)
        delivery = sender.delivery(url, b"{}", event_id="r-1")
        answer = Client().post(
            url, b"{}", "application/json", headers=dict(delivery.headers)
        )
        assert answer.status_code == status
    assert Run.objects.get().event_id == "r-1"
    assert "x-gauge" not in Run.objects.get().headers


def test_publishing_says_what_is_wrong() -> None:
    wrong = {**DOCUMENT, "triggers": [{"kind": "high_water", "config": {"first": "x"}}]}
    wrong["nodes"] = [{"id": "depth", "type": "tide_depth", "config": {"high": "a"}}]
    with pytest.raises(DocumentError) as caught:
        parse_document(wrong)
    assert {problem.path for problem in caught.value.problems} >= {
        "triggers[0].config.first",
        "nodes[0].config.low",
    }


def test_a_workflow_with_both_publishes_fires_and_runs(engine: Any) -> None:
    workflow = create_workflow(DOCUMENT, by=None).workflow
    trigger = Trigger.objects.get(kind="high_water")
    assert trigger.next_fire_at is not None
    assert trigger.next_fire_at > timezone.now()
    period = timedelta(hours=12, minutes=25, seconds=14)
    Trigger.objects.update(next_fire_at=trigger.next_fire_at - period)
    drained(
        lambda: Run.objects.filter(status="succeeded").exists(),
        chores=all_chores(),
        within=60,
    )
    run = Run.objects.get()
    assert (run.workflow, run.trigger) == (workflow, trigger)
    assert run.output == {"depth": 4.5}
    assert Firing.objects.get().run == run
    payload = trigger_payload(run)
    assert (
        datetime.fromisoformat(payload["high_water"]) == trigger.next_fire_at - period
    )
    assert payload["number"] > 0

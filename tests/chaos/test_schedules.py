"""Clusters in real processes fire each moment once, in time, whoever is killed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import Firing, Run
from tests.chaos.conftest import Start
from tests.processes import eventually
from tests.runs.flows import given, publish
from workflows.models import Trigger, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def scheduled(workflow: Workflow, count: int, seconds: float) -> None:
    """So many schedules, due one after another from so many seconds on."""
    begin = timezone.now() + timedelta(seconds=seconds)
    for number in range(count):
        Trigger.objects.create(
            workflow=workflow,
            kind="schedule",
            config={"cron": "0 0 1 1 *"},
            next_fire_at=begin + timedelta(seconds=number / 10),
        )


def fired_once(count: int) -> bool:
    """Each trigger has one firing, and each firing its run."""
    firings = list(Firing.objects.values_list("trigger", "run"))
    triggers, runs = zip(*firings, strict=True)
    assert len(set(triggers)) == len(set(runs)) == len(firings) == count
    assert Run.objects.filter(trigger__kind="schedule").count() == count
    return True


def test_two_clusters_fire_each_moment_once_and_in_time(
    start: Start, is_sqlite: bool
) -> None:
    # SQLite polls; elsewhere neither a firing nor its run may wait for that.
    rare = {} if is_sqlite else {"AUTOMATE_POLL": "300"}
    for _ in range(2):
        start(AUTOMATE_LEASE="300", **rare)
    workflow = publish(given("note", a=1))
    scheduled(workflow, 20, 3)
    eventually(lambda: Firing.objects.count() == 20)
    assert fired_once(20)
    late = sorted(row.fired_at - row.scheduled_for for row in Firing.objects.all())
    assert late[0] >= timedelta(0)
    # An idle machine keeps the tenth of a second; this one may stand still for some.
    assert late[-1] < timedelta(seconds=30), late
    succeeded = Run.objects.filter(status="succeeded")
    eventually(lambda: succeeded.count() == 20)
    following = Trigger.objects.values_list("next_fire_at", flat=True)
    assert all(moment and moment > timezone.now() for moment in following)


@pytest.mark.slow
def test_a_killed_cluster_neither_loses_nor_doubles_a_firing_or_an_end(
    start: Start,
) -> None:
    first, second = start(), start()
    listener = publish(given("note", status="{{ trigger.payload.status }}"))
    Trigger.objects.create(workflow=listener, kind="run_finished", config={})
    workflow = publish(given("note", a=1))
    scheduled(workflow, 40, 2)
    eventually(lambda: Firing.objects.count() >= 8)
    first.end()
    followers = Run.objects.filter(workflow=listener, status="succeeded")
    eventually(lambda: followers.count() == 40)
    assert fired_once(40)
    causes = set(Run.objects.filter(workflow=workflow).values_list("pk", flat=True))
    assert set(followers.values_list("caused_by", flat=True)) == causes
    assert Run.objects.filter(workflow=listener).count() == 40
    assert second.is_whole(), second.output

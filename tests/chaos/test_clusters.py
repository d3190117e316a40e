"""Several clusters on one database, and work that is due to the tenth of a second."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from runs.engine.wake import CHANNEL
from runs.models import Job, StepRun, Worker
from tests.chaos.conftest import Start
from tests.chaos.load import (
    all_succeeded,
    fates,
    finish,
    flow,
    flow_of,
    once_each,
    post,
)
from tests.chaos.receiver import Receiver
from tests.processes import eventually
from tests.runs.flows import node

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

LONG = {"AUTOMATE_LEASE": "60", "AUTOMATE_GRACE": "10"}


def test_two_clusters_share_the_work_and_each_run_is_executed_once(
    start: Start, receiver: Receiver
) -> None:
    receiver.delay = 4  # one alone cannot have it done before the other is seen at it
    workflow = flow(receiver)
    first, second = start(**LONG), start(**LONG)
    seats = Worker.objects.filter(kind=Worker.Kind.DRAIN).count()
    assert seats == first.seats + second.seats  # one cluster's seats are its own
    post(workflow, 300)
    for cluster in (first, second):
        held = Worker.objects.filter(pid__in=cluster.drains(), busy__gt=0)
        eventually(held.exists, 30)
    receiver.delay = 0.1
    eventually(lambda: len(receiver.received) > 60)
    assert first.stop() == 0
    assert not first.pids()
    finish(40)
    assert fates(receiver) == once_each(300)
    assert second.is_whole(), second.output


@pytest.mark.slow
def test_two_clusters_lose_nothing_when_one_is_killed_whole(
    start: Start, receiver: Receiver
) -> None:
    receiver.delay = 0.1
    workflow = flow(receiver)
    first, second = start(), start()
    post(workflow, 150)
    eventually(lambda: len(receiver.received) > 30)
    first.end()
    finish(60)
    assert all_succeeded(150)
    assert receiver.repeated <= 8 * first.seats
    assert receiver.has_one_key_a_run()
    assert second.is_whole(), second.output


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(1, id="one-cluster"),
        pytest.param(2, id="two-clusters", marks=pytest.mark.slow),
    ],
)
def test_a_delay_ends_when_it_is_due(
    start: Start, receiver: Receiver, count: int, is_sqlite: bool
) -> None:
    """Delays of every length between 3 s and 5 s, so that none hits a poll by luck."""
    # With a rare poll only the look at the next due time can be in time.
    rare = {} if is_sqlite else {"AUTOMATE_POLL": "5"}
    clusters = [start(**rare) for _ in range(count)]
    for number in range(20):
        delay = node("wait", "delay", {"duration": 3 + number / 10})
        post(flow_of(receiver, delay), 1)
    wake_all(is_sqlite=is_sqlite)
    asleep = Job.objects.filter(lease_token=None, seq__gt=0)
    eventually(lambda: asleep.count() == 20, 3)
    due = dict(Job.objects.values_list("run", "due_at"))
    finish(30)
    assert fates(receiver) == once_each(20)
    late = sorted(
        (step.started_at - due[step.run_id]).total_seconds()
        for step in StepRun.objects.filter(node_id="call")
        if step.started_at is not None
    )
    assert len(late) == 20
    assert late[0] >= 0
    # On a busy machine they are later than the tenth that an idle one keeps; waiting
    # for the poll would make them seconds late.
    assert late[10] < 1, late
    assert late[17] < 2, late
    assert all(cluster.is_whole() for cluster in clusters)


@pytest.mark.postgresql
def test_a_wake_up_is_heard_by_all_clusters(start: Start, receiver: Receiver) -> None:
    """With a poll of a minute only LISTEN can be what starts a run."""
    workflow = flow(receiver)
    start(AUTOMATE_POLL="60"), start(AUTOMATE_POLL="60")
    time.sleep(1)  # what they claim at their start is over
    for _ in range(5):
        begun = time.monotonic()
        post(workflow, 1)
        wake_all()
        finish(5)
        assert time.monotonic() - begun < 1
    assert fates(receiver) == once_each(5)


def wake_all(*, is_sqlite: bool = False) -> None:
    """What accepting does in a process that may notify."""
    if not is_sqlite:
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")

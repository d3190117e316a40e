"""Stopping under load: nothing is lost, nothing happens twice, nothing stays behind.

SIGTERM is sent to the process that was started, to django-q2's main process, and to
every process at once (what systemd does by default, and a terminal that closes).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from runs.models import Job, Run, StepRun
from tests.chaos.cluster import Cluster, send
from tests.chaos.conftest import Start
from tests.chaos.load import (
    all_succeeded,
    fates,
    finish,
    flow,
    once_each,
    outcomes,
    post,
)
from tests.chaos.receiver import Receiver
from tests.processes import eventually, in_the_end

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = 200
# Far longer than a stop takes, and than the tests wait for what was handed back.
LONG = {"AUTOMATE_LEASE": "300", "AUTOMATE_GRACE": "60"}
PROMPT = 40  # seconds, of a machine that may stand still for some of them


def to_parent(cluster: Cluster) -> None:
    cluster.process.signal(signal.SIGTERM)


def to_main(cluster: Cluster) -> None:
    send(cluster.of("main"), signal.SIGTERM)


def to_all(cluster: Cluster) -> None:
    send(cluster.pids(), signal.SIGTERM)


def to_all_but_parent(cluster: Cluster) -> None:
    os.killpg(cluster.of("main")[0], signal.SIGTERM)


def twice_to_all(cluster: Cluster) -> None:
    pids = cluster.pids()
    send(pids, signal.SIGTERM)
    send(pids, signal.SIGTERM)


Way = Callable[[Cluster], None]
WAYS = (
    to_parent,
    pytest.param(to_main, marks=pytest.mark.slow),
    pytest.param(to_all, marks=pytest.mark.slow),
)
MORE_WAYS = (to_all_but_parent, twice_to_all)


def stop(cluster: Cluster, way: Way) -> None:
    """Fails unless all of it ends in time, and in order."""
    way(cluster)
    assert cluster.process.wait(PROMPT) == 0, cluster.output
    assert not cluster.pids()
    assert "killing" not in cluster.output
    assert "Traceback" not in cluster.output


def stopped_under_load(start: Start, receiver: Receiver, way: Way) -> None:
    """A cluster that is stopped in the middle of its work, and one that follows it."""
    receiver.delay = 1  # long enough that all is not done before it is told to stop
    workflow = flow(receiver)
    # Leases outlive the test: what is not handed back is not finished either.
    first = start(**LONG)
    post(workflow, RUNS)
    eventually(lambda: len(receiver.received) > 30)
    stop(first, way)
    done = len(receiver.runs)
    assert done < RUNS
    assert Run.objects.filter(status="succeeded").count() == done
    assert not Job.objects.filter(lease_token__isnull=False).exists()
    receiver.delay = 0.1
    start(**LONG)
    finish()


@pytest.mark.parametrize("way", WAYS)
def test_sigterm_under_load_loses_and_repeats_nothing(
    start: Start, receiver: Receiver, way: Way
) -> None:
    stopped_under_load(start, receiver, way)
    assert fates(receiver) == once_each(RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("way", MORE_WAYS)
def test_more_ways_to_stop_under_load_lose_and_repeat_nothing(
    start: Start, receiver: Receiver, way: Way
) -> None:
    stopped_under_load(start, receiver, way)
    assert fates(receiver) == once_each(RUNS)


@pytest.mark.parametrize("way", WAYS)
def test_steps_longer_than_the_grace_are_handed_back_as_unknown(
    start: Start, receiver: Receiver, way: Way
) -> None:
    receiver.delay = 200
    workflow = flow(receiver, timeout=250)
    first = start(AUTOMATE_LEASE="300", AUTOMATE_GRACE="1")
    post(workflow, 6)
    eventually(lambda: len(receiver.received) == 6)
    stop(first, way)
    assert outcomes() == {"unknown": 6}
    assert set(StepRun.objects.values_list("status", flat=True)) == {"waiting"}
    receiver.delay = 0
    start(**LONG)
    finish()
    assert all_succeeded(6)
    assert set(receiver.runs.values()) == {2}
    assert receiver.has_one_key_a_run()
    assert outcomes() == {"unknown": 6, "delivered": 6}


def test_a_stop_while_it_still_starts_leaves_nothing_behind(start: Start) -> None:
    for after in (0.3, 0.9, 1.2, 1.5):
        cluster = start(whole=False)
        time.sleep(after)
        cluster.process.signal(signal.SIGTERM)
        cluster.process.wait()
        assert in_the_end(cluster.pids, set()) == set(), cluster.output


def test_an_idle_cluster_stops_long_before_the_grace_is_over(start: Start) -> None:
    cluster = start(**LONG)
    stop(cluster, to_parent)  # within PROMPT, which is less than the grace
    assert cluster.pids() == set(), cluster.output

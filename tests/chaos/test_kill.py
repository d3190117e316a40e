"""kill -9 of each kind of process: nothing is lost, nothing hangs, nothing is left.

The plain suite kills one kind once. `make test-slow` kills each kind a few times,
idle and busy. By hand, for the long form:

    AUTOMATE_CHAOS_ROUNDS=20 python -m pytest tests/chaos -m slow
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from django_q.models import Success
from django_q.tasks import async_task

from tests.chaos.cluster import Cluster
from tests.chaos.conftest import Start
from tests.chaos.load import all_succeeded, finish, flow, post
from tests.chaos.receiver import Receiver
from tests.processes import eventually, in_the_end
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(os.environ.get("AUTOMATE_CHAOS_ROUNDS", "3"))
KINDS = ("free", "drain", "pusher", "monitor", "sentinel", "main")
# Without these django-q2 falls apart: the parent starts all of it anew.
FATAL = ("sentinel", "main")
# These hold a queue's lock while they wait at it. Killed at that they leave a queue at
# which nobody gets anything any more, and the parent starts all of it anew; killed at
# anything else they are replaced, and the others live on.
AT_A_QUEUE = ("free", "monitor")
IN_FLIGHT = 16  # at most: two drains of eight threads


def ordinary_tasks_pass() -> None:
    """Fails unless one of the ordinary tasks that are enqueued now is done."""
    begun, enqueued = time.monotonic(), 0

    def passed() -> bool:
        nonlocal enqueued
        if time.monotonic() - begun >= enqueued:
            enqueued += 1
            async_task("math.copysign", 1, enqueued, task_name=f"{begun}")
        return bool(Success.objects.filter(name=f"{begun}").exists())

    eventually(passed)


def kill_and_recover(
    cluster: Cluster, kind: str, workflow: Workflow, *, busy: bool
) -> int:
    """One round; how many events were accepted in it."""
    count = 60 if busy else 0
    post(workflow, count)
    if busy:
        time.sleep(0.3)  # the drains are in the middle of it
    before = cluster.pids()
    killed = cluster.kill(kind)
    post(workflow, 5)
    finish()
    ordinary_tasks_pass()
    cluster.wait_until_whole()
    left = before - {killed, cluster.pid}
    survivors = left & cluster.pids()
    if kind not in AT_A_QUEUE:
        assert (not survivors) == (kind in FATAL), cluster.output
    return count + 5


def test_the_runs_of_a_killed_worker_finish_after_its_lease(
    start: Start, receiver: Receiver
) -> None:
    receiver.delay = 0.1
    workflow = flow(receiver)
    cluster = start()
    post(workflow, 200)
    eventually(lambda: len(receiver.received) > 50)
    cluster.kill("drain")
    # Each step that was in flight is tried again alone, one after another.
    finish()
    assert all_succeeded(200)
    assert len(receiver.runs) == 200
    assert receiver.repeated <= 8
    assert receiver.has_one_key_a_run()


def test_nothing_of_a_cluster_outlives_its_parent(start: Start) -> None:
    cluster = start()
    cluster.kill("parent")
    assert in_the_end(cluster.pids, set()) == set(), cluster.output


@pytest.mark.parametrize("kind", ["free", "sentinel", "pusher"])
def test_a_killed_process_is_recovered_from(
    start: Start, receiver: Receiver, kind: str
) -> None:
    workflow = flow(receiver)
    cluster = start()
    count = kill_and_recover(cluster, kind, workflow, busy=False)
    assert all_succeeded(count)
    assert receiver.repeated == 0


@pytest.mark.slow
@pytest.mark.timeout(120 + 60 * ROUNDS)
@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(False, id="idle", marks=pytest.mark.once),
        pytest.param(True, id="busy"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_killed_again_and_again_is_recovered_from(
    start: Start, receiver: Receiver, kind: str, busy: bool
) -> None:
    receiver.delay = 0.2 if busy else 0.0
    workflow = flow(receiver)
    cluster = start()
    count = 0
    for _ in range(ROUNDS):
        count += kill_and_recover(cluster, kind, workflow, busy=busy)
    assert all_succeeded(count)
    assert receiver.repeated <= IN_FLIGHT * ROUNDS
    assert receiver.has_one_key_a_run()


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_killed_parent_s_runs_are_handed_back(
    start: Start, receiver: Receiver, busy: bool
) -> None:
    receiver.delay = 0.2
    workflow = flow(receiver)
    cluster = start()
    if busy:
        post(workflow, 60)
        eventually(lambda: len(receiver.received) > 10)
    cluster.kill("parent")
    eventually(lambda: not cluster.pids())
    post(workflow, 5)
    start()
    finish()
    assert all_succeeded(65 if busy else 5)
    assert receiver.repeated == 0  # a drain that lost its parent hands back in order


@pytest.mark.slow
def test_nothing_outlives_a_killed_parent_whose_queue_was_dead_already(
    start: Start, receiver: Receiver
) -> None:
    """Then the sentinel cannot stop: nobody reads its poison pills."""
    cluster = start()
    cluster.kill("free")
    os.kill(cluster.pid, signal.SIGKILL)
    assert in_the_end(cluster.pids, set()) == set(), cluster.output

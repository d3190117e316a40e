"""What the parent of a cluster takes for a sign that something is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from runs.engine import parent as parents
from runs.engine import pulse
from runs.engine.pulse import Mark
from runs.management.commands import qcluster
from runs.management.commands.qcluster import Parent
from tests.processes import eventually

STALE = 15.0


def ago(seconds: float) -> float:
    return time.monotonic() - seconds


@pytest.fixture(autouse=True)
def page(settings: Settings) -> Iterator[None]:
    """A cluster that has run for a long time, and is well."""
    settings.LEASE = STALE
    pulse.clear()
    pulse.put(Mark.CLUSTER_BEGAN, ago(1000))
    for mark in (Mark.SENTINEL_BEAT, Mark.PUSHER_BEAT, Mark.QUEUE_BEAT):
        pulse.beat(mark)
    yield
    pulse.clear()


@pytest.fixture
def parent() -> Iterator[Parent]:
    parent = Parent()
    yield parent
    for end in (parent._wake, parent._woken):
        os.close(end)


def test_a_cluster_that_is_well_is_not_silent() -> None:
    assert qcluster._silent() == ""


@pytest.mark.parametrize(
    ("mark", "seconds", "word"),
    [
        (Mark.PUSHER_BEAT, STALE, "pusher"),
        (Mark.QUEUE_BEAT, STALE, "queue"),
        (Mark.SENTINEL_BEAT, 4 * STALE, "sentinel"),
    ],
)
def test_each_silence_is_noticed(mark: Mark, seconds: float, word: str) -> None:
    pulse.put(mark, ago(seconds - 1))
    assert qcluster._silent() == ""
    pulse.put(mark, ago(seconds + 1))
    assert word in qcluster._silent()


def test_a_young_cluster_may_be_silent() -> None:
    for mark in (Mark.SENTINEL_BEAT, Mark.PUSHER_BEAT, Mark.QUEUE_BEAT):
        pulse.put(mark, 0)
    pulse.put(Mark.CLUSTER_BEGAN, ago(2 * STALE - 1))
    assert qcluster._silent() == ""
    pulse.put(Mark.CLUSTER_BEGAN, ago(2 * STALE + 1))
    assert qcluster._silent()


def test_a_long_ordinary_task_explains_a_silent_queue(settings: Settings) -> None:
    limit = settings.Q_CLUSTER["timeout"] + STALE
    pulse.put(Mark.QUEUE_BEAT, ago(200))
    pulse.put(Mark.TASK_PID, os.getpid())
    pulse.put(Mark.TASK_BEGAN, ago(190))
    pulse.put(Mark.TASK_ENDED, ago(195))
    assert qcluster._silent() == ""
    pulse.put(Mark.TASK_BEGAN, ago(limit + 1))  # django-q2 would have ended it
    assert "queue" in qcluster._silent()


def test_a_task_whose_worker_is_gone_explains_nothing() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    pulse.put(Mark.QUEUE_BEAT, ago(20))
    pulse.put(Mark.TASK_PID, pid)
    pulse.put(Mark.TASK_BEGAN, ago(10))
    assert "queue" in qcluster._silent()


def test_a_group_that_ends_at_once_is_tried_less_and_less_often(
    parent: Parent,
) -> None:
    pulse.beat(Mark.CLUSTER_BEGAN)
    pauses = [parent._pause() for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 15, 15, 15, 15]


def test_a_group_that_lasted_is_replaced_at_once(parent: Parent) -> None:
    pulse.beat(Mark.CLUSTER_BEGAN)
    parent._pause()
    pulse.put(Mark.CLUSTER_BEGAN, ago(STALE + 1))
    assert parent._pause() == 0
    pulse.beat(Mark.CLUSTER_BEGAN)
    assert parent._pause() == 1


def grouped_child(work: Callable[[], None]) -> int:
    """A process in a group of its own that does this; its pid."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        try:
            work()
        finally:
            os._exit(0)
    eventually(lambda: os.getpgid(pid) == pid)
    return pid


@pytest.fixture
def adopting() -> Iterator[None]:
    """This process takes in orphans, for one test."""
    parents.adopt_orphans()
    yield
    parents._prctl(parents.PR_SET_CHILD_SUBREAPER, 0)


@pytest.mark.usefixtures("adopting")
def test_the_end_of_a_group_is_waited_for(parent: Parent) -> None:
    """Not only its leader: its children may be in the middle of something."""

    reader, writer = os.pipe()

    def leave_a_child() -> None:
        if os.fork() == 0:
            os.read(reader, 1)

    parent._main = group = grouped_child(leave_a_child)
    eventually(lambda: parent._is_empty() or parent._code is not None)
    assert not parent._is_empty()
    threading.Timer(0.4, os.write, (writer, b"x")).start()
    parent._end(gentle=True)
    for end in (reader, writer):
        os.close(end)
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_group_that_does_not_end_is_killed(
    parent: Parent, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GRACE = 0.1
    monkeypatch.setattr(qcluster, "AFTER_GRACE", 0.3)

    def ignore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pulse.beat(Mark.TASK_BEGAN)
        time.sleep(60)

    parent._main = pid = grouped_child(ignore)
    eventually(lambda: pulse.get(Mark.TASK_BEGAN) > 0)
    parent._end(gentle=True)
    assert parent._code == -signal.SIGKILL
    assert not qcluster._alive(pid)
    assert pulse.get(Mark.STOPPING)


def test_a_child_whose_parent_is_gone_before_it_is_bound_leaves() -> None:
    pid = os.fork()
    if pid == 0:
        parents.die_with_parent(os.getppid() + 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1

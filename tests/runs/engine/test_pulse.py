"""The page that all processes of a cluster share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from runs.engine import pulse
from runs.engine.pulse import Mark
from tests.processes import eventually


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    pulse.clear()
    yield
    pulse.clear()


def in_child(work: object) -> int:
    """The exit status of a forked process that does this."""
    assert callable(work)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = int(work() or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_was_never_beaten_is_infinitely_old() -> None:
    assert pulse.get(Mark.PUSHER_BEAT) == 0
    assert pulse.age(Mark.PUSHER_BEAT) == float("inf")


def test_every_mark_has_a_place_of_its_own() -> None:
    for mark in Mark:
        pulse.put(mark, float(mark) + 0.5)
    assert [pulse.get(mark) for mark in Mark] == [float(mark) + 0.5 for mark in Mark]
    pulse.clear()
    assert not any(pulse.get(mark) for mark in Mark)


def test_a_child_s_mark_is_seen_by_its_parent() -> None:
    assert in_child(lambda: pulse.put(Mark.TASK_PID, os.getpid())) == 0
    assert pulse.get(Mark.TASK_PID) not in (0, os.getpid())


def test_a_kept_mark_is_beaten_while_the_process_lives_and_no_longer() -> None:
    def live() -> int:
        pulse.keep(Mark.PUSHER_BEAT)
        first = pulse.get(Mark.PUSHER_BEAT)
        eventually(lambda: pulse.get(Mark.PUSHER_BEAT) > first)
        return 0

    assert in_child(live) == 0
    last = pulse.get(Mark.PUSHER_BEAT)
    time.sleep(2 * pulse.EVERY)
    assert pulse.get(Mark.PUSHER_BEAT) == last


def test_a_mark_is_kept_by_one_thread_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[object] = []

    class Thread:
        def __init__(self, **arguments: object) -> None:
            started.append(arguments["args"])

        def start(self) -> None: ...

    monkeypatch.setattr(pulse, "_keepers", {})
    monkeypatch.setattr("runs.engine.pulse.threading.Thread", Thread)
    for _ in range(3):
        pulse.keep(Mark.PUSHER_BEAT)
    assert started == [(Mark.PUSHER_BEAT,)]
    pulse._keepers[Mark.PUSHER_BEAT] = os.getppid()  # as after a fork
    pulse.keep(Mark.PUSHER_BEAT)
    assert len(started) == 2


@pytest.mark.parametrize(("lease", "seconds"), [(3, 3), (15, 15), (60, 15)])
def test_silence_is_noticed_within_a_lease_and_within_15_seconds(
    settings: Settings, lease: float, seconds: float
) -> None:
    settings.LEASE = lease
    assert pulse.stale() == seconds

"""When a drain claims again."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from runs.engine.drain import Drain
from runs.engine.looks import CONTENDED, Looks
from tests.runs.engine.test_claim import crowd
from tests.runs.flows import given, publish

POLL = 100.0  # seconds that nobody waits


@pytest.fixture
def looks(engine: Settings) -> Looks:
    engine.POLL = POLL
    return Looks(gives_way=True)


def pause(looks: Looks, *, full: bool, contended: bool = False) -> float:
    """Seconds until the claim after one that has just been made."""
    before = time.monotonic()
    looks.claimed(full=full, since=timezone.now(), busy=False, contended=contended)
    return looks.claim_at - before


def test_a_claim_that_got_all_it_asked_for_is_followed_at_once(looks: Looks) -> None:
    assert pause(looks, full=True) < POLL / 2
    assert pause(looks, full=True) < POLL / 2


def test_one_that_got_less_is_not_although_runs_are_due(looks: Looks) -> None:
    """What is due and was passed over, for another drain's lock or its workflow's
    limit, would else be claimed in a loop.

    Shown to fail without `since` in the search, and with no pause after it.
    """
    crowd(publish(given("a")), 3, due_at=timezone.now() - timedelta(seconds=5))

    for _ in range(3):
        assert pause(looks, full=False) >= POLL


def test_it_waits_for_the_first_that_falls_due_later(looks: Looks) -> None:
    crowd(publish(given("a")), 1, due_at=timezone.now() + timedelta(seconds=POLL / 2))

    # SQLite asks only for suspects, and polls more often.
    expected = POLL if connection.vendor == "sqlite" else POLL / 2
    assert pause(looks, full=False) == pytest.approx(expected, abs=POLL / 5)


def test_after_another_one_s_decision_it_looks_a_little_later(looks: Looks) -> None:
    for _ in range(20):
        assert CONTENDED[0] <= pause(looks, full=False, contended=True) < POLL


class TestWokenTogether:
    """All drains hear the same wake-up."""

    @pytest.fixture
    def drain(self, engine: Settings, monkeypatch: pytest.MonkeyPatch) -> Drain:
        drain = Drain(threads=1)
        monkeypatch.setattr(drain, "_pause", lambda **_: 1.0)
        return drain

    @pytest.fixture
    def slept(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """What a drain slept after its wake-ups, in seconds: it does not really."""
        slept: list[float] = []
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=slept.append)
        monkeypatch.setattr("runs.engine.drain.time", clock)
        return slept

    @pytest.mark.parametrize("drains", [1, 40])
    def test_an_idle_one_waits_a_moment_that_grows_with_their_number(
        self, drain: Drain, slept: list[float], drains: int
    ) -> None:
        """Shown to fail without the factor, and without the dice."""
        drain._sign.drains = drains
        while len(slept) < 20:
            woken_while_asleep(drain)

        assert all(0 <= seconds <= 0.0005 * drains for seconds in slept)
        assert max(slept) > 0.0001 * drains
        assert len(set(slept)) > 1

    def test_one_with_runs_in_its_hands_does_not_wait(
        self, drain: Drain, slept: list[float]
    ) -> None:
        drain._sign.drains = 40
        held: dict[Any, Any] = {object(): object()}
        drain._held = held
        for _ in range(5):
            woken_while_asleep(drain)

        assert slept == []


def woken_while_asleep(drain: Drain) -> None:
    drain._inbox.woken = False
    waker = threading.Timer(0.005, drain.wake)
    waker.start()
    drain._sleep()
    waker.join()

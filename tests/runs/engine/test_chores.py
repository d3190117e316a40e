"""Small work between a drain's turns: in time, and never in the way."""

from __future__ import annotations

import itertools
import time

import pytest
from django.db import OperationalError

from runs.engine.chores import LONGEST_PAUSE, Chores
from tests.runs.drains import draining, no_jobs, until
from tests.runs.flows import given, many, publish

pytestmark = pytest.mark.usefixtures("engine")


def test_a_chore_is_done_when_it_wanted_to_be() -> None:
    done: list[str] = []

    def often() -> float:
        done.append("often")
        return 0.0

    def rarely() -> float:
        done.append("rarely")
        return 30.0

    chores = Chores([often, rarely])
    chores.run()
    chores.run()

    assert done == ["often", "rarely", "often"]
    assert chores.due_at <= time.monotonic()


def test_no_chore_can_ask_never_to_be_called_again() -> None:
    chores = Chores([lambda: 1e9])

    chores.run()

    assert chores.due_at <= time.monotonic() + LONGEST_PAUSE


def test_a_failing_chore_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Shown to fail without the `except`."""
    done = []

    def broken() -> float:
        raise ValueError("a trigger nobody can read")

    def sound() -> float:
        done.append(1)
        return 1.0

    Chores([broken, sound]).run()

    assert done == [1]
    assert "a trigger nobody can read" in caplog.text


def test_a_database_that_is_away_is_the_drains_affair() -> None:
    def away() -> float:
        raise OperationalError("the connection is lost")

    with pytest.raises(OperationalError):
        Chores([away]).run()


def test_a_drain_does_its_chores_beside_its_runs() -> None:
    calls: list[float] = []

    def chore() -> float:
        calls.append(time.monotonic())
        return 0.05

    many(publish(given("a")), 5)
    with draining(chores=[chore]):
        until(lambda: no_jobs() and len(calls) >= 5)

    gaps = [later - earlier for earlier, later in itertools.pairwise(calls)]
    assert min(gaps) >= 0.05

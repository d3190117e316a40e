"""I9 in the reaper: a run that cannot be given back keeps no other from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import DataError, OperationalError
from pytest_django import Settings

from runs.engine import reap as module
from runs.engine.reap import Reaper
from runs.models import Job
from tests.runs.drains import Hand
from tests.runs.flows import call, expire, many, publish

URL = "http://127.0.0.1:1/"


def held_by_a_dead_drain(hand: Hand, count: int) -> list[Job]:
    """Jobs whose leases have run out while their steps were in flight."""
    expire(*many_claimed(hand, count))
    return list(Job.objects.order_by("pk"))


def many_claimed(hand: Hand, count: int) -> Sequence[Any]:
    runs = many(publish(call("a", URL)), count)
    hand.claim()
    return runs


def break_for(
    monkeypatch: pytest.MonkeyPatch, broken: int, error: Exception
) -> list[int]:
    """Let everything about this job fail; the sizes of the transactions tried."""
    sizes: list[int] = []
    whole = module._interrupt

    def interrupt(jobs: Sequence[Job], now: datetime) -> None:
        sizes.append(len(jobs))
        whole(jobs, now)
        if broken in [job.pk for job in jobs]:
            raise error

    monkeypatch.setattr(module, "_interrupt", interrupt)
    return sizes


@pytest.mark.parametrize("error", [DataError("bad"), ValueError("bug")])
def test_the_others_are_given_back(
    hand: Hand, settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    settings.HEARTBEAT = 0
    jobs = held_by_a_dead_drain(hand, 3)
    break_for(monkeypatch, jobs[1].pk, error)
    reaper = Reaper()
    reaper.look()
    assert reaper.look() == 2
    leased = Job.objects.filter(lease_token__isnull=False)
    assert [job.pk for job in leased] == [jobs[1].pk]


def test_a_database_that_is_away_is_not_asked_run_by_run(
    hand: Hand, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HEARTBEAT = 0
    jobs = held_by_a_dead_drain(hand, 3)
    sizes = break_for(monkeypatch, jobs[0].pk, OperationalError("gone"))
    reaper = Reaper()
    reaper.look()
    with pytest.raises(OperationalError):
        reaper.look()
    assert sizes == [3]

"""What the broker hands out: drains for free seats, a beat, ordinary tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from pytest_django import Settings

from runs.broker import Broker
from runs.engine import pulse, seats
from runs.engine.pulse import Mark

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two seats, an empty page, no thread that beats, no pause."""
    monkeypatch.setattr(seats, "count", lambda: 2)
    monkeypatch.setattr(pulse, "keep", pulse.beat)
    monkeypatch.setattr("runs.broker.time.sleep", lambda _: None)
    monkeypatch.setattr("django_q.brokers.orm.sleep", lambda _: None)
    seats.use_folder(tmp_path)
    pulse.clear()
    yield
    seats.use_folder(None)
    pulse.clear()


@pytest.fixture
def broker(db: None) -> Broker:
    return Broker("automate")


def unpacked(packages: Any) -> list[dict[str, Any]]:
    return [SignedPackage.loads(package) for _, package in packages or ()]


def calls(packages: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [(task["func"], task["args"]) for task in unpacked(packages)]


def test_free_seats_and_a_beat_come_first(broker: Broker) -> None:
    async_task("math.copysign", 1, 2, broker=broker)
    assert calls(broker.dequeue()) == [
        ("runs.tasks.drain", (0,)),
        ("runs.tasks.drain", (1,)),
        ("runs.tasks.beat", ()),
    ]
    assert calls(broker.dequeue()) == [("math.copysign", (1, 2))]


def test_our_packages_have_no_time_limit_and_leave_no_row(broker: Broker) -> None:
    packages = broker.dequeue()
    assert {task["timeout"] for task in unpacked(packages)} == {-1}
    assert not any(task["save"] for task in unpacked(packages))
    for number, _ in packages:
        broker.acknowledge(number)
        broker.delete(number)
        broker.fail(number)
    assert not OrmQ.objects.exists()


def test_an_ordinary_task_is_removed_when_it_is_done(broker: Broker) -> None:
    async_task("math.copysign", 1, 2, broker=broker)
    broker.dequeue()
    ((number, _),) = broker.dequeue()
    broker.acknowledge(number)
    assert not OrmQ.objects.exists()


def test_the_beat_comes_three_times_before_silence_counts(
    broker: Broker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE = 15
    moment = 1000.0
    monkeypatch.setattr("runs.broker.time.monotonic", lambda: moment)
    broker.dequeue()
    beats = 0
    for _ in range(30):
        moment += 0.5
        beats += ("runs.tasks.beat", ()) in calls(broker.dequeue())
    assert beats == 3


def test_nothing_is_handed_out_while_the_cluster_stops(broker: Broker) -> None:
    async_task("math.copysign", 1, 2, broker=broker)
    pulse.put(Mark.STOPPING, 1)
    assert broker.dequeue() is None


def test_a_database_that_is_away_is_waited_for_and_told_of_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception would end the pusher, which drains take for a stop."""

    def refuse(_: ORM) -> None:
        raise OperationalError("refused")

    broker.dequeue()
    with monkeypatch.context() as patch:
        patch.setattr(ORM, "dequeue", refuse)
        assert [broker.dequeue() for _ in range(3)] == [None] * 3
    assert caplog.text.count("the database is away") == 1
    async_task("math.copysign", 1, 2, broker=broker)
    assert calls(broker.dequeue()) == [("math.copysign", (1, 2))]


def test_the_pusher_beats_at_each_call(broker: Broker) -> None:
    broker.dequeue()
    assert pulse.age(Mark.PUSHER_BEAT) < 30


def test_the_sentinel_beats_when_it_tells_its_state(broker: Broker) -> None:
    assert pulse.age(Mark.SENTINEL_BEAT) == float("inf")
    broker.set_stat("key", "value", 3)
    assert pulse.age(Mark.SENTINEL_BEAT) < 30


def test_a_worker_that_enqueues_is_not_taken_for_the_sentinel(db: None) -> None:
    """A broker is also made by whoever enqueues a task."""
    Broker("automate")
    assert not any(pulse.get(mark) for mark in Mark)


def test_the_seats_are_chosen_before_the_sentinel_forks(broker: Broker) -> None:
    seats.use_folder(None)
    assert broker.ping()
    assert seats._folder is not None
    seats._folder.rmdir()

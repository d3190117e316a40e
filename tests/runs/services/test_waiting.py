"""Requests that wait for a run's answer are woken, and never wait beyond their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings

from automate.lib.ids import uuid7
from runs.models import Job, Run
from runs.services import (
    Accepted,
    Answer,
    Dedupe,
    Event,
    Target,
    accept,
    cancel,
    waiting,
)
from runs.services.answer import answered
from runs.services.waiting import Awaited, WaitingRoom, accept_and_wait
from tests.runs.drains import draining, in_thread, until
from tests.runs.faults import other_session
from tests.runs.flows import again, given, node, publish
from tests.waiting_rooms import announcing, cut_hearing, end, waiting_room
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")

postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="only PostgreSQL has LISTEN"
)


@pytest.fixture
def room(engine: Settings) -> Iterator[WaitingRoom]:
    with waiting_room() as found:
        yield found


@pytest.fixture
def listening(
    engine: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WaitingRoom]:
    """A room that hears at once and polls too rarely to help."""
    engine.LISTEN = True
    with announcing(monkeypatch), waiting_room(POLL=300.0, RETRY=0.1) as found:
        yield found


def flow(*between: dict[str, Any]) -> Workflow:
    """Steps, and one that responds behind them."""
    return publish(*between, node("answer", "respond", {"body": {"ok": True}}))


def start(workflow: Workflow, **more: Any) -> Callable[[UUID | None], Accepted]:
    assert workflow.published_id is not None
    target = Target(workflow.pk, workflow.published_id)

    def take(run_id: UUID | None) -> Accepted:
        return accept(target, Event(), awaited_as=run_id, **more)

    return take


class Waiter:
    """A request that waits, in a thread of its own."""

    def __init__(self, take: Callable[[UUID | None], Accepted], seconds: float) -> None:
        self.run_id: UUID | None = None
        self.awaited: Awaited | None = None

        def accepting(run_id: UUID | None) -> Accepted:
            accepted = take(run_id)
            self.run_id = accepted.run_id
            return accepted

        def work() -> None:
            began = time.monotonic()
            self.awaited = accept_and_wait(accepting, seconds)
            self.took = time.monotonic() - began

        self.thread = in_thread(work)

    def accepted(self) -> Run:
        until(lambda: self.run_id is not None)
        assert self.run_id is not None
        return Run.objects.get(pk=self.run_id)

    def answer(self) -> Answer:
        """What it got; it must have got something."""
        self.thread.join(150)
        assert self.awaited is not None
        assert self.awaited.answer is not None
        return self.awaited.answer


SAID = {"status": 200, "headers": {}, "body": {"ok": True}}


class TestAnswers:
    def test_a_respond_step_answers_while_the_run_goes_on(
        self, room: WaitingRoom
    ) -> None:
        later = node("later", "delay", {"duration": 300})
        workflow = publish(node("answer", "respond", {"body": {"ok": True}}), later)
        waiter = Waiter(start(workflow), 100)
        with draining():
            found = waiter.answer()
        assert found.said == SAID
        assert not found.has_ended
        assert again(waiter.accepted()).status == "running"

    def test_the_end_answers_where_no_step_does(self, room: WaitingRoom) -> None:
        workflow = publish(given("a", n=1), output={"n": "{{ steps.a.n }}"})
        waiter = Waiter(start(workflow), 100)
        with draining():
            found = waiter.answer()
        assert (found.status, found.said, found.output) == ("succeeded", None, {"n": 1})

    def test_a_run_that_is_cancelled_answers(self, room: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 100)
        cancel(waiter.accepted(), by=None)
        assert waiter.answer().status == "cancelled"

    def test_after_the_time_nothing_is_answered(self, room: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 0.3)
        found = waiter.answer()
        assert not found.is_there
        assert 0.3 <= waiter.took < 30
        assert room._count == 0
        assert Job.objects.filter(run=waiter.run_id).exists()  # it goes on

    def test_many_wait_for_their_own(self, engine: Settings) -> None:
        with waiting_room(20):
            echo = node("answer", "respond", {"body": "{{ run.id }}"})
            workflow = publish(echo)
            waiters = [Waiter(start(workflow), 100) for _ in range(10)]
            with draining():
                answers = [waiter.answer() for waiter in waiters]
        assert [item.said and item.said["body"] for item in answers] == [
            str(waiter.run_id) for waiter in waiters
        ]

    def test_the_same_event_again_waits_for_the_first_run(
        self, room: WaitingRoom
    ) -> None:
        take = start(flow(), dedupe=Dedupe("s", "k", "0" * 64))
        first = Waiter(take, 100)
        first.accepted()
        second = Waiter(take, 100)
        second.accepted()
        with draining():
            assert first.answer() == second.answer()
        again_later = accept_and_wait(take, 100)
        assert again_later.accepted.duplicate
        assert again_later.answer == first.answer()
        assert Run.objects.count() == 1

    def test_the_same_event_after_its_run_was_purged_does_not_wait(
        self, room: WaitingRoom
    ) -> None:
        take = start(flow(), dedupe=Dedupe("s", "k", "0" * 64))
        Run.objects.filter(pk=take(None).run_id).delete()
        began = time.monotonic()
        found = accept_and_wait(take, 100)
        assert (found.accepted.duplicate, found.answer) == (True, None)
        assert time.monotonic() - began < 30


class TestSeats:
    def test_when_all_are_taken_nobody_waits(self, engine: Settings) -> None:
        with waiting_room(2) as room:
            waiters = [Waiter(start(flow()), 100) for _ in range(2)]
            until(lambda: room._count == 2)
            began = time.monotonic()
            third = accept_and_wait(start(flow()), 100)
            assert time.monotonic() - began < 30
            assert (third.answer, third.seconds) == (None, 0)
            assert not Job.objects.get(run=third.accepted.run_id).wants_answer
            with draining():
                assert all(waiter.answer().is_there for waiter in waiters)
            assert room._count == 0

    def test_a_known_answer_needs_no_seat(self, engine: Settings) -> None:
        take = start(flow(), dedupe=Dedupe("s", "k", "0" * 64))
        with waiting_room(0):
            assert accept_and_wait(take, 100).answer is None
            with draining():
                until(lambda: not Job.objects.exists())
            found = accept_and_wait(take, 100).answer
        assert found is not None
        assert found.said == SAID

    def test_an_event_that_is_refused_frees_its_seat(self, room: WaitingRoom) -> None:
        def refuse(_run_id: UUID | None) -> Accepted:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            accept_and_wait(refuse, 100)
        assert (room._count, room._seats) == (0, {})

    def test_closing_lets_everybody_go(self, room: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 100)
        waiter.accepted()
        until(lambda: room._count == 1)
        room.close()
        assert not waiter.answer().is_there
        assert waiter.took < 50
        assert accept_and_wait(start(flow()), 100).seconds == 0  # nor sits down

    def test_a_fork_begins_with_an_empty_room(self, room: WaitingRoom) -> None:
        with room.seat(uuid7()):
            other = WaitingRoom(3)
            other.__dict__.update(room.__dict__)
            other._reset()
        assert (other._count, other._seats, other._thread) == (0, {}, None)
        assert other.capacity == room.capacity


class TestHearing:
    """Shown to fail when the thread neither listens nor polls."""

    @postgresql
    def test_an_announcement_wakes_at_once(self, listening: WaitingRoom) -> None:
        with draining():
            waiter = Waiter(start(flow(node("p", "delay", {"duration": 1}))), 100)
            assert waiter.answer().said == SAID
        assert waiter.took < 50  # the poll comes after 300 s

    def test_a_lost_announcement_is_made_up_for(
        self, engine: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As when a drain dies between its commit and the NOTIFY."""
        engine.LISTEN = True
        with announcing(monkeypatch), waiting_room() as room:
            monkeypatch.setattr("runs.engine.wake.answered", lambda _ids: None)
            waiter = Waiter(start(flow()), 100)
            waiter.accepted()
            until(lambda: room._count == 1)
            with draining():
                assert waiter.answer().said == SAID
        assert waiter.took < 50

    def test_without_listen_the_poll_finds_it(self, room: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 100)
        with draining():
            assert waiter.answer().said == SAID

    @postgresql
    def test_a_listener_that_was_cut_listens_again(
        self, listening: WaitingRoom
    ) -> None:
        waiter = Waiter(start(flow(node("p", "delay", {"duration": 2}))), 100)
        waiter.accepted()
        until(cut_hearing)
        with draining():
            assert waiter.answer().said == SAID
        assert waiter.took < 50

    @postgresql
    def test_what_is_no_run_is_ignored(self, listening: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 100)
        waiter.accepted()
        with other_session() as other:
            for payload in ("nonsense", str(uuid7()), ""):
                other.execute("SELECT pg_notify('automate_answers', %s)", [payload])
        with draining():
            assert waiter.answer().said == SAID

    def test_a_false_alarm_makes_nobody_give_up(self, room: WaitingRoom) -> None:
        waiter = Waiter(start(flow()), 100)
        run = waiter.accepted()
        for _ in range(20):
            room._ring([run.pk])
        with draining():
            assert waiter.answer().said == SAID

    def test_the_thread_ends_when_nobody_has_waited_for_a_while(
        self, room: WaitingRoom
    ) -> None:
        with room.seat(uuid7()):
            thread = room._thread
            assert thread is not None
        end(room)
        assert room._thread is None
        with room.seat(uuid7()):
            assert room._thread not in (None, thread)

    def test_one_query_asks_for_everybody(
        self, room: WaitingRoom, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with room.seat(uuid7()), room.seat(uuid7()):
            awaited = room._awaited()
            assert len(awaited) == 2
            with django_assert_num_queries(1):
                room._ring(answered(awaited))


def test_a_database_that_is_away_is_no_answer_and_no_error(
    room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is committed: its sender must not be told otherwise."""

    def away(_run_id: UUID) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(waiting, "answer_of", away)
    found = accept_and_wait(start(flow()), 1)
    assert found.answer is None
    assert Run.objects.filter(pk=found.accepted.run_id).exists()


def test_a_waiting_request_leaves_its_place(
    room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = threading.Event()

    class Leaving:
        def __enter__(self) -> None:
            left.set()

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("automate.lib.places.left", Leaving)
    Waiter(start(flow()), 0.2).answer()
    assert left.is_set()

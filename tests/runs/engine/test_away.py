"""Databases that go away, transactions that are chosen as victims, single runs."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from psycopg import errors
from pytest_django import Settings

from runs.engine.heartbeat import extend
from runs.engine.ledger import DatabaseAway
from runs.engine.record import Batch
from runs.models import Job
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.runs.drains import Hand, draining, together, until
from tests.runs.faults import deadlocks, lost_commit, other_session
from tests.runs.flows import again, attempts, call, given, many, publish, started

pytestmark = pytest.mark.usefixtures("engine")


class TestVictims:
    """40P01 and 40001: the database chose this transaction; it is simply repeated."""

    @pytest.mark.parametrize("kind", ["DeadlockDetected", "SerializationFailure"])
    def test_a_deadlocks_victim_is_repeated(
        self,
        hand: Hand,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
    ) -> None:
        """Shown to fail without `repeat` in `turn`."""
        run = started(publish(call("a", receiver.url), given("z")))
        hand.claim()
        results = hand.perform()
        victims = self.fail(monkeypatch, getattr(errors, kind), times=2)

        hand.record(results)
        hand.finish()

        assert victims == [1, 1]
        assert again(run).status == RunStatus.SUCCEEDED
        assert len(attempts(run)) == 1

    def test_one_that_is_chosen_every_time_is_kept_for_later(
        self, hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Shown to fail when the run is given up: it has done nothing wrong."""
        run = started(publish(call("a", receiver.url)))
        hand.claim()
        results = hand.perform()
        with monkeypatch.context() as patch:
            self.fail(patch, errors.DeadlockDetected, times=100)
            with pytest.raises(DatabaseAway):
                hand.record(results)

        hand.record(results)
        assert again(run).status == RunStatus.SUCCEEDED

    @staticmethod
    def fail(
        monkeypatch: pytest.MonkeyPatch, kind: type[psycopg.Error], times: int
    ) -> list[int]:
        real = Batch.write
        victims: list[int] = []

        def write(self: Batch) -> None:
            real(self)
            if len(victims) < times:
                victims.append(1)
                cause = kind("chosen")
                raise OperationalError("chosen") from cause

        monkeypatch.setattr(Batch, "write", write)
        return victims

    @pytest.mark.postgresql
    def test_heartbeats_and_records_of_the_same_runs_never_deadlock(
        self, hand: Hand
    ) -> None:
        """Shown to fail with heartbeats that lock in another order and do not skip,
        and without the order in `lock`."""
        runs = many(publish(given("a"), given("z")), 64)
        hand.claim(64, 64)
        held = list(hand.held.values())
        ends = time.monotonic() + 2.5
        before = deadlocks()

        def beat() -> None:
            while time.monotonic() < ends:
                extend(list(reversed(held)))

        def record() -> None:
            while time.monotonic() < ends:
                hand.plan(*reversed(runs), free=0)

        together(record, beat, beat)
        while hand.tasks:
            hand.record(free=64)

        assert deadlocks() == before
        assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}


class TestRunByRun:
    """The fallback, when the database goes away in the middle of it."""

    def test_what_was_committed_is_not_recorded_again(
        self, hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Shown to fail when the fallback raises DatabaseAway whatever it has done:
        the committed runs' next steps are then lost, and their results come twice."""
        runs = many(publish(call("a", receiver.url), call("b", receiver.url)), 3)
        hand.claim()
        results = hand.perform()
        real = Batch.write
        calls: list[int] = []

        def write(self: Batch) -> None:
            calls.append(len(self.drafts))
            if len(self.drafts) > 1:
                raise ValueError("bad data somewhere")
            if len(calls) == 4:
                raise OperationalError("the database is gone")
            real(self)

        with monkeypatch.context() as patch:
            patch.setattr(Batch, "write", write)
            written = hand.record(results)

        assert calls == [3, 1, 1, 1]
        assert written.resumed
        rest = [result for result in results if not written.took(result)]
        assert len(rest) == 1
        connection.close()
        hand.record([*rest, *hand.perform()])
        hand.finish()
        assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}
        assert len(receiver.requests) == 6
        for run in runs:
            assert [row.outcome for row in attempts(run)] == ["delivered"] * 2

    def test_giving_a_run_up_waits_for_the_database_too(
        self, hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = started(publish(call("a", receiver.url)))
        hand.claim()
        results = hand.perform()

        def refuse(self: Batch) -> None:
            raise ValueError("bad data")

        def away(*_: object) -> None:
            raise OperationalError("the database is gone")

        with monkeypatch.context() as patch:
            patch.setattr(Batch, "write", refuse)
            patch.setattr("runs.engine.ledger.end_alone", away)
            with pytest.raises(DatabaseAway):
                hand.record(results)

        hand.record(results)
        assert again(run).status == RunStatus.SUCCEEDED


@pytest.mark.postgresql
def test_a_drain_outlives_its_database(engine: Settings) -> None:
    """Results are kept and recorded when it is back; nothing is sent twice.

    Shown to fail when `_work` does not put the results back, and when `_turn` of the
    drain lets DatabaseAway pass.
    """
    engine.HEARTBEAT = 0.5
    name = connection.settings_dict["NAME"]

    def slow(sock: Any, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            time.sleep(1)
            sock.sendall(answer())

    with Server(slow) as server:
        runs = many(publish(call("a", server.url), given("z")), 4)
        with other_session("postgres") as other, draining() as (drain,):
            until(lambda: len(server.requests) == 4)
            connection.close()
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            try:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s",
                    [name],
                )
                until(lambda: drain.drain._away)
                until(lambda: len(drain.drain._inbox.results) == 4)
            finally:
                other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            until(lambda: not Job.objects.exists())

    assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}
    assert len(server.requests) == 4


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_drain_whose_connection_is_cut_goes_on(
    receiver: Server, monkeypatch: pytest.MonkeyPatch, number: int, applied: bool
) -> None:
    """At each of its first commits, before it or after it."""
    monkeypatch.setattr("runs.engine.drain.AWAY_PAUSE", 0.02)
    run = started(publish(call("a", receiver.url), given("z")))
    with (
        lost_commit(monkeypatch, applied=applied, number=number, thread="drain"),
        draining(threads=2),
    ):
        until(lambda: not Job.objects.filter(run=run).exists())

    assert again(run).status == RunStatus.SUCCEEDED
    assert len(receiver.requests) == 1

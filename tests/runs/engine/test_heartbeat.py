"""Heartbeats keep what is ours, and nothing else."""

from __future__ import annotations

import socket
import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from runs.engine.heartbeat import Heartbeat, extend
from runs.engine.reap import Reaper
from runs.models import Job, Run
from runs.services import cancel
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.processes import in_the_end
from tests.runs.drains import Hand, draining, in_thread, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    expire,
    given,
    many,
    publish,
    started,
)

pytestmark = pytest.mark.usefixtures("engine")


def alive(run: Run) -> bool:
    return Job.objects.filter(run=run, lease_until__gt=Now()).exists()


def test_a_beat_moves_the_end_of_our_leases(hand: Hand, engine: Settings) -> None:
    runs = many(publish(given("a")), 3)
    hand.claim()
    expire(*runs)
    held = list(hand.held.values())
    for item in held:
        item.lease_ends = 0.0

    extend(held)

    assert all(alive(run) for run in runs)
    later = Now() + timedelta(seconds=engine.LEASE - 5)
    assert Job.objects.filter(lease_until__gt=later).count() == 3
    assert all(item.lease_ends > 0 for item in held)


def test_what_somebody_else_did_to_a_run_is_noticed(hand: Hand) -> None:
    """Shown to fail without the comparison of signal counts."""
    signalled, ended, same = many(publish(given("a")), 3)
    hand.claim()
    Job.objects.filter(run=signalled).update(signal_count=1)
    Job.objects.filter(run=ended).delete()

    extend(list(hand.held.values()))

    noticed = {key: item.noticed for key, item in hand.held.items()}
    assert noticed == {signalled.pk: True, ended.pk: True, same.pk: False}


def test_a_drain_lets_go_of_a_cancelled_run_while_its_step_goes_on(
    engine: Settings,
) -> None:
    """Long before its time-out. Shown to fail without the comparison of leases."""
    engine.HEARTBEAT = 0.1
    release = threading.Event()

    def slow(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock))
        release.wait(200)
        sock.sendall(answer(body=b"{}"))

    with Server(slow) as server, draining(threads=2) as drains:
        run = started(publish(call("a", server.url, timeout=250)))
        held, threads = drains[0].drain._held, drains[0].drain._threads
        until(lambda: len(server.requests) == 1)
        cancel(run, by=None)

        try:
            assert in_the_end(lambda: list(held), []) == []
            assert threads.unfinished == 1, "its step goes on"
        finally:
            release.set()
        until(lambda: attempts(run))
    assert [row.outcome for row in attempts(run)] == ["delivered"], "late, but kept"
    assert again(run).status == "cancelled"


def test_a_lease_that_passed_to_another_is_not_moved(hand: Hand) -> None:
    """Shown to fail when `extend` goes by the job alone."""
    run = started(publish(given("a")))
    hand.claim()
    held = hand.held[run.pk]
    Job.objects.update(lease_token=uuid4(), lease_until=Now() - timedelta(hours=1))
    held.lease_ends = 0.0

    extend([held])

    assert not alive(run)
    assert held.lease_ends == 0.0


@pytest.mark.postgresql
def test_a_beat_does_not_wait_for_a_record(hand: Hand) -> None:
    """Who records a run extends its lease too. Shown to fail without SKIP LOCKED."""
    first, second = many(publish(given("a")), 2)
    hand.claim()
    expire(first, second)
    locked, release = threading.Event(), threading.Event()

    def record() -> None:
        with transaction.atomic():
            list(Job.objects.filter(run=first).select_for_update(no_key=True))
            locked.set()
            release.wait(60)

    thread = in_thread(record)
    assert locked.wait(60)
    try:
        extend(list(hand.held.values()))
    finally:
        release.set()
        thread.join()
    assert not alive(first)
    assert alive(second)


def test_a_long_step_keeps_its_lease(engine: Settings) -> None:
    """It is moved on from beat to beat. Shown to fail when the heartbeat does not
    extend."""
    engine.LEASE, engine.HEARTBEAT = 15.0, 0.2
    release = threading.Event()

    def slow(sock: socket.socket, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            release.wait(100)
            sock.sendall(answer())

    def end() -> datetime:
        moment = Job.objects.get().lease_until
        assert moment is not None
        return moment

    with Server(slow) as server, draining(2):
        run = started(publish(call("a", server.url, timeout=100)))
        server.wait_for_requests(1)
        try:
            for _ in range(3):
                before = end()
                until(lambda before=before: end() > before)  # type: ignore[misc]
        finally:
            release.set()
        until(lambda: not Job.objects.exists())
        assert len(server.requests) == 1
    assert again(run).status == "succeeded"


def test_a_beat_reports_and_looks_for_the_dead(hand: Hand, engine: Settings) -> None:
    engine.HEARTBEAT = 0.0
    run = started(publish(given("a")))
    hand.claim()
    expire(run)
    reports = []
    heartbeat = Heartbeat(list, lambda: reports.append(1))

    heartbeat.beat()
    heartbeat.beat()

    assert reports == [1, 1]
    assert Job.objects.get(run=run).lease_token is None


@pytest.mark.parametrize("error", [OperationalError("gone"), RuntimeError("a bug")])
def test_a_failed_beat_is_followed_by_the_next(
    engine: Settings, error: Exception
) -> None:
    """Without the thread every lease would run out. Shown to fail when only database
    errors are caught."""
    engine.HEARTBEAT = 0.02
    failed, followed = threading.Event(), threading.Event()

    def report() -> None:
        if not failed.is_set():
            failed.set()
            raise error
        followed.set()

    heartbeat = Heartbeat(list, report)
    heartbeat.start()
    assert failed.wait(60)
    assert followed.wait(60), "no beat came after the one that failed"
    heartbeat.stop()


def test_a_broken_connection_makes_the_reaper_forget(
    engine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live workers renew first. Shown to fail without `forget` in the heartbeat."""
    engine.HEARTBEAT = 0.02
    forgot = threading.Event()
    monkeypatch.setattr(Reaper, "forget", lambda _: forgot.set())

    def report() -> None:
        raise OperationalError("gone")

    heartbeat = Heartbeat(list, report)
    heartbeat.start()
    assert forgot.wait(60)
    heartbeat.stop()


def test_its_thread_ends_with_it_and_closes_its_connection(engine: Settings) -> None:
    opened: list[Any] = []
    heartbeat = Heartbeat(list, lambda: opened.append(connections["default"]))
    heartbeat.start()
    until(lambda: opened)
    heartbeat.stop()
    assert not heartbeat._thread.is_alive()
    assert opened[0].connection is None

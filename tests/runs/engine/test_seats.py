"""Seats: one drain each, freed by the kernel, offered while they are free."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from runs.engine import seats
from runs.engine.seats import HAND_OUT_AGAIN, HandOut, is_free, taken


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    seats.use_folder(tmp_path / "seats")
    yield tmp_path / "seats"
    seats.use_folder(None)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two seats, whatever the database."""
    monkeypatch.setattr(seats, "count", lambda: 2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the hand-out: its one item."""
    moment = [1000.0]
    monkeypatch.setattr("runs.engine.seats.time.monotonic", lambda: moment[0])
    return moment


def sit_in_child(number: int) -> int:
    """A process that sits in the seat until it is killed; its pid."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with taken(number) as ours:
                os.write(told, b"y" if ours else b"n")
                time.sleep(60)
        finally:
            os._exit(0)
    os.close(told)
    assert os.read(ready, 1) == b"y"
    os.close(ready)
    return pid


def test_a_seat_is_held_by_one_at_a_time() -> None:
    with taken(0) as first:
        with taken(0) as second, taken(1) as other:
            assert (first, second, other) == (True, False, True)
        assert not is_free(0)
    assert is_free(0)


def test_kill_9_frees_the_seat() -> None:
    pid = sit_in_child(0)
    assert not is_free(0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert is_free(0)


def test_a_look_at_a_seat_keeps_nobody_from_taking_it() -> None:
    """`is_free` locks for a moment: whoever comes just then tries again."""
    with taken(0, tries=1):
        results: list[bool] = []

        def come() -> None:
            with taken(0) as ours:
                results.append(ours)

        thread = threading.Thread(target=come)
        thread.start()
        time.sleep(seats.PAUSE)
    thread.join()
    assert results == [True]


def test_the_folder_may_be_cleaned_away(folder: Path) -> None:
    assert is_free(0)
    shutil.rmtree(folder)
    assert is_free(0)


def test_processes_that_set_no_folder_make_one() -> None:
    seats.use_folder(None)
    made = seats.folder()
    try:
        assert made.is_dir()
        assert seats.folder() == made
    finally:
        shutil.rmtree(made)


def test_one_worker_stays_free_for_ordinary_tasks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_sqlite: bool
) -> None:
    settings.WORKERS = 5
    assert seats.count() == (1 if is_sqlite else 4)


@pytest.mark.usefixtures("two")
def test_free_seats_are_offered_once(clock: list[float]) -> None:
    hand_out = HandOut()
    assert hand_out.next_seats() == [0, 1]
    clock[0] += HAND_OUT_AGAIN - 0.1
    assert hand_out.next_seats() == []


@pytest.mark.usefixtures("two")
def test_an_offer_that_nobody_took_is_repeated(clock: list[float]) -> None:
    hand_out = HandOut()
    hand_out.next_seats()
    clock[0] += HAND_OUT_AGAIN
    with taken(1):
        assert hand_out.next_seats() == [0]


@pytest.mark.usefixtures("two")
def test_a_seat_that_is_free_again_is_offered_at_once(clock: list[float]) -> None:
    hand_out = HandOut()
    hand_out.next_seats()
    with taken(1):
        assert hand_out.next_seats() == []
    assert hand_out.next_seats() == [1]

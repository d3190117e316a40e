"""Requests at work are few, and their database connections go from hand to hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction

from automate.lib import places
from automate.lib.places import Places
from tests.runs.drains import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


class Served:
    """An application behind places, and the connections that its requests had."""

    def __init__(self, count: int, work: Callable[[], Any] = lambda: None) -> None:
        self.places = Places(count)
        self.work = work
        self.seen: set[int] = set()
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()
        self.application = self.places.serve(self._answer)

    def _answer(self, _environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.seen.add(id(connections["default"]))
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            self.work()
        finally:
            with self._lock:
                self.now -= 1
        return [b"a", b"b"]

    def ask(self, *_: Any) -> Any:
        return self.application({}, None)

    def close(self) -> None:
        """Close the connections of all places."""
        for wrapper in self.places._free:
            if wrapper is not None:
                wrapper.close()


@pytest.fixture
def two() -> Iterator[Served]:
    served = Served(2)
    yield served
    served.close()


def test_no_more_are_at_work_than_there_are_places(two: Served) -> None:
    two.work = lambda: threading.Event().wait(0.01)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(two.ask, range(64)))
    assert answers == [[b"ab"]] * 64
    assert two.most == 2
    assert len(two.seen) <= 2


def test_who_has_waited_longest_comes_first_even_before_who_has_just_left() -> None:
    """Shown to fail when the one who has come last is the next."""
    served, order = Served(1), list[str]()
    begin = threading.Event()

    def work() -> None:
        assert begin.wait(60)
        order.append(threading.current_thread().name)

    def has_waiting(count: int) -> bool:
        return len(served.places._waiting) == count

    def twice() -> None:
        served.ask()
        served.ask()

    served.work = work
    threads = []
    for number in range(5):
        threads.append(in_thread(twice, f"{number}"))
        until(partial(has_waiting, number))
        until(lambda: not served.places._free)
    begin.set()
    for thread in threads:
        thread.join(60)
    served.close()
    assert order == [*"01234"] * 2


def test_a_thread_keeps_no_connection(two: Served) -> None:
    had: list[bool] = []

    def work() -> None:
        two.ask()
        had.append(bool(connections.all(initialized_only=True)))

    in_thread(work).join(60)
    assert had == [False]


def test_who_leaves_lets_another_work(two: Served) -> None:
    """Shown to fail when the place is kept."""
    go_on, inside = threading.Event(), threading.Barrier(3)

    def waits() -> None:
        with places.left():
            inside.wait(60)
            assert go_on.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    two.work = waits
    waiting = [in_thread(two.ask) for _ in range(2)]
    inside.wait(60)
    two.work = lambda: None
    assert two.ask() == [b"ab"]
    go_on.set()
    for thread in waiting:
        thread.join(60)
        assert not thread.is_alive()
    until(lambda: len(two.places._free) == 2)


def test_a_place_is_not_left_in_the_middle_of_a_transaction(two: Served) -> None:
    def work() -> None:
        with transaction.atomic(), places.left():
            raise AssertionError("never reached")

    two.work = work
    with pytest.raises(RuntimeError, match="transaction"):
        two.ask()
    two.work = lambda: None
    assert two.ask() == [b"ab"]


def test_outside_of_a_place_there_is_none_to_leave() -> None:
    with places.left(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_an_error_frees_the_place() -> None:
    served = Served(1)

    def fail() -> None:
        raise ZeroDivisionError

    served.work = fail
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            served.ask()
    served.work = lambda: None
    assert served.ask() == [b"ab"]
    served.close()


class Response:
    """As Django's: iterated once, then closed."""

    def __init__(self, *, streaming: bool) -> None:
        self.streaming = streaming
        self.closed_with: object = None

    def __iter__(self) -> Iterator[bytes]:
        yield b"whole"

    def close(self) -> None:
        self.closed_with = connections["default"]


def test_a_whole_answer_is_closed_in_its_place() -> None:
    response = Response(streaming=False)
    seen: list[object] = []

    def application(_environ: Any, _start: Any) -> Any:
        seen.append(connections["default"])
        return response

    assert Places(1).serve(application)({}, None) == [b"whole"]
    assert response.closed_with is seen[0]


def test_a_streamed_answer_is_handed_on_as_it_is() -> None:
    response = Response(streaming=True)
    served = Places(1).serve(lambda _environ, _start: response)
    assert served({}, None) is response
    assert response.closed_with is None
    assert served({}, None) is response  # its place was free again

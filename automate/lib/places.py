"""How many requests a web process works on at once, and with which connections.

A thread that waits for something else than the database (a run's answer) costs next to
nothing, a database connection costs the database a process. So the server may have
many threads, of which only as many are at work as there are places; each place has a
connection, which goes from thread to thread with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Application = Callable[..., Iterable[bytes]]

_mine = local()


class _Turn:
    """A thread that waits for a place; `given` is the place's connection."""

    def __init__(self) -> None:
        self._come = Lock()
        self._come.acquire()
        self._given: BaseDatabaseWrapper | None = None

    def give(self, wrapper: BaseDatabaseWrapper | None) -> None:
        self._given = wrapper
        self._come.release()

    def wait(self) -> BaseDatabaseWrapper | None:
        self._come.acquire()
        return self._given


class Places:
    """`count` places, given in the order in which threads ask for one.

    A place goes from hand to hand: who leaves gives it to whoever has waited longest.
    Where the one who leaves could take it again at once, as with a queue of the
    standard library, some events wait for seconds while the others pass.
    """

    def __init__(self, count: int) -> None:
        self._lock = Lock()
        # A connection is made when its place is first taken. The last that became free
        # is the first to be taken: the others' sessions rest.
        self._free: list[BaseDatabaseWrapper | None] = [None] * count
        self._waiting: deque[_Turn] = deque()

    def serve(self, application: Application) -> Application:
        """The WSGI application, each of its requests at work in a place."""

        def served(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            with self._taken():
                response = application(environ, start)
                if getattr(response, "streaming", False):
                    return response  # a file: it may take long, and needs no place
                try:
                    return [b"".join(response)]
                finally:
                    # Here, not in whichever thread sends it: what Django does at the
                    # end of a request is for the connection of this place.
                    getattr(response, "close", _nothing)()

        return served

    @contextmanager
    def _taken(self) -> Iterator[None]:
        self._enter()
        _mine.places = self
        try:
            yield
        finally:
            _mine.places = None
            self._leave()

    def _enter(self) -> None:
        wrapper = self._take()
        if wrapper is None:
            try:
                wrapper = connections.create_connection(DEFAULT_DB_ALIAS)
                wrapper.inc_thread_sharing()
            except BaseException:
                self._give(None)
                raise
        connections[DEFAULT_DB_ALIAS] = wrapper

    def _leave(self) -> None:
        wrapper = connections[DEFAULT_DB_ALIAS]
        del connections[DEFAULT_DB_ALIAS]
        self._give(wrapper)

    def _take(self) -> BaseDatabaseWrapper | None:
        with self._lock:
            if self._free:
                return self._free.pop()
            turn = _Turn()
            self._waiting.append(turn)
        return turn.wait()

    def _give(self, wrapper: BaseDatabaseWrapper | None) -> None:
        with self._lock:
            if not self._waiting:
                self._free.append(wrapper)
                return
            turn = self._waiting.popleft()
        turn.give(wrapper)


@contextmanager
def left() -> Iterator[None]:
    """While this request waits, another works in its place; outside of any: nothing.

    The database may not be used inside. Raises RuntimeError in a transaction.
    """
    places: Places | None = getattr(_mine, "places", None)
    if places is None:
        yield
        return
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise RuntimeError("A place cannot be left in the middle of a transaction.")
    places._leave()
    try:
        yield
    finally:
        places._enter()


def _nothing() -> None:
    """For a response without `close`."""

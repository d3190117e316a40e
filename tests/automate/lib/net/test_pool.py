"""Idle connections are bounded and never handed out dead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from urllib3.connection import HTTPConnection

from automate.lib.net import pool as pool_module
from automate.lib.net.pool import Connection, Origin, Pool

HERE: Origin = ("http", "h", 80)


class Maker:
    """Makes connections over socket pairs and keeps the far ends."""

    def __init__(self) -> None:
        self.far: list[socket.socket] = []

    def __call__(self, origin: Origin = HERE) -> Connection:
        near, far = socket.socketpair()
        self.far.append(far)
        http = HTTPConnection(origin[1])
        http.sock = near
        return Connection(http, near, origin)


@pytest.fixture
def make() -> Iterator[Maker]:
    maker = Maker()
    yield maker
    for far in maker.far:
        far.close()


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(4)
    yield pool
    pool.close()


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(pool_module, "monotonic", time)
    return time


def test_a_connection_comes_back_to_its_origin_only(pool: Pool, make: Maker) -> None:
    connection = make()
    pool.give(connection)

    assert pool.take(("https", "h", 80)) is None
    assert pool.take(("http", "h", 81)) is None
    assert pool.take(HERE) is connection
    assert pool.take(HERE) is None
    connection.close()


def test_the_connection_used_last_is_taken_first(pool: Pool, make: Maker) -> None:
    first, second = make(), make()
    pool.give(first)
    pool.give(second)

    assert pool.take(HERE) is second
    second.close()


def test_a_surplus_connection_is_closed(pool: Pool, make: Maker) -> None:
    connections = [make() for _ in range(6)]
    for connection in connections:
        pool.give(connection)

    assert pool.idle() == {HERE: 4}
    assert [each.sock.fileno() < 0 for each in connections] == [False] * 4 + [True] * 2


def test_a_connection_closed_by_the_peer_is_not_handed_out(
    pool: Pool, make: Maker
) -> None:
    alive, dead = make(), make()
    pool.give(alive)
    pool.give(dead)
    make.far[1].close()

    assert pool.take(HERE) is alive
    assert dead.sock.fileno() == -1
    alive.close()


def test_a_peer_that_spoke_unasked_is_not_trusted(pool: Pool, make: Maker) -> None:
    pool.give(make())
    make.far[0].send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    assert pool.take(HERE) is None


def test_a_connection_idle_for_too_long_is_not_handed_out(
    time: Time, make: Maker
) -> None:
    pool = Pool(4)
    connection = make()
    pool.give(connection)
    time.now += pool_module.LONGEST_IDLE + 1

    assert pool.take(HERE) is None
    assert connection.sock.fileno() == -1


def test_old_connections_of_other_origins_are_swept(time: Time, make: Maker) -> None:
    pool = Pool(4)
    old = make(("http", "old", 80))
    pool.give(old)
    time.now += 50
    young = make(("http", "young", 80))
    pool.give(young)
    time.now += 20
    pool.give(make())

    assert old.sock.fileno() == -1
    assert pool.idle() == {("http", "young", 80): 1, HERE: 1}
    pool.close()


def test_the_number_of_origins_is_bounded(pool: Pool, make: Maker) -> None:
    pool = Pool(50)
    connections = [make(("http", f"h{i}", 80)) for i in range(105)]
    for connection in connections:
        pool.give(connection)

    assert len(pool.idle()) == pool_module.MOST_ORIGINS
    assert ("http", "h4", 80) not in pool.idle()
    assert connections[0].sock.fileno() == -1
    pool.close()


def test_the_number_of_idle_connections_is_bounded(make: Maker) -> None:
    pool = Pool(1)
    for i in range(20):
        pool.give(make(("http", f"h{i}", 80)))

    assert sum(pool.idle().values()) == 8
    assert ("http", "h19", 80) in pool.idle()
    pool.close()


def test_a_closed_pool_keeps_nothing(pool: Pool, make: Maker) -> None:
    before, after = make(), make()
    pool.give(before)
    pool.close()
    pool.give(after)

    assert before.sock.fileno() == after.sock.fileno() == -1
    assert pool.idle() == {}


def test_no_connection_is_ever_held_by_two_threads(make: Maker) -> None:
    pool = Pool(8)
    for _ in range(8):
        pool.give(make())
    held: set[int] = set()
    clashes: list[int] = []

    def work() -> None:
        for _ in range(200):
            connection = pool.take(HERE)
            if connection is None:
                continue
            if id(connection) in held:
                clashes.append(1)
            held.add(id(connection))
            held.discard(id(connection))
            pool.give(connection)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not clashes
    assert pool.idle() == {HERE: 8}
    pool.close()

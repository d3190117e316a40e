"""Many threads and one client: pool, abort, close."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from ipaddress import ip_network
from time import monotonic

from automate.lib.net import Client, NetError, Policy
from tests.automate.lib.net.asking import failure, get
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    read_request,
    stall,
)


def test_a_pool_holds_no_more_than_its_size_and_never_blocks() -> None:
    together = threading.Barrier(8)

    def meet(sock: socket.socket, _: Server) -> None:
        while read_request(sock):
            together.wait(60)
            sock.sendall(answer())

    policy = Policy([ip_network("127.0.0.0/8")])
    with Server(meet) as server, closing(Client(policy, pool_size=3)) as client:
        threads = [
            threading.Thread(target=get, args=(client, server.url)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert server.connections == 8
        assert list(client._pool.idle().values()) == [3]


def test_32_threads_get_their_own_answers(client: Client) -> None:
    def echo(sock: socket.socket, _: Server) -> None:
        while request := read_request(sock):
            sock.sendall(answer(request.rpartition(b"\r\n\r\n")[2]))

    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(20):
            body = f"{number}/{turn}".encode()
            try:
                response = get(client, server.url, method="POST", body=body)
            except NetError as error:
                wrong.append(error)
                continue
            if response.body != body:
                wrong.append((body, response.body))

    with Server(echo) as server:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert wrong == []
        assert server.connections <= 32


def test_abort_frees_every_blocked_thread(client: Client) -> None:
    errors: list[NetError] = []
    with Server(stall) as server:
        threads = [
            threading.Thread(
                target=lambda: errors.append(failure(client, server.url, timeout=100))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        server.wait_for_requests(8)
        started = monotonic()
        client.abort()
        for thread in threads:
            thread.join(60)

        assert monotonic() - started < 30
    assert [(each.kind, each.sent) for each in errors] == [("reset", True)] * 8


def test_after_abort_nothing_is_sent(client: Client) -> None:
    with Server(always(answer())) as server:
        get(client, server.url)
        client.abort()
        error = failure(client, server.url)

        assert (error.kind, error.sent) == ("reset", False)
        assert len(server.requests) == 1


def test_abort_does_not_make_half_an_answer_a_whole_one(client: Client) -> None:
    def open_ended(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock))
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        server.done.wait(300)

    with Server(open_ended) as server:
        timer = threading.Timer(0.3, client.abort)
        timer.start()
        error = failure(client, server.url, timeout=100)
        timer.join()

    assert (error.kind, error.sent) == ("reset", True)


def test_close_drops_idle_connections_and_requests_still_work(
    client: Client,
) -> None:
    with Server(always(answer())) as server:
        get(client, server.url)
        client.close()
        server.wait_closed()

        assert get(client, server.url).status == 200
        assert client._pool.idle() == {}

"""What clients/python sends again, and what it does not: a server that fails."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from automate_client import Automate, Event, RateLimited, Unavailable, Unreachable

from tests.automate.lib.net.servers import Server, answer, read_request

Slept = list[float]
RUN = {"id": "r", "status": "queued", "completed_at": None}
LATER = answer(b"{}", "429 Too Many Requests", "Retry-After: 3")
AWAY = answer(
    json.dumps({"error": {"code": "UNAVAILABLE", "message": "Away.", "details": {}}})
    .encode(),
    "503 Service Unavailable",
    "Retry-After: 5",
)  # fmt: skip
GOOD = answer(json.dumps({**RUN, "run_id": "r"}).encode())
LOST = b""


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Slept:
    """How long the client slept; it does not."""
    found: Slept = []
    for module in ("transport", "events"):
        monkeypatch.setattr(f"automate_client.{module}.sleep", found.append)
    return found


def saying(*answers: bytes) -> Server:
    """Gives these answers in turn; nothing is a lost connection."""
    left = list(answers)

    def handle(sock: socket.socket, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            said = left.pop(0)
            if not said:
                return
            sock.sendall(said)

    return Server(handle)


def header(request: bytes, name: str) -> str:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    found = {one.partition(": ")[0].lower(): one.partition(": ")[2] for one in lines}
    return found.get(name, "")


def test_a_start_is_repeated_under_one_key(slept: Slept) -> None:
    with saying(AWAY, LOST, LATER, GOOD) as server:
        assert Automate(server.url, "k").trigger("a", {"n": 1}) == "r"

    keys = {header(request, "idempotency-key") for request in server.requests}
    assert len(server.requests) == 4
    assert len(keys) == 1
    assert keys != {""}
    assert len({request.partition(b"\r\n\r\n")[2] for request in server.requests}) == 1
    assert slept[0] == 5.0
    assert 0 < slept[1] <= 8
    assert slept[2] == 3.0


def test_each_call_has_a_key_of_its_own(slept: Slept) -> None:
    with saying(GOOD, GOOD) as server:
        client = Automate(server.url, "k")
        client.trigger("a")
        client.trigger("a")
    assert len({header(one, "idempotency-key") for one in server.requests}) == 2


@pytest.mark.parametrize(("said", "kind"), [(AWAY, Unavailable), (LOST, Unreachable)])
def test_what_may_have_been_done_is_not_repeated(
    said: bytes, kind: type[Exception], slept: Slept
) -> None:
    calls: list[Callable[[Automate], object]] = [
        lambda client: client.redrive("r"),
        lambda client: client.approve("r", "ask"),
        lambda client: client.create_workflow({}),
        lambda client: client.put_workflow("a", {}, etag='"1"'),
    ]
    for call in calls:
        with saying(said) as server, pytest.raises(kind):
            call(Automate(server.url, "k"))
        assert len(server.requests) == 1
    assert slept == []


def test_after_a_429_everything_is_sent_again(slept: Slept) -> None:
    with saying(LATER, GOOD) as server:
        assert Automate(server.url, "k").redrive("r") == "r"
    assert slept == [3.0]


def test_it_gives_up_in_the_end(slept: Slept) -> None:
    with saying(*[LATER] * 3) as server, pytest.raises(RateLimited) as refused:
        Automate(server.url, "k", tries=3).run("r")
    assert refused.value.retry_after == 3.0
    assert len(slept) == 2


def test_who_is_to_come_back_much_later_is_told_at_once(slept: Slept) -> None:
    late = LATER.replace(b"Retry-After: 3", b"Retry-After: 3600")
    with saying(late) as server, pytest.raises(RateLimited):
        Automate(server.url, "k").run("r")
    assert slept == []


def test_the_key_goes_nowhere_else(
    slept: Slept, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    elsewhere = answer(b"", "302 Found", "Location: http://127.0.0.1:9/")
    with saying(elsewhere) as server, pytest.raises(Exception, match="302"):
        Automate(server.url, "k-1").run("r")
    assert header(server.requests[0], "authorization") == "Bearer k-1"


def test_what_is_no_json_is_no_answer(slept: Slept) -> None:
    with saying(answer(b"<html>")) as server, pytest.raises(Unreachable, match="JSON"):
        Automate(server.url, "k").run("r")


def stream(*events: str) -> bytes:
    """A stream that breaks off after these events."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close"]
    head = "\r\n".join([*lines, "", ""])
    return (head + "".join(f"{event}\n\n" for event in events)).encode()


def test_a_stream_goes_on_where_it_broke(slept: Slept) -> None:
    first = stream(
        'event: run\ndata: {"a": "\u2028"}', ": beat", "id: 7\nevent: log\ndata: {}"
    )
    last = stream("id: 8\nevent: end\ndata: {}")
    # Each connection takes one request, and says so: a client that kept it would lose
    # its next one on it.
    away = AWAY.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def handle(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock))
        links = {"links": {"events": f"{server.url}/e"}}
        found = answer(json.dumps(links).encode(), "200 OK", "Connection: close")
        said = [found, first, away, last]
        sock.sendall(said[len(server.requests) - 1])

    with Server(handle) as server:
        told = list(Automate(server.url, "k").events("r"))
    assert told == [
        Event("run", {"a": "\u2028"}, ""),
        Event("log", {}, "7"),
        Event("end", {}, "8"),
    ]
    ids = [header(request, "last-event-id") for request in server.requests]
    assert ids == ["", "", "7", "7"]
    assert slept == [1.0, 5.0]


def test_a_stream_that_never_comes_is_given_up(slept: Slept) -> None:
    with saying(*[answer(b'{"links": {"events": "http://127.0.0.1:9/"}}')]) as server:
        events = Automate(server.url, "k", tries=3).events("r")
        with pytest.raises(Unreachable):
            next(events)
    assert slept == [1.0, 1.0, 1.0]

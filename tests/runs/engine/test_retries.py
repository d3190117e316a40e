"""Receivers that misbehave: each try is kept with its cause, and the rule followed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from runs.models import DeliveryAttempt, Job, Run
from runs.states import RunStatus
from tests.automate.lib.net.servers import (
    Handler,
    Server,
    always,
    answer,
    read_request,
    stall,
)
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    NO_WAIT,
    again,
    attempts,
    call,
    given,
    make_due,
    publish,
    started,
    step,
    steps,
)

pytestmark = pytest.mark.usefixtures("engine")

TWICE = {**NO_WAIT, "max_attempts": 2}
LATER = {"max_attempts": 3, "initial": 60, "jitter": 0}


def reset(sock: socket.socket, server: Server) -> None:
    """Take the request and reset the connection."""
    server.requests.append(read_request(sock))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def drip(sock: socket.socket, server: Server) -> None:
    """Never silent for long, and never done."""
    server.requests.append(read_request(sock))
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not server.done.wait(0.05):
        sock.sendall(b".")


def huge(sock: socket.socket, server: Server) -> None:
    """50 MB."""
    server.requests.append(read_request(sock))
    size = 50 * 1024 * 1024
    sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    block = b"x" * 65_536
    for _ in range(size // len(block)):
        sock.sendall(block)


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Server]]:
    """A receiver of this kind."""
    servers = []

    def make(handler: Handler) -> Server:
        servers.append(Server(handler))
        return servers[-1]

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def first_try(hand: Hand, url: str, **more: Any) -> tuple[Run, DeliveryAttempt]:
    """The run after one attempt at its only step."""
    more = {"retry": LATER, **more}
    run = started(publish(call("a", url, **more)))
    hand.claim()
    hand.record()
    return again(run), attempts(run)[0]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("500 Broken", "rejected"),
        ("503 Busy", "rejected"),
        ("429 Slow down", "rejected"),
        ("408 Late", "rejected"),
        ("502 Bad gateway", "unknown"),
        ("504 Gateway time-out", "unknown"),
    ],
)
def test_an_answer_that_may_change_is_tried_again(
    hand: Hand, serve: Callable[[Handler], Server], status: str, outcome: str
) -> None:
    server = serve(always(answer(b"sorry", status)))
    before = timezone.now()

    run, attempt = first_try(hand, server.url)

    assert run.status == RunStatus.RUNNING
    assert steps(run) == {"a": "waiting"}
    assert (attempt.outcome, attempt.response_body) == (outcome, "sorry")
    assert attempt.response_status == int(status[:3])
    assert attempt.next_due_at == step(run, "a").due_at
    due = attempt.next_due_at
    assert due is not None
    assert timedelta(seconds=59) < due - before < timedelta(seconds=90)
    job = Job.objects.get(run=run)
    assert (job.lease_token, job.due_at) == (None, due)
    assert step(run, "a").error_class == f"Http{status[:3]}"


@pytest.mark.parametrize("status", ["400 No", "401 Who", "404 Where", "410 Gone"])
def test_an_answer_that_will_not_change_fails_at_once(
    hand: Hand, serve: Callable[[Handler], Server], status: str
) -> None:
    run, attempt = first_try(hand, serve(always(answer(b"", status))).url)

    assert (run.status, run.error_class) == (RunStatus.FAILED, f"Http{status[:3]}")
    assert (attempt.outcome, attempt.next_due_at) == ("rejected", None)
    assert f"Step a: the receiver answered {status[:3]}" in run.error_message


@pytest.mark.parametrize(
    ("asked", "seconds"), [("90", 90), ("5", 60), ("86400", 600), ("soon", 60)]
)
def test_retry_after_is_a_lower_bound_with_a_cap(
    hand: Hand, serve: Callable[[Handler], Server], asked: str, seconds: int
) -> None:
    refusal = answer(b"", "429 Slow down", f"Retry-After: {asked}")
    before = timezone.now()

    _, attempt = first_try(hand, serve(always(refusal)).url)

    assert attempt.next_due_at is not None
    waits = (attempt.next_due_at - before).total_seconds()
    assert seconds - 0.5 <= waits < seconds + 25


@pytest.mark.parametrize(
    ("handler", "kind", "timeout"),
    [
        (reset, "reset", 60),
        (always(close=True), "reset", 60),
        (drip, "timeout", 1),
        (stall, "timeout", 1),
        (always(b"nonsense\r\n\r\n", close=True), "protocol", 60),
    ],
    ids=["reset", "closed", "drip", "slow", "nonsense"],
)
def test_no_full_answer_is_an_unknown_outcome(
    hand: Hand,
    serve: Callable[[Handler], Server],
    handler: Handler,
    kind: str,
    timeout: float,
) -> None:
    began = time.monotonic()

    run, attempt = first_try(hand, serve(handler).url, timeout=timeout)

    assert (attempt.outcome, attempt.error_kind) == ("unknown", kind)
    assert attempt.response_status is None
    assert attempt.error_message
    assert time.monotonic() - began < 20
    retried = kind != "protocol"
    assert (attempt.next_due_at is not None) == retried
    assert run.status == (RunStatus.RUNNING if retried else RunStatus.FAILED)


def test_a_receiver_that_is_down_was_sent_nothing(hand: Hand) -> None:
    run, attempt = first_try(hand, "http://127.0.0.1:1/")

    assert (attempt.outcome, attempt.error_kind) == ("not_sent", "connect")
    assert attempt.next_due_at is not None
    assert run.status == RunStatus.RUNNING


def test_an_address_that_may_not_be_called_names_the_setting(
    hand: Hand, engine: Settings
) -> None:
    run, attempt = first_try(hand, "http://10.1.2.3/")

    assert (attempt.outcome, attempt.error_kind) == ("not_sent", "blocked")
    assert attempt.next_due_at is None
    assert run.status == RunStatus.FAILED
    assert "AUTOMATE_ALLOWED_NETWORKS" in run.error_message


def test_a_redirect_to_a_private_address_is_not_followed(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    inward = answer(b"", "302 Found", "Location: http://169.254.169.254/latest")
    url = serve(always(inward)).url

    run, attempt = first_try(hand, url, config={"max_redirects": 3})

    assert attempt.error_kind == "blocked"
    assert run.status == RunStatus.FAILED
    assert "169.254.169.254" in attempt.error_message


def test_a_redirect_is_not_followed_unless_asked_to(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    away = answer(b"", "302 Found", "Location: http://127.0.0.1:1/")

    run, attempt = first_try(hand, serve(always(away)).url)

    assert (attempt.outcome, attempt.response_status) == ("rejected", 302)
    assert "max_redirects" in run.error_message


def test_fifty_megabytes_are_cut_and_not_asked_for_again(
    hand: Hand, serve: Callable[[Handler], Server], engine: Settings
) -> None:
    """The receiver has accepted it: a second request would be a second effect."""
    engine.MAX_RESPONSE = 100_000

    run, attempt = first_try(hand, serve(huge).url)

    assert (attempt.outcome, attempt.response_truncated) == ("delivered", True)
    assert len(attempt.response_body) <= 100_000
    assert (run.status, run.error_class) == (RunStatus.FAILED, "ResponseTooLarge")


def test_used_up_tries_are_a_dead_letter(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    """Shown to fail when `exhausted` is not set."""
    server = serve(always(answer(b"no", "500 Broken")))
    flow = publish(call("a", server.url, retry=TWICE), given("z"))
    run = started(flow)
    hand.claim()
    hand.finish()

    ended = again(run)
    assert (ended.status, ended.error_class) == (RunStatus.DEAD_LETTER, "Http500")
    assert steps(run) == {"a": "failed", "z": "skipped"}
    log = ended.logs.get()
    said = f"Failed, and its retries are used up: {ended.error_message}"
    assert (log.level, log.message) == ("error", said)
    assert step(run, "a").exhausted
    assert step(run, "a").output["body"] == "no"
    assert [row.number for row in attempts(run)] == [1, 2]
    assert attempts(run)[1].next_due_at is None


def test_a_success_after_failures_shows_no_error(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    """Shown to fail when the errors of earlier attempts stay on the step."""

    def second_time(sock: socket.socket, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            status = "503 Busy" if len(server.requests) == 1 else "200 OK"
            sock.sendall(answer(b"", status))

    run, _ = first_try(hand, serve(second_time).url)
    assert step(run, "a").error_class == "Http503"
    make_due(run)
    hand.claim()
    hand.finish()

    row = step(run, "a")
    assert (row.status, row.attempt) == ("succeeded", 2)
    assert (row.error_class, row.error_message) == ("", "")


def test_on_unknown_fail_sends_once(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    """Shown to fail without the rule in `_retry`."""
    server = serve(always(close=True))

    run, attempt = first_try(hand, server.url, on_unknown="fail")

    assert (attempt.outcome, attempt.next_due_at) == ("unknown", None)
    assert run.status == RunStatus.FAILED
    assert len(server.requests) == 1


def test_on_unknown_fail_still_retries_what_was_answered(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    run, attempt = first_try(
        hand, serve(always(answer(b"", "503 Busy"))).url, on_unknown="fail"
    )
    assert attempt.next_due_at is not None
    assert run.status == RunStatus.RUNNING


def test_retry_on_changes_what_is_retried(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    server = serve(always(answer(b"", "404 Not yet")))

    run, attempt = first_try(hand, server.url, retry={**LATER, "retry_on": [404]})

    assert attempt.next_due_at is not None
    assert run.status == RunStatus.RUNNING


def test_on_error_continue_goes_on_after_the_last_try(
    serve: Callable[[Handler], Server],
) -> None:
    server = serve(always(answer(b"no", "500 Broken")))
    nodes = [
        call("a", server.url, retry=TWICE, on_error="continue"),
        given("z", status="{{ steps.a.status }}"),
    ]
    run = started(publish(*nodes))
    drained()

    assert again(run).status == RunStatus.SUCCEEDED
    assert steps(run) == {"a": "failed", "z": "succeeded"}
    assert step(run, "z").output == {"status": 500}


def test_equal_failures_have_equal_fingerprints(
    hand: Hand, serve: Callable[[Handler], Server]
) -> None:
    prints = set()
    for _ in range(2):
        run, _attempt = first_try(hand, serve(always(answer(b"", "404 Gone"))).url)
        prints.add(run.error_fingerprint)
    other, _attempt = first_try(hand, "http://10.1.2.3/")

    assert len(prints) == 1
    assert "" not in prints
    assert other.error_fingerprint not in prints


class TestHistory:
    """What people read is redacted; what the engine needs is exact."""

    def test_a_secret_is_sent_and_never_shown(
        self, hand: Hand, receiver: Server
    ) -> None:
        from workflows.models import Secret

        Secret.objects.create(name="TOKEN", value="canary-4711")
        headers = {"Authorization": "Bearer {{ secrets.TOKEN }}"}
        config = {"headers": headers, "body": {"t": "{{ secrets.TOKEN }}"}}
        run, attempt = first_try(hand, receiver.url, config=config)

        assert b"Bearer canary-4711" in receiver.requests[0]
        assert run.status == RunStatus.SUCCEEDED
        shown = repr([attempt.__dict__, step(run, "a").input])
        assert "canary" not in shown

    def test_the_request_and_the_answer_are_there(
        self, hand: Hand, receiver: Server
    ) -> None:
        run, attempt = first_try(hand, receiver.url)

        assert (attempt.method, attempt.response_status) == ("POST", 200)
        assert attempt.url.startswith(receiver.url)
        assert attempt.request_body.replace(" ", "") == '{"step":"a"}'
        assert attempt.response_body.replace(" ", "") == '{"ok":true}'
        assert attempt.duration_ms is not None
        assert step(run, "a").output["body"] == {"ok": True}

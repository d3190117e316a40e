"""A step's requests travel as its connection says, and carry its event's trace."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Run
from tests.automate.lib.net.pki import Authority
from tests.automate.lib.net.servers import Server, always, answer, proxying
from tests.runs.drains import Hand, drained
from tests.runs.flows import again, call, calling, publish, started
from tests.webhooks.makers import make_trigger, post
from workflows.models import Connection

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def sent(hand: Hand, url: str, **fields: Any) -> Run:
    """A run, at its end, whose step called `url` through such a connection."""
    Connection.objects.create(name="crm", allowed_hosts=["127.0.0.1"], **fields)
    run = started(publish(call("a", url, config={"connection": "crm"})))
    hand.claim()
    hand.finish()
    return again(run)


def test_a_step_goes_through_its_connection_s_proxy(hand: Hand) -> None:
    with (
        Server(always(answer())) as receiver,
        Server(proxying("Basic dXM6cHc=")) as proxy,
    ):
        run = sent(
            hand,
            receiver.url,
            kind="bearer",
            proxy=f"http://us@127.0.0.1:{proxy.port}",
            credentials={"token": "t0ken-5512", "proxy_password": "pw"},
        )
        assert run.status == "succeeded", run.error_message
        [request] = proxy.requests
        assert request.startswith(f"POST {receiver.url}".encode())
        assert len(receiver.requests) == 1


def test_a_step_shows_its_connection_s_certificate(
    hand: Hand, authority: Authority
) -> None:
    issued = authority.issue("us")
    with Server(always(answer()), authority.server(asks=authority)) as receiver:
        run = sent(
            hand,
            receiver.url,
            kind="mtls",
            authorities=authority.certificate,
            credentials={
                "certificate": issued.certificate,
                "private_key": issued.private_key,
            },
        )
        assert run.status == "succeeded", run.error_message
        assert len(receiver.requests) == 1


def test_an_event_s_trace_reaches_the_receivers_of_its_run_and_of_children() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with Server(always(answer())) as receiver:
        inner = publish(call("below", f"{receiver.url}/below"))
        outer = publish(call("a", f"{receiver.url}/a"), calling("child", inner.slug))
        reply = post(make_trigger(workflow=outer), {"n": 1}, traceparent=trace)
        assert reply.status_code == 202
        drained()
        paths = [request.split(b" ")[1] for request in receiver.requests]
        assert paths == [b"/a", b"/below"]
        for request in receiver.requests:
            assert f"traceparent: {trace}".encode() in request

"""What senders name a secret is hidden wherever templates take it, and sent exactly."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.redaction import redactor_for
from runs.services import redrive
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    again,
    call,
    calling,
    children,
    edge,
    given,
    loop,
    node,
    publish,
    started,
    step,
)
from tests.runs.test_canary import everything_shown, everything_stored
from tests.runs.waiting import DATA, answered, hook, waiting

pytestmark = pytest.mark.usefixtures("engine")

CANARY = 'cAn4ry/+"q&x=7Zk2'
ANSWER = replace(DATA, body=json.dumps({"password": CANARY}).encode())
FORMS = {
    CANARY,
    json.dumps(CANARY)[1:-1],
    quote(CANARY, safe=""),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
    CANARY.encode().hex(),
}


class Echo:
    """Says back what it was sent; refuses the first `refusals` requests."""

    def __init__(self) -> None:
        self.refusals = 0
        self.bodies: list[Any] = []

    def __call__(self, sock: socket.socket, _server: Server) -> None:
        while request := read_request(sock):
            body = request.partition(b"\r\n\r\n")[2]
            self.bodies.append(json.loads(body))
            status = "503 Busy" if len(self.bodies) <= self.refusals else "200 OK"
            said = json.dumps({"said": body.decode(), "hex": body.hex()}).encode()
            sock.sendall(answer(said, status, "Content-Type: application/json"))


@pytest.fixture
def echo() -> Iterator[tuple[str, Echo]]:
    handler = Echo()
    with Server(handler) as server:
        yield server.url, handler


def sends(url: str, source: str, key: str = "send") -> dict[str, Any]:
    """Sends a value under a name that says nothing, and logs it."""
    return call(key, url, config={"body": {"x": f"{{{{ {source} }}}}"}})


def tells(source: str, key: str = "tell") -> dict[str, Any]:
    config = {
        "message": f"it is {{{{ {source} }}}}",
        "data": {"d": f"{{{{ {source} }}}}"},
    }
    return node(key, "log", config)


def leaks() -> list[str]:
    """The forms of the canary in all that is stored for people to read."""
    names = ("url", "request_headers", "request_body", "response_headers",
             "response_body", "error_message")  # fmt: skip
    rows: list[Any] = [
        *StepRun.objects.values_list("input", "error_message"),
        *DeliveryAttempt.objects.values_list(*names),
        *RunLog.objects.values_list("message", "metadata"),
        *Run.objects.values_list("error_message", "error_class"),
    ]
    assert rows
    text = f"{rows!r} {json.dumps([list(row) for row in rows])}"
    return sorted(form for form in FORMS if form in text)


def ended(run: Run) -> Run:
    drained()
    found = again(run)
    assert found.status == "succeeded", found.error_message
    return found


# --- through a template, a child run, a loop, a retry, a redrive ----------------------


def test_of_a_called_run_its_input_under_another_name(echo: tuple[str, Echo]) -> None:
    """Shown to fail when a child run knows only what its own event names so."""
    url, receiver = echo
    inner = publish(sends(url, "trigger.payload.v"), tells("trigger.payload.v"))
    flow = publish(calling("call", inner.slug, {"v": "{{ trigger.payload.password }}"}))
    run = ended(started(flow, {"password": CANARY}))
    (child,) = children(run)

    assert receiver.bodies == [{"x": CANARY}]
    assert leaks() == []
    shown = [*everything_stored(), *everything_shown(run, child)]
    leaky = [place for place, text in shown if any(form in text for form in FORMS)]
    assert leaky == []
    assert len(shown) > 40


def test_of_all_runs_below_whatever_they_call_it(echo: tuple[str, Echo]) -> None:
    url, receiver = echo
    receiver.refusals = 1
    items = ["{{ trigger.payload.v }}", "{{ trigger.payload.w[0] }}"]
    inner = publish(loop("each", items, sends(url, "item"), tells("item")))
    outer = publish(
        given("set", v="{{ trigger.payload.card.cvv }}"),
        calling(
            "call", inner.slug, {"v": "{{ steps.set.v }}", "w": ["{{ steps.set.v }}"]}
        ),
    )
    ended(started(outer, {"card": {"cvv": CANARY}}))

    assert receiver.bodies == [{"x": CANARY}] * 3  # one of them was refused at first
    assert leaks() == []


def test_of_a_redrive_of_all_and_of_the_child_alone(echo: tuple[str, Echo]) -> None:
    url, receiver = echo
    inner = publish(sends(url, "trigger.payload.v"), tells("trigger.payload.v"))
    flow = publish(calling("call", inner.slug, {"v": "{{ trigger.payload.password }}"}))
    run = ended(started(flow, {"password": CANARY}))
    (child,) = children(run)
    ended(redrive(child, by=None))
    ended(redrive(run, by=None))

    assert receiver.bodies == [{"x": CANARY}] * 3
    assert leaks() == []


def test_a_child_hides_it_when_another_process_goes_on_with_it(
    hand: Hand, echo: tuple[str, Echo]
) -> None:
    url, receiver = echo
    inner = publish(hook(), sends(url, "trigger.payload.v"))
    flow = publish(calling("call", inner.slug, {"v": "{{ trigger.payload.password }}"}))
    run = waiting(hand, flow, {"password": CANARY})
    hand.claim()
    hand.finish()
    (child,) = children(run)
    answered(child, DATA, "hook")
    ended(run)

    assert receiver.bodies == [{"x": CANARY}]
    assert leaks() == []


def test_a_run_that_was_given_nothing_secret_writes_nothing_for_its_children(
    hand: Hand,
) -> None:
    inner = publish(given("one", n=1))
    waiting(
        hand, publish(calling("call", inner.slug, {"a": 1})), {"order": "long text"}
    )
    with CaptureQueriesContext(connection) as queries:
        hand.claim()
        hand.finish()
    assert not [query for query in queries if '"hidden" =' in query["sql"]]
    assert not Run.objects.exclude(hidden=None).exists()


# --- in whatever form it was named ----------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "source"),
    [
        ([{"name": "Authorization", "value": CANARY}], "trigger.payload[0].value"),
        ([{"key": "X-Api-Key", "value": CANARY}], "trigger.payload[0].value"),
        ({"raw": json.dumps({"token": CANARY})},
         "(trigger.payload.raw | from_json).token"),
        ({"form": f"a=1&password={quote(CANARY, safe='')}", "v": CANARY},
         "trigger.payload.v"),
        ({"url": f"https://us:{quote(CANARY, safe='')}@x.example/", "v": CANARY},
         "trigger.payload.v"),
    ],
)  # fmt: skip
def test_of_pairs_and_of_texts_within_texts(
    echo: tuple[str, Echo], payload: Any, source: str
) -> None:
    """Shown to fail where only the keys of the event's own objects are asked."""
    url, receiver = echo
    ended(started(publish(sends(url, source), tells(source)), payload))

    assert receiver.bodies == [{"x": CANARY}]
    assert leaks() == []


def test_of_variables_that_came_with_the_run(echo: tuple[str, Echo]) -> None:
    url, receiver = echo
    inner = publish(sends(url, "variables.token"), variables={"token": ""})
    config = {"variables": {"token": "{{ trigger.payload.v.password }}"}}
    flow = publish(calling("call", inner.slug, config=config))
    ended(started(flow, {"v": {"password": CANARY}}))

    assert receiver.bodies == [{"x": CANARY}]
    assert leaks() == []


# --- from others than the sender ------------------------------------------------------


def test_of_an_answer_that_comes_while_the_run_is_in_hand(
    hand: Hand, echo: tuple[str, Echo]
) -> None:
    """Another branch keeps the lease: nothing is loaded anew but the steps."""
    url, _receiver = echo
    flow = publish(
        hook(), call("slow", url), sends(url, "steps.hook.payload.password"),
        connections=[edge("hook", "send", "received")],
    )  # fmt: skip
    run = started(flow)
    hand.claim()
    hand.record(hand.perform("hook"))
    answered(run, ANSWER, "hook")
    hand.record()
    hand.finish()

    assert step(run, "send").status == "succeeded"
    assert leaks() == []


def test_of_an_answer_that_was_there_before_its_step_waited(
    hand: Hand, echo: tuple[str, Echo]
) -> None:
    url, _receiver = echo
    flow = publish(
        hook(), sends(url, "steps.hook.payload.password"),
        connections=[edge("hook", "send", "received")],
    )  # fmt: skip
    run = started(flow)
    answered(run, ANSWER, "hook")
    hand.claim()
    hand.finish()

    assert step(run, "send").status == "succeeded"
    assert leaks() == []


def test_of_what_a_receiver_gave(echo: tuple[str, Echo]) -> None:
    """A token that one step fetches and the next one sends, each in its own words."""
    url, receiver = echo
    said = json.dumps({"access_token": CANARY}).encode()

    def login(sock: socket.socket, _server: Server) -> None:
        while read_request(sock):
            sock.sendall(answer(said, "200 OK", "Content-Type: application/json"))

    with Server(login) as server:
        flow = publish(
            call("login", server.url),
            sends(url, "steps.login.body.access_token"),
            tells("steps.login.body.access_token"),
        )
        ended(started(flow))

    assert receiver.bodies == [{"x": CANARY}]
    assert leaks() == []


def test_readers_of_a_run_that_waited_know_what_it_was_told(hand: Hand) -> None:
    """Shown to fail when pages know only what the event named so."""
    run = waiting(hand, publish(hook(), given("use", v=1)))
    said = f"it says {CANARY}"
    assert redactor_for(run).text(said) == said
    answered(run, ANSWER, "hook")

    assert redactor_for(again(run)).text(said) == "it says [redacted]"

"""`response_mode: wait`: what a sender gets that waits for the run's answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from automate.lib.ids import uuid7
from runs.models import Job, Run
from runs.services.answer import Answer as RunAnswer
from runs.services.waiting import WaitingRoom
from runs.states import RunStatus
from tests.runs.drains import draining, in_thread, until
from tests.runs.flows import given, node, publish
from tests.waiting_rooms import waiting_room
from tests.webhooks.makers import PUSH, code_of, make_trigger, post, send, told
from webhooks.models import InboundEvent
from webhooks.waiting import of_run
from workflows.models import Trigger

WAIT = {"response_mode": "wait"}


def answer(**said: Any) -> Any:
    """The HTTP answer for what a step said."""
    found = RunAnswer(uuid7(), RunStatus.RUNNING, {"status": 200, **said})
    return of_run(found)


class TestWhatAStepSaid:
    @pytest.mark.parametrize(
        ("body", "content", "kind"),
        [
            ({"a": [1, "ü"]}, '{"a":[1,"ü"]}', "application/json"),
            ([], "[]", "application/json"),
            (0, "0", "application/json"),
            (False, "false", "application/json"),
            ("plain ü", "plain ü", "text/plain; charset=utf-8"),
            ("", "", "text/plain; charset=utf-8"),
            (None, "", ""),
        ],
    )
    def test_its_body_is_json_or_text(self, body: Any, content: str, kind: str) -> None:
        found = answer(body=body)
        assert (found.body.decode(), found.content_type) == (content, kind)

    def test_its_status_and_headers_are_taken_over(self) -> None:
        found = answer(
            status=418, headers={"X-Tea": "green", "content-TYPE": "a/b"}, body="x"
        )
        assert (found.status, found.content_type) == (418, "a/b")
        assert found.headers["x-tea"] == "green"

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_content_has_none(self, status: int) -> None:
        assert answer(status=status, body="x").body == b""

    @pytest.mark.parametrize(
        "name",
        [
            "Set-Cookie", "content-length", "Transfer-Encoding", "Connection",
            "Strict-Transport-Security", "Clear-Site-Data", "Service-Worker-Allowed",
        ],
    )  # fmt: skip
    def test_headers_of_the_server_or_of_the_whole_site_are_left_out_and_logged(
        self, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            found = answer(headers={name: "x", "X-Kept": "y"})
        assert name.lower() not in {key.lower() for key in found.headers}
        assert found.headers["x-kept"] == "y"
        assert f"header {name} is not sent" in caplog.text

    @pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\x00", "€"])
    def test_a_value_that_would_become_another_header_is_left_out(
        self, value: str
    ) -> None:
        assert "x-a" not in answer(headers={"X-A": value}).headers

    def test_a_browser_runs_nothing_in_it(self) -> None:
        """It comes from the site of the admin, and quotes what a stranger sent."""
        policy = "Content-Security-Policy"
        page = answer(headers={"Content-Type": "text/html"}, body="<script></script>")
        assert page.headers[policy] == "sandbox"
        own = answer(headers={"content-security-policy": "img-src 'none'"})
        assert own.headers[policy] == "img-src 'none', sandbox"

    def test_what_utf_8_cannot_hold_is_replaced(self) -> None:
        assert answer(body="\ud800").body == b"?"
        assert answer(body={"a": "\ud800"}).body == '{"a":"\ufffd"}'.encode()


class TestHowARunEnded:
    def test_success_gives_the_output(self) -> None:
        found = RunAnswer(uuid7(), RunStatus.SUCCEEDED, None, {"n": 1})
        made = of_run(found)
        assert made.status == 200
        assert made.headers["Location"] == f"/api/v1/runs/{found.run_id}"
        assert made.body.decode() == (
            f'{{"run_id":"{found.run_id}","status":"succeeded","output":{{"n":1}}}}'
        )

    @pytest.mark.parametrize("status", ["failed", "dead_letter", "cancelled"])
    def test_a_bad_end_is_a_500_that_names_the_run_and_tells_no_reason(
        self, status: str
    ) -> None:
        found = RunAnswer(uuid7(), RunStatus(status))
        made = of_run(found)
        assert made.status == 500
        assert b'"RUN_FAILED"' in made.body
        assert f"run {found.run_id} ended as {status}" in made.body.decode()
        assert made.headers["Location"] == f"/api/v1/runs/{found.run_id}"

    def test_what_a_step_said_before_the_bad_end_counts(self) -> None:
        said = {"status": 202, "headers": {}, "body": "taken"}
        assert of_run(RunAnswer(uuid7(), RunStatus.FAILED, said)).status == 202


# --- with drains -------------------------------------------------------------------


@pytest.fixture
def room(settings: Settings, transactional_db: None) -> Iterator[WaitingRoom]:
    settings.POLL = 0.02
    settings.GRACE = 3.0
    with waiting_room() as found:
        yield found


def responding(*nodes: dict[str, Any], **config: Any) -> Trigger:
    """A trigger whose sender waits for a step that echoes its event."""
    echo = {"status": 201, "headers": {"X-Echo": "1"}, "body": "{{ trigger.payload }}"}
    workflow = publish(*nodes, node("answer", "respond", echo))
    return make_trigger({**WAIT, **config}, workflow)


class Posting:
    """A post in a thread."""

    def __init__(self, *args: Any, **headers: Any) -> None:
        self.answer: HttpResponse | None = None

        def work() -> None:
            self.answer = post(*args, client=Client(), **headers)

        self.thread = in_thread(work)

    def result(self) -> Any:
        self.thread.join(150)
        assert self.answer is not None
        return self.answer


def test_a_sender_that_waits_gets_what_the_run_responds(room: WaitingRoom) -> None:
    with draining():
        found = post(responding(), {"n": 7})
    assert (found.status_code, told(found)) == (201, {"n": 7})
    assert found["X-Echo"] == "1"
    assert found["Content-Type"] == "application/json"
    assert found["Content-Length"] == "7"
    assert found["X-Content-Type-Options"] == "nosniff"


def test_a_status_without_content_goes_out_bare(room: WaitingRoom) -> None:
    workflow = publish(node("answer", "respond", {"status": 204}))
    with draining():
        found = post(make_trigger(WAIT, workflow))
    assert (found.status_code, found.content) == (204, b"")
    assert "Content-Type" not in found
    assert "Content-Length" not in found


def test_a_signed_event_waits_too(room: WaitingRoom) -> None:
    with draining():
        assert send(responding(scheme="github")).status_code == 201


def test_without_a_respond_step_the_end_is_the_answer(room: WaitingRoom) -> None:
    workflow = publish(given("a", n=1), output="{{ steps.a }}")
    with draining():
        found = post(make_trigger(WAIT, workflow))
    run = Run.objects.get()
    assert told(found) == {
        "run_id": str(run.pk),
        "status": "succeeded",
        "output": {"n": 1},
    }


def test_a_run_that_fails_is_told_and_its_reason_is_not(room: WaitingRoom) -> None:
    bad = given("a", n="{{ trigger.payload.missing_thing }}")
    with draining():
        found = post(make_trigger(WAIT, publish(bad)))
    assert (found.status_code, code_of(found)) == (500, "RUN_FAILED")
    assert "missing_thing" not in found.content.decode()
    assert Run.objects.get().status == "failed"


def test_what_takes_longer_is_a_202_and_goes_on(room: WaitingRoom) -> None:
    trigger = responding(response_timeout=0.2)
    found = post(trigger)
    run = Run.objects.get()
    assert found.status_code == 202
    assert told(found) == {
        "run_id": str(run.pk),
        "status": "queued",
        "duplicate": False,
        "detail": "No answer came within 0.2 s; the run goes on.",
    }
    assert found["Location"] == f"/api/v1/runs/{run.pk}"
    assert found["Retry-After"] == "2"
    assert Job.objects.filter(run=run).exists()


def test_a_run_under_way_is_told_as_such(room: WaitingRoom) -> None:
    trigger = responding(node("p", "delay", {"duration": 300}), response_timeout=5)
    with draining():
        assert told(post(trigger))["status"] == "running"


def test_with_every_seat_taken_the_rest_is_answered_at_once(
    room: WaitingRoom,
) -> None:
    """ENGINE: at most half of the server's threads may wait."""
    room.capacity = 2
    trigger = responding()
    waiting = [Posting(trigger, {"n": number}) for number in range(2)]
    until(lambda: room._count == 2)
    found = post(trigger, {"n": 2})
    assert found.status_code == 202
    assert "Too many requests wait" in told(found)["detail"]
    assert not Job.objects.get(run=told(found)["run_id"]).wants_answer
    with draining():
        assert {told(item.result())["n"] for item in waiting} == {0, 1}


def test_the_same_event_again_gets_the_first_runs_answer(room: WaitingRoom) -> None:
    trigger = responding()
    first = Posting(trigger, {"n": 1}, idempotency_key="k")
    until(Run.objects.exists)
    second = Posting(trigger, {"n": 1}, idempotency_key="k")
    until(InboundEvent.objects.filter(reason="duplicate").exists)
    with draining():
        assert told(first.result()) == told(second.result()) == {"n": 1}
    third = post(trigger, {"n": 1}, idempotency_key="k")
    assert (third.status_code, told(third)) == (201, {"n": 1})
    assert Run.objects.count() == 1
    assert InboundEvent.objects.filter(reason="duplicate").count() == 2


def test_the_same_event_again_that_is_not_answered_yet_is_a_202(
    room: WaitingRoom,
) -> None:
    trigger = responding(response_timeout=0.1)
    first, second = (post(trigger, PUSH, idempotency_key="k") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert told(second)["duplicate"] is True
    assert told(second)["run_id"] == told(first)["run_id"]


def test_the_same_key_with_another_body_is_refused_at_once(room: WaitingRoom) -> None:
    trigger = responding(response_timeout=0.1)
    post(trigger, {"n": 1}, idempotency_key="k")
    found = post(trigger, {"n": 2}, idempotency_key="k")
    assert (found.status_code, code_of(found)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert room._count == 0


def test_a_filtered_event_does_not_wait(room: WaitingRoom) -> None:
    found = post(responding(condition="{{ false }}"))
    assert told(found)["status"] == "filtered"


def test_an_answer_that_cannot_be_read_is_a_500_that_names_the_run(
    room: WaitingRoom, settings: Settings
) -> None:
    trigger = responding()
    with draining():
        assert post(trigger, PUSH, idempotency_key="k").status_code == 201
        until(lambda: not Job.objects.exists())
    settings.FIELD_ENCRYPTION_KEYS = ["another ring that never wrote anything"]
    found = post(trigger, PUSH, idempotency_key="k")
    assert (found.status_code, code_of(found)) == (500, "RUN_FAILED")
    assert str(Run.objects.get().pk) in found.content.decode()

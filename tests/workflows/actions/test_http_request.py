"""The HTTP step against receivers on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response as Reply

from automate.lib.net import Client, Policy
from automate.lib.redaction import Redactor
from tests.automate.lib.net.servers import Server, always, answer, stall
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import ConnectionData, get
from workflows.actions.http_request.action import BODY_LIMIT
from workflows.actions.outcomes import AttemptRecord, Done, Fail, Outcome, Retry

JSON = ("Content-Type", "application/json")


def attempt_of(outcome: Outcome) -> AttemptRecord:
    assert isinstance(outcome, Done | Fail | Retry)
    assert outcome.attempt is not None
    return outcome.attempt


@pytest.fixture
def run(make_context: MakeContext) -> Any:
    def execute(config: dict[str, Any], **changes: Any) -> Outcome:
        return get("http_request").execute(make_context(config, **changes))

    return execute


@pytest.fixture
def replying(httpserver: HTTPServer) -> Any:
    """The URL of a receiver that answers so."""

    def expect(status: int = 200, body: bytes | str = b"", *headers: Any) -> str:
        reply = Reply(body, status, list(headers))
        httpserver.expect_request("/hook").respond_with_response(reply)
        return httpserver.url_for("/hook")

    return expect


class TestDelivered:
    def test_the_request_arrives_and_the_answer_is_the_output(
        self, httpserver: HTTPServer, run: Any
    ) -> None:
        seen: list[Received] = []

        def handler(request: Received) -> Reply:
            request.get_data()
            seen.append(request)
            return Reply('{"id": 7}', 201, [JSON, ("X-A", "1"), ("X-A", "2")])

        httpserver.expect_request("/hook").respond_with_handler(handler)
        outcome = run(
            {
                "method": "PUT",
                "url": httpserver.url_for("/hook"),
                "query": {"q": "a b"},
                "headers": {"X-Mine": "yes"},
                "body": {"a": 1},
            }
        )
        assert isinstance(outcome, Done)
        assert outcome.output["status"] == 201
        assert outcome.output["body"] == {"id": 7}
        assert outcome.output["headers"]["x-a"] == "1, 2"
        (request,) = seen
        assert request.method == "PUT"
        assert request.query_string == b"q=a+b"
        assert request.get_json() == {"a": 1}
        assert request.headers["X-Mine"] == "yes"
        assert request.headers["Idempotency-Key"] == "key-1"
        assert request.headers["User-Agent"].startswith("Automate/")

    def test_the_attempt_tells_all_of_it(self, replying: Any, run: Any) -> None:
        url = replying(200, '{"ok": true}', JSON)
        attempt = run({"url": url, "body": {"a": 1}}).attempt
        assert (attempt.method, attempt.url) == ("POST", url)
        assert attempt.request_headers["Idempotency-Key"] == "key-1"
        assert attempt.request_body == '{"a":1}'
        assert attempt.response_status == 200
        assert attempt.response_headers["content-type"] == "application/json"
        assert attempt.response_body == '{"ok": true}'
        assert not attempt.request_truncated
        assert not attempt.response_truncated
        assert (attempt.outcome, attempt.error_kind) == ("delivered", "")
        assert attempt.error_message == ""
        assert attempt.duration_ms >= 0
        assert attempt.started_at.tzinfo is not None

    @pytest.mark.parametrize(
        ("body", "content_type", "wanted", "expected"),
        [
            (b'{"a": 1}', "application/json", "auto", {"a": 1}),
            (b'{"a": 1}', "application/problem+json; charset=utf-8", "auto", {"a": 1}),
            (b"[1]", "text/json", "auto", [1]),
            (b'{"a": 1}', "text/plain", "auto", '{"a": 1}'),
            (b'{"a": 1}', "text/plain", "json", {"a": 1}),
            (b'{"a": 1}', "application/json", "text", '{"a": 1}'),
            (b"{broken", "application/json", "auto", "{broken"),
            (b'{"a": "\\u0000"}', "application/json", "auto", {"a": "\x00"}),
            (b'{"a": NaN}', "application/json", "auto", '{"a": NaN}'),
            (b"", "application/json", "auto", None),
            (b"", "application/json", "json", None),
            ("ü".encode("latin-1"), "text/plain; charset=latin-1", "auto", "ü"),
            (b"\xff\xfe\x00", "image/png", "auto", None),
            (b"a\xffb", "image/png", "text", "a\ufffdb"),
        ],
    )
    def test_the_body_is_read_as_its_type_says(
        self,
        body: bytes,
        content_type: str,
        wanted: str,
        expected: Any,
        replying: Any,
        run: Any,
    ) -> None:
        url = replying(200, body, ("Content-Type", content_type))
        outcome = run({"url": url, "response_format": wanted})
        assert isinstance(outcome, Done)
        assert outcome.output["body"] == expected

    def test_json_without_a_type_is_known_by_its_look(self, run: Any) -> None:
        with Server(always(answer(b' {"a": 1}'))) as server:
            assert run({"url": server.url}).output["body"] == {"a": 1}

    def test_an_answer_that_should_be_json_and_is_not_fails_once(
        self, replying: Any, run: Any
    ) -> None:
        url = replying(200, "<html>")
        outcome = run({"url": url, "response_format": "json"})
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "BadResponse"
        assert attempt_of(outcome).outcome == "delivered"
        assert outcome.output["status"] == 200

    def test_an_answer_beyond_the_cap_fails_once_and_names_the_setting(
        self, replying: Any, run: Any
    ) -> None:
        url = replying(200, b"x" * 50_000)
        outcome = run({"url": url}, max_response=1000)
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "ResponseTooLarge"
        assert "AUTOMATE_MAX_RESPONSE" in outcome.error.message
        assert attempt_of(outcome).outcome == "delivered"
        assert attempt_of(outcome).response_truncated
        assert outcome.output["body"] is None

    def test_success_statuses_say_what_success_is(
        self, replying: Any, run: Any
    ) -> None:
        url = replying(404, "gone")
        outcome = run({"url": url, "success_statuses": [200, 404]})
        assert isinstance(outcome, Done)
        assert (outcome.output["body"], attempt_of(outcome).outcome) == (
            "gone",
            "rejected",
        )
        assert isinstance(run({"url": url, "success_statuses": ["4xx"]}), Done)

    def test_a_2xx_that_is_no_success_fails_and_was_delivered(
        self, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(202), "success_statuses": [200]})
        assert isinstance(outcome, Fail)
        assert attempt_of(outcome).outcome == "delivered"


class TestRefused:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    def test_what_waiting_may_mend_is_retried(
        self, status: int, replying: Any, run: Any
    ) -> None:
        url = replying(status, '{"why": "busy"}', JSON, ("Retry-After", "7"))
        outcome = run({"url": url})
        assert isinstance(outcome, Retry)
        assert outcome.after == 7
        assert outcome.error.error_class == f"Http{status}"
        assert str(status) in outcome.error.message
        assert attempt_of(outcome).outcome == "rejected"
        assert outcome.output["body"] == {"why": "busy"}

    @pytest.mark.parametrize("status", [502, 504])
    def test_a_gateways_error_leaves_the_effect_unknown(
        self, status: int, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(status)})
        assert isinstance(outcome, Retry)
        assert outcome.after is None
        assert attempt_of(outcome).outcome == "unknown"

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
    def test_what_waiting_cannot_mend_fails(
        self, status: int, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(status, "no", ("Retry-After", "7"))})
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == f"Http{status}"
        assert attempt_of(outcome).outcome == "rejected"
        assert outcome.output["body"] == "no"

    def test_a_redirect_fails_and_says_how_to_follow_it(
        self, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(302, "", ("Location", "/other"))})
        assert isinstance(outcome, Fail)
        assert '"max_redirects"' in outcome.error.message

    def test_a_redirect_is_followed_when_asked(
        self, httpserver: HTTPServer, replying: Any, run: Any
    ) -> None:
        httpserver.expect_request("/other").respond_with_data("there")
        url = replying(302, "", ("Location", "/other"))
        outcome = run({"url": url, "max_redirects": 1})
        assert isinstance(outcome, Done)
        assert outcome.output["body"] == "there"

    def test_retry_on_of_the_config_then_of_the_step_decides(
        self, replying: Any, run: Any
    ) -> None:
        url = replying(404)
        assert isinstance(run({"url": url, "retry_on": [404]}), Retry)
        assert isinstance(run({"url": url}, retry_on=("4xx",)), Retry)
        assert isinstance(run({"url": url, "retry_on": []}, retry_on=(404,)), Fail)

    def test_a_large_refusal_is_cut_and_treated_by_its_status(
        self, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(503, b"x" * 50_000)}, max_response=100)
        assert isinstance(outcome, Retry)
        assert attempt_of(outcome).response_truncated


class TestUnanswered:
    def test_a_receiver_that_never_answers_leaves_the_effect_unknown(
        self, run: Any
    ) -> None:
        with Server(stall) as server:
            outcome = run({"url": server.url}, timeout=1.0)
        assert isinstance(outcome, Retry)
        assert outcome.error.error_class == "TimedOut"
        assert attempt_of(outcome).outcome == "unknown"
        assert attempt_of(outcome).error_kind == "timeout"
        assert attempt_of(outcome).response_status is None
        assert attempt_of(outcome).duration_ms >= 990

    def test_nobody_listening_is_retried_and_nothing_was_sent(self, run: Any) -> None:
        with Server(stall) as server:
            url = server.url
        outcome = run({"url": url})
        assert isinstance(outcome, Retry)
        assert outcome.error.error_class == "ConnectFailed"
        assert attempt_of(outcome).outcome == "not_sent"

    def test_a_name_that_does_not_exist_is_retried(self, run: Any) -> None:
        outcome = run({"url": "http://no-such-host.invalid/"})
        assert isinstance(outcome, Retry)
        assert attempt_of(outcome).outcome == "not_sent"
        assert attempt_of(outcome).error_kind == "name"

    def test_a_failed_handshake_is_retried_and_nothing_was_sent(
        self, httpserver: HTTPServer, run: Any
    ) -> None:
        outcome = run({"url": f"https://127.0.0.1:{httpserver.port}/"})
        assert isinstance(outcome, Retry)
        assert attempt_of(outcome).outcome == "not_sent"

    def test_garbage_for_an_answer_fails_with_the_effect_unknown(
        self, run: Any
    ) -> None:
        with Server(always(b"what?\r\n\r\n", close=True)) as server:
            outcome = run({"url": server.url})
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "ProtocolError"
        assert attempt_of(outcome).outcome == "unknown"

    def test_retry_on_decides_over_kinds_too(self, run: Any) -> None:
        with Server(stall) as server:
            config = {"url": server.url, "retry_on": ["reset", 503]}
            assert isinstance(run(config, timeout=1.0), Fail)

    @pytest.fixture
    def strict(self) -> Iterator[Client]:
        client = Client(Policy())
        yield client
        client.close()

    def test_a_blocked_address_fails_and_names_the_setting(
        self, replying: Any, run: Any, strict: Client
    ) -> None:
        outcome = run({"url": replying()}, http=strict)
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "AddressBlocked"
        assert "AUTOMATE_ALLOWED_NETWORKS" in outcome.error.message
        assert attempt_of(outcome).outcome == "not_sent"

    def test_credentials_never_go_to_another_host(
        self, httpserver: HTTPServer, replying: Any, run: Any
    ) -> None:
        connection = ConnectionData(
            name="crm",
            kind="bearer",
            base_url="https://crm.test",
            credentials={"token": "t0ken"},
        )
        outcome = run({"url": replying(), "connection": "crm"}, connection=connection)
        assert isinstance(outcome, Fail)
        assert attempt_of(outcome).outcome == "not_sent"
        assert httpserver.log == []

    def test_a_config_that_cannot_be_sent_leaves_no_attempt(self, run: Any) -> None:
        outcome = run({"url": "nowhere"})
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "BadConfig"
        assert outcome.attempt is None

    @pytest.mark.parametrize("name", ["A\r\nB", "A B"])
    def test_a_header_that_would_split_the_request_is_not_sent(
        self, name: str, replying: Any, run: Any
    ) -> None:
        outcome = run({"url": replying(), "headers": {name: "x"}})
        assert isinstance(outcome, Fail)
        assert attempt_of(outcome).outcome == "not_sent"


class TestReadable:
    """What people may read holds no secret; what the run goes on with is exact."""

    CANARY = "canary-5f2b9c"

    def test_secrets_are_in_no_part_of_the_attempt(
        self, httpserver: HTTPServer, run: Any
    ) -> None:
        def echo(request: Received) -> Reply:
            seen = {"all": str(request.headers), "url": request.url}
            body = {**seen, "body": request.get_data(as_text=True)}
            headers = [("X-Echo", self.CANARY), ("Set-Cookie", "sid=abcdef")]
            return Reply(str(body), 500, headers)

        httpserver.expect_request("/hook").respond_with_handler(echo)
        connection = ConnectionData(
            name="crm",
            kind="basic",
            base_url=httpserver.url_for("/"),
            credentials={"username": "user", "password": self.CANARY},
        )
        outcome = run(
            {
                "url": f"/hook?k={self.CANARY}",
                "connection": "crm",
                "headers": {"X-Odd": self.CANARY},
                "body": {"deep": [f"a {self.CANARY} b"]},
            },
            connection=connection,
            redactor=Redactor([self.CANARY]),
        )
        assert isinstance(outcome, Retry)
        readable = repr((outcome.attempt, outcome.error))
        assert self.CANARY not in readable
        assert "dXNlcjpjYW5hcnktNWYyYjlj" not in readable  # base64 of user:canary
        assert "sid=abcdef" not in readable
        assert "[redacted]" in attempt_of(outcome).request_body
        assert outcome.output["headers"]["x-echo"] == self.CANARY

    def test_bodies_are_kept_up_to_64_kib(self, replying: Any, run: Any) -> None:
        url = replying(200, "y" * (BODY_LIMIT + 1))
        outcome = run({"url": url, "body": "x" * (BODY_LIMIT + 1)})
        attempt = attempt_of(outcome)
        assert len(attempt.request_body) == len(attempt.response_body) == BODY_LIMIT
        assert attempt.request_truncated
        assert attempt.response_truncated
        assert len(outcome.output["body"]) == BODY_LIMIT + 1

    def test_what_no_column_holds_is_replaced(self, replying: Any, run: Any) -> None:
        url = replying(200, b'{"a": "\x00"}', ("Content-Type", "text/plain"))
        assert "\x00" not in run({"url": url}).attempt.response_body

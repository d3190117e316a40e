from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from automate.lib.clock import SystemClock
from automate.lib.net import Request
from tests.automate.lib.fakes import FakeClock
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import ConnectionData, RunInfo, all_actions
from workflows.actions.http_request import preview
from workflows.actions.http_request.build import USER_AGENT, BadConfig
from workflows.definition import validate

URL = "https://x.test/hook"
SECRET = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@pytest.fixture
def build(make_context: MakeContext) -> Any:
    def make(config: dict[str, Any], **changes: Any) -> Request:
        return preview(make_context({"url": URL, **config}, **changes))

    return make


def connection(kind: str = "bearer", **changes: Any) -> ConnectionData:
    values: dict[str, Any] = {
        "name": "crm",
        "kind": kind,
        "base_url": "https://crm.test/v1",
        "credentials": {"token": "t0ken"},
    }
    return ConnectionData(**{**values, **changes})


class TestBasics:
    def test_a_bare_url_is_posted_without_a_body(self, build: Any) -> None:
        assert build({}) == Request(
            method="POST",
            url=URL,
            headers={"User-Agent": USER_AGENT, "Idempotency-Key": "key-1"},
            body=None,
            timeout=5.0,
            max_response=1024 * 1024,
        )

    def test_limits_are_passed_on(self, build: Any) -> None:
        request = build(
            {"max_redirects": 3, "max_response": 10}, timeout=0.5, max_response=100
        )
        assert (request.max_redirects, request.max_response) == (3, 10)
        assert request.timeout == 0.5
        assert build({"max_response": 1000}, max_response=100).max_response == 100

    def test_the_trace_goes_on(self, build: Any) -> None:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        request = build({}, run=RunInfo(id="r", traceparent=trace))
        assert request.headers["traceparent"] == trace

    def test_the_steps_own_headers_win_whatever_their_case(self, build: Any) -> None:
        mine = {"idempotency-key": "mine", "user-agent": "me", "content-type": "a/b"}
        request = build({"headers": mine, "body": {}})
        assert request.headers == mine

    def test_header_values_become_text(self, build: Any) -> None:
        request = build({"headers": {"A": 1, "B": True, "C": None, "D": 1.5}})
        assert request.headers["A"] == "1"
        assert request.headers["B"] == "true"
        assert "C" not in request.headers
        assert request.headers["D"] == "1.5"


class TestBodies:
    @pytest.mark.parametrize(
        ("config", "body", "content_type"),
        [
            ({"body": {"a": [1, "ü"]}}, '{"a":[1,"ü"]}', "application/json"),
            ({"body": []}, "[]", "application/json"),
            ({"body": 5}, "5", "application/json"),
            ({"body": False}, "false", "application/json"),
            ({"body": "hello"}, "hello", "text/plain; charset=utf-8"),
            ({"body": ""}, "", "text/plain; charset=utf-8"),
            ({"body": "x", "body_format": "json"}, '"x"', "application/json"),
            ({"body": 5, "body_format": "text"}, "5", "text/plain; charset=utf-8"),
            (
                {
                    "body": {"a": "1 2", "b": [1, True], "c": None},
                    "body_format": "form",
                },
                "a=1+2&b=1&b=true",
                "application/x-www-form-urlencoded",
            ),
        ],
    )
    def test_a_body_is_sent_in_its_format(
        self, config: dict[str, Any], body: str, content_type: str, build: Any
    ) -> None:
        request = build(config)
        assert request.body == body.encode()
        assert request.headers["Content-Type"] == content_type

    def test_text_with_the_steps_content_type_is_sent_as_it_is(
        self, build: Any
    ) -> None:
        headers = {"Content-Type": "application/json"}
        request = build({"headers": headers, "body": '{"raw": 1}'})
        assert request.body == b'{"raw": 1}'
        assert request.headers["Content-Type"] == "application/json"

    def test_no_body_is_null(self, build: Any) -> None:
        request = build({"body": None, "body_format": "json"})
        assert request.body is None
        assert "Content-Type" not in request.headers


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "query", "expected"),
        [
            ("https://x.test/a?b=1#top", {}, "https://x.test/a?b=1"),
            ("https://x.test/a?b=1", {"c": "d e"}, "https://x.test/a?b=1&c=d+e"),
            ("https://x.test", {"c": [1, "2"], "d": None}, "https://x.test?c=1&c=2"),
            (" https://x.test/ ", {"c": True}, "https://x.test/?c=true"),
        ],
    )
    def test_the_query_is_added(
        self, url: str, query: dict[str, Any], expected: str, build: Any
    ) -> None:
        assert build({"url": url, "query": query}).url == expected

    def test_a_login_in_the_url_is_sent_as_basic_auth(self, build: Any) -> None:
        request = build({"url": "https://u%40x:p%3Aw@x.test/a"})
        assert request.url == "https://x.test/a"
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert (scheme, b64decode(token)) == ("Basic", b"u@x:p:w")

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("orders", "https://crm.test/v1/orders"),
            ("/orders?a=1", "https://crm.test/v1/orders?a=1"),
            ("?a=1", "https://crm.test/v1?a=1"),
            ("//evil.test/x", "https://crm.test/v1/evil.test/x"),
            ("@evil.test", "https://crm.test/v1/@evil.test"),
            ("https://crm.test/other", "https://crm.test/other"),
        ],
    )
    def test_a_relative_url_stays_below_the_connections(
        self, url: str, expected: str, build: Any
    ) -> None:
        assert build({"url": url}, connection=connection()).url == expected


class TestConnections:
    @pytest.mark.parametrize(
        ("kind", "credentials", "header", "value"),
        [
            ("bearer", {"token": "t"}, "Authorization", "Bearer t"),
            (
                "basic",
                {"username": "u", "password": "p"},
                "Authorization",
                "Basic dTpw",
            ),
            ("header", {"name": "X-Key", "value": "v"}, "X-Key", "v"),
        ],
    )
    def test_credentials_are_applied(
        self,
        kind: str,
        credentials: dict[str, str],
        header: str,
        value: str,
        build: Any,
    ) -> None:
        found = build({}, connection=connection(kind, credentials=credentials))
        assert found.headers[header] == value
        assert found.allowed_hosts == {"crm.test"}

    def test_the_steps_own_header_wins(self, build: Any) -> None:
        headers = {"authorization": "mine"}
        request = build({"headers": headers}, connection=connection())
        assert request.headers["authorization"] == "mine"
        assert "Authorization" not in request.headers

    @pytest.mark.parametrize(
        ("own", "of_secrets", "expected"),
        [
            ({"a.test", "b.test"}, set(), {"a.test", "b.test"}),
            ({"a.test", "b.test"}, {"b.test", "c.test"}, {"b.test"}),
            ({"*.a.test"}, {"x.a.test", "x.b.test"}, {"x.a.test"}),
            ({"*.a.test"}, {"*.b.a.test"}, {"*.b.a.test"}),
        ],
    )
    def test_only_hosts_that_all_credentials_allow_are_reached(
        self, own: set[str], of_secrets: set[str], expected: set[str], build: Any
    ) -> None:
        request = build(
            {},
            connection=connection(allowed_hosts=frozenset(own)),
            allowed_hosts=frozenset(of_secrets),
        )
        assert request.allowed_hosts == expected

    def test_a_secrets_hosts_hold_without_a_connection(self, build: Any) -> None:
        assert build({}, allowed_hosts=frozenset({"a"})).allowed_hosts == {"a"}

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"connection": None}, "'crm' is not available"),
            ({"connection": connection("oauth9")}, "kind 'oauth9'"),
            ({"connection": connection(credentials={})}, "lacks its token"),
            ({"connection": connection(base_url="")}, "a base URL or allowed hosts"),
            ({"connection": connection(base_url="https://[")}, "a base URL"),
            (
                {"connection": connection(), "allowed_hosts": frozenset({"x.test"})},
                "different hosts",
            ),
        ],
    )
    def test_a_connection_that_cannot_serve_is_refused(
        self, changes: dict[str, Any], words: str, build: Any
    ) -> None:
        with pytest.raises(BadConfig, match=words):
            build({"connection": "crm"}, **changes)

    def test_credentials_are_not_printed(self) -> None:
        assert "t0ken" not in repr(connection())


class TestSigning:
    def test_the_library_of_standard_webhooks_accepts_the_signature(
        self, build: Any
    ) -> None:
        signing = {"scheme": "standard_webhooks", "secret": SECRET}
        request = build({"body": {"a": "ü"}, "signing": signing}, clock=SystemClock())
        verified = Webhook(SECRET).verify(request.body, dict(request.headers))
        assert verified == {"a": "ü"}
        assert request.headers["webhook-id"] == "key-1"

    def test_the_time_is_the_clocks_and_an_empty_body_is_signed(
        self, build: Any
    ) -> None:
        signing = {"scheme": "standard_webhooks", "secret": SECRET}
        clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        request = build({"signing": signing}, clock=clock)
        assert request.headers["webhook-timestamp"] == "1767225600"
        assert request.headers["webhook-signature"].startswith("v1,")

    def test_several_secrets_sign_each(self, build: Any) -> None:
        other = "whsec_" + "A" * 32
        signing = {"scheme": "standard_webhooks", "secret": f" {SECRET}  {other} "}
        request = build({"body": {"a": 1}, "signing": signing}, clock=SystemClock())
        headers = dict(request.headers.items())
        assert len(headers["webhook-signature"].split(" ")) == 2
        for secret in (SECRET, other):
            assert Webhook(secret).verify(request.body, headers) == {"a": 1}

    @pytest.mark.parametrize(
        "signing", ["x", {"x": 1}, {"secret": "whsec_%"}, {"secret": " "}]
    )
    def test_a_bad_secret_is_refused_without_showing_it(
        self, signing: Any, build: Any
    ) -> None:
        with pytest.raises(BadConfig) as caught:
            build({"signing": signing})
        assert "%" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": ""}, "url must not be empty"),
        ({"url": None}, "url must not be empty"),
        ({"url": "orders"}, "needs a connection"),
        ({"url": "//x.test"}, "needs a connection"),
        ({"url": "https://[x"}, "url is not valid"),
        ({"method": "BREW"}, "method must be one of POST"),
        ({"method": 5}, "method must be one of"),
        ({"headers": "x"}, "headers must be an object"),
        ({"headers": {"X": {}}}, "headers.X must be text"),
        ({"query": [1]}, "query must be an object"),
        ({"query": {"a": [{}]}}, "query.a must be text"),
        ({"body": {}, "body_format": "xml"}, "body_format must be one of"),
        ({"body": [1], "body_format": "form"}, "names and values for a form"),
        ({"body": {"a": {}}, "body_format": "form"}, "body.a must be text"),
        ({"body": {}, "body_format": "text"}, "body must be text"),
        ({"body": {"a": float("nan")}}, "cannot be sent as json"),
        ({"body": "\ud800"}, "cannot be sent as text"),
        ({"max_redirects": 11}, "max_redirects must be at most 10"),
        ({"max_redirects": "x"}, "must be a whole number"),
        ({"max_redirects": True}, "must be a whole number"),
        ({"max_response": -1}, "must be a whole number"),
        ({"success_statuses": "2xx"}, "success_statuses must be a list"),
        ({"retry_on": "5xx"}, "retry_on must be a list"),
        ({"response_format": "xml"}, "response_format must be one of"),
    ],
)
def test_what_templates_made_wrong_is_refused_before_sending(
    config: dict[str, Any], words: str, build: Any
) -> None:
    with pytest.raises(BadConfig, match=words):
        build(config)


def test_a_number_from_a_template_with_text_around_it_is_taken(build: Any) -> None:
    assert build({"max_redirects": "3"}).max_redirects == 3


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"url": URL, "method": "GET", "body": {}}, []),
        ({"url": "{{ trigger.payload.url }}"}, []),
        ({"url": "https://{{ variables.host }}/x"}, []),
        ({"url": "/orders", "connection": "crm"}, []),
        ({"url": "/orders"}, ["url"]),
        ({"url": "ftp://x.test"}, ["url"]),
        ({}, ["url"]),
        ({"url": URL, "method": "BREW"}, ["method"]),
        ({"url": URL, "headers": {"A B": "x"}}, ["headers"]),
        ({"url": URL, "headers": {"A": {}}}, ["headers.A"]),
        ({"url": URL, "query": {"a": [1, {}]}}, ["query.a[1]"]),
        ({"url": URL, "max_redirects": 11}, ["max_redirects"]),
        ({"url": URL, "success_statuses": [200, "2yy"]}, ["success_statuses[1]"]),
        (
            {"url": URL, "signing": {"scheme": "x"}},
            ["signing.scheme", "signing.secret"],
        ),
        ({"url": URL, "connection": "{{ variables.c }}"}, ["connection"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    node = {"id": "call", "type": "http_request", "config": config}
    value = {"nodes": [node], "connections": [], "variables": {}}
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config.{place}" for place in places]


def test_the_body_of_a_template_is_json_for_a_tree(build: Any) -> None:
    request = build({"body": {"n": 10**30, "nested": {"deep": [None]}}})
    assert json.loads(request.body) == {"n": 10**30, "nested": {"deep": [None]}}

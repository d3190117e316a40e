"""Hostile bodies: a 4xx that says why, or kept byte for byte; never a 500."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automate.lib.encryption import is_readable
from runs.models import Run
from runs.payloads import open_rows
from tests.webhooks.makers import code_of, make_trigger, post, send
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db

REFUSED: dict[str, tuple[bytes, str]] = {
    "nested arrays": (b"[" * 100_000, "nested"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
    "NaN": (b'{"a": NaN}', "NaN"),
    "Infinity": (b'{"a": -Infinity}', "Infinity"),
    "a number beyond floats": (b'{"a": 1e999}', "too large"),
    "5,000 digits": (b"1" * 5000, "digits"),
    "duplicate keys": (b'{"a": 1, "a": 2}', "twice"),
    "an escaped lone surrogate": (rb'{"a": "\ud800"}', "surrogate"),
    "a raw lone surrogate": (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
    "invalid UTF-8": (b'{"a": "\xff"}', "UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    "a raw NUL": (b'{"a": "\x00"}', "character"),
    "cut off": (b'{"a": 1', "character"),
    "two documents": (b"{}{}", "character"),
    "only blanks": (b"   ", "character"),
    "HTML": (b"<!doctype html>", "character"),
}
KEPT: dict[str, bytes] = {
    "empty": b"",
    "an escaped NUL": rb'{"a": "\u0000"}',
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "blanks around": b' \r\n{"a" : 1.50}\n',
    "200 levels": b"[" * 200 + b"]" * 200,
    "4,300 digits": b"1" * 4300,
    "a scalar": b'"\\u00e9\xc3\xa9"',
    "null": b"null",
    "brackets in a text": b'"' + b"[" * 100_000 + b'"',
    "an emoji as a pair": rb'{"a": "\ud83d\ude00"}',
}


def kept() -> Any:
    """The body of the one run, from wherever it is kept."""
    run = Run.objects.get()
    open_rows([run])
    return run.body


@pytest.mark.parametrize("name", REFUSED)
def test_json_that_is_none_is_400_and_says_what_is_wrong(name: str) -> None:
    body, words = REFUSED[name]
    trigger = make_trigger()
    answer = post(trigger, body)
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
    assert words in answer.content.decode()
    assert len(answer.content) < 2000
    assert InboundEvent.objects.get().reason == "malformed"
    assert not Run.objects.exists()


@pytest.mark.parametrize("name", KEPT)
def test_what_is_taken_is_kept_byte_for_byte(name: str) -> None:
    trigger = make_trigger({"condition": "{{ true }}"})
    answer = post(trigger, KEPT[name])
    assert answer.status_code == 202
    assert kept() == KEPT[name]


@pytest.mark.parametrize("name", [*REFUSED, *KEPT])
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", ""],
)
def test_as_anything_but_json_all_of_it_is_kept(name: str, content_type: str) -> None:
    body = REFUSED[name][0] if name in REFUSED else KEPT[name]
    trigger = make_trigger({"condition": "{{ true }}"})
    assert post(trigger, body, content_type=content_type).status_code == 202
    assert kept() == body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/cloudevents+json",
        "text/json",
    ],
)
def test_json_is_known_by_its_type_in_every_spelling(content_type: str) -> None:
    assert post(make_trigger(), b"{", content_type=content_type).status_code == 400


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl"])
def test_lines_of_json_are_no_json_text(content_type: str) -> None:
    answer = post(make_trigger(), b"{}\n{}\n", content_type=content_type)
    assert answer.status_code == 202


def test_a_signed_body_is_verified_before_it_is_parsed() -> None:
    trigger = make_trigger({"scheme": "github"})
    assert post(trigger, b"[" * 100_000).status_code == 401
    assert send(trigger, b"[" * 100_000).status_code == 400


def test_a_thousand_headers_are_taken_and_a_hundred_kept() -> None:
    headers: dict[str, Any] = {f"x_{number}": "a" for number in range(1000)}
    assert post(make_trigger(), **headers).status_code == 202
    assert len(Run.objects.get().headers) == 100


def test_a_query_with_too_many_fields_is_400() -> None:
    trigger = make_trigger()
    query = "?" + "&".join(f"a{number}=1" for number in range(1001))
    answer = post(trigger, query=query)
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")


@pytest.mark.parametrize("query", ["?a=%00", "?%FF=%ED%A0%80", "?=", "?&&&", "?a[]=1"])
def test_a_strange_query_is_kept(query: str) -> None:
    assert post(make_trigger(), query=query).status_code == 202
    assert is_readable(Run.objects.get().query)


@pytest.mark.parametrize(
    "headers",
    [
        {"idempotency_key": "\x00\x7f"},
        {"idempotency_key": "\ud800"},
        {"webhook_id": "é" * 300},
        {"traceparent": "00-" * 100},
        {"x_forwarded_for": "," * 5000},
        {"content_encoding": ""},
        {"accept": ";q=;;,application/problem+json;q"},
        {"x_a": "\x00\ud800"},
    ],
)
def test_strange_headers_break_nothing(headers: dict[str, Any]) -> None:
    assert post(make_trigger(), **headers).status_code == 202


@pytest.mark.parametrize("content_type", ["\x00", "é", "/", ";;;", "a" * 5000, "+json"])
def test_strange_content_types_break_nothing(content_type: str) -> None:
    assert post(make_trigger(), b"x", content_type=content_type).status_code in (
        202,
        400,
    )


def test_a_content_length_that_lies_is_400() -> None:
    trigger = make_trigger()
    extra: dict[str, Any] = {"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "1000"}
    answer: Any = Client().generic(
        "POST", f"/v1/webhooks/{trigger.key}", b"{}", **extra
    )
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=60,
    deadline=None,
)
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(
        ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"]
    ),
)
def test_no_bytes_are_a_500(body: bytes, content_type: str) -> None:
    config = {
        "condition": "{{ trigger.payload }} == 1",
        "events": ["*"],
        "idempotency": {"by": "template", "template": "{{ trigger.payload.id }}"},
    }
    answer = post(make_trigger(config), body, content_type=content_type)
    assert answer.status_code in (200, 202, 400)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[" + b"[]," * 120_000 + b"0]", "application/json", 413),
        (b"[" + b"[]," * 120_000 + b"0]", "application/octet-stream", 413),
        (b"[" + b"[]," * 80_000 + b"0]", "application/json", 202),
        (b"a,b,c\n" * 120_000, "text/csv", 202),
        (b"\x00,\x01," * 120_000, "application/octet-stream", 202),
    ],
)
def test_what_a_condition_reads_has_a_largest_number_of_values(
    body: bytes, kind: str, status: int
) -> None:
    trigger = make_trigger({"condition": "{{ true }}"})
    assert post(trigger, body, content_type=kind).status_code == status
    assert post(make_trigger(), body, content_type=kind).status_code == 202

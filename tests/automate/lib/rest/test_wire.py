"""JSON as the API reads and writes it."""

from __future__ import annotations

import io

import pytest
from pytest_django import Settings
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from automate.lib.rest import ApiError
from automate.lib.rest.wire import AlwaysFirst, FaithfulJSONRenderer, StrictJSONParser


def parse(body: bytes) -> object:
    return StrictJSONParser().parse(io.BytesIO(body))


def test_a_body_is_parsed_and_an_empty_one_is_an_empty_object() -> None:
    assert parse(b'{"a": [1]}') == {"a": [1]}
    assert parse(b"  ") == {}


@pytest.mark.parametrize(
    "body", [b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 1000, b'"\xff"']
)
def test_what_is_not_json_is_refused_with_the_reason(body: bytes) -> None:
    with pytest.raises(ParseError, match="not JSON: "):
        parse(body)


def test_a_body_may_have_as_many_bytes_as_the_setting_says(settings: Settings) -> None:
    settings.MAX_BODY = 4

    assert parse(b"[12]") == [12]
    with pytest.raises(ApiError) as caught:
        parse(b"[123]")
    assert caught.value.status_code == 413
    assert caught.value.code == "BODY_TOO_LARGE"


def test_text_is_written_as_it_is_and_lone_surrogates_escaped() -> None:
    render = FaithfulJSONRenderer().render

    assert render({"a": "ü"}) == '{"a":"ü"}'.encode()
    assert render({"a": "\ud800"}) == b'{"a":"\\ud800"}'


@pytest.mark.parametrize(
    ("content_type", "known"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("", True),
        ("text/plain", False),
    ],
)
def test_bodies_are_json_or_refused(content_type: str, known: bool) -> None:
    raw = APIRequestFactory().generic("POST", "/", "{}", content_type=content_type)
    parser = AlwaysFirst().select_parser(Request(raw), [StrictJSONParser()])

    assert (parser is not None) is known


def test_any_accept_gets_json() -> None:
    renderer, media = AlwaysFirst().select_renderer(
        Request(APIRequestFactory().get("/", headers={"accept": "text/html"})),
        [FaithfulJSONRenderer()],
    )

    assert isinstance(renderer, FaithfulJSONRenderer)
    assert media == "application/json"

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.bodies import cut, decode, kind_of


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/problem+json", "json"),
        ("application/x-ndjson", "json"),
        ("text/json", "json"),
        ("application/x-www-form-urlencoded", "form"),
        ("text/plain", "text"),
        ("text/html; charset=utf-8", "text"),
        ("application/atom+xml", "text"),
        ("application/x-yaml", "text"),
        ("image/png", "binary"),
        ("video/mp4", "binary"),
        ("application/octet-stream", "unknown"),
        ("application/pdf", "unknown"),
        ("", "unknown"),
        (";;;", "unknown"),
    ],
)
def test_a_content_type_promises_a_kind(content_type: str, kind: str) -> None:
    assert kind_of(content_type) == kind


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "image/png", ""),
        (b"", "", ""),
        ("é".encode(), "", "é"),
        ("é".encode(), "text/plain", "é"),
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("é".encode("utf-16"), 'text/plain; charset="UTF-16"', "é"),
        (b"\xef\xbb\xbfhi", "text/plain", "hi"),
        (b"plain enough", "application/octet-stream", "plain enough"),
        (b"0123456789 \xff 9876543210", "text/plain", "0123456789 \ufffd 9876543210"),
        (b"hi", "text/plain; charset=rot13", "hi"),
        (b"hi", "text/plain; charset=unicode_escape", "hi"),
        (b"\\x41", "text/plain; charset=unicode_escape", "\\x41"),
        (b"hi", "text/plain; charset=nonsense", "hi"),
        (b"hi", "text/plain; charset", "hi"),
        (b"a\x00b", "application/json", "a\x00b"),
    ],
)
def test_bytes_are_read_as_text(body: bytes, content_type: str, text: str) -> None:
    assert decode(body, content_type) == text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"text", "image/png"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        (b"\x00\x01\x02", "application/octet-stream"),
        (b"\xff\xfe\xfd", "application/pdf"),
        (gzip.compress(b"x" * 500 + bytes(range(256))), "application/json"),
        (bytes(range(128, 256)), "text/plain"),
    ],
)
def test_bytes_that_are_no_text_are_not_shown(body: bytes, content_type: str) -> None:
    assert decode(body, content_type) is None


@given(st.binary(max_size=100), st.text(max_size=40))
def test_whatever_the_header_a_body_is_text_no_longer_than_it_or_none(
    body: bytes, rest: str
) -> None:
    for content_type in (rest, f"text/plain; charset={rest}"):
        text = decode(body, content_type)
        assert text is None or len(text) <= len(body)


@given(st.text(max_size=60), st.integers(0, 80))
def test_a_cut_keeps_whole_characters(text: str, limit: int) -> None:
    short, was_cut = cut(text, limit)
    assert text.startswith(short)
    assert len(short.encode()) <= limit
    assert was_cut == (short != text)
    if was_cut:
        assert len((short + text[len(short)]).encode()) > limit

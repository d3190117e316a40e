"""A large JSON text is checked piece by piece, and as strictly as a small one."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate.lib import jsoncheck, jsonio

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(["[", "\\", '",'])
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner),
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsoncheck, "PIECE", 7)


def fault(read: Any, raw: bytes) -> str:
    """What is wrong with it; empty when nothing is."""
    try:
        read(raw)
    except jsonio.BadJSON as error:
        return error.message
    return ""


@settings(max_examples=40)
@given(VALUES, st.booleans())
def test_what_is_json_passes(value: object, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()
    jsoncheck.check(raw)
    jsoncheck.check(b"\xef\xbb\xbf" + raw)


@settings(max_examples=80)
@given(VALUES, st.data())
def test_what_is_broken_is_refused_just_where_the_parser_refuses_it(
    value: object, data: st.DataObject
) -> None:
    raw = bytearray(json.dumps([value, {"a": value}]).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b"", b",", b"]", b"}", b"[", b'"', b"\\", b"0", b"\xff", b":"])
    )
    broken = bytes(raw)
    assert bool(fault(jsoncheck.check, broken)) == bool(fault(jsonio.loads, broken))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"a": 1, "bbbbbb": [1, 2, 3, 4, 5, 6], "a": 2}', "'a' is given twice"),
        (b'[{"x": [{"a": 1, "b": [1, 2, 3, 4, 5], "a": 2}]}, 0]', "given twice"),
        (b"[" * 201 + b"]" * 201, "nested"),
        (b"[0," * 201 + b"0" + b"]" * 201, "nested"),
        (b"[1, 2, 3, 4, NaN, 5, 6, 7]", "NaN"),
        (b"[1, 2, 3, 4, 1e999, 5, 6]", "too large"),
        (b"[1, 2, 3, " + b"1" * 5000 + b", 2]", "digits"),
        (rb'[1, 2, "aaaaaaaaaaaaaaaa\ud800", 5]', "lone surrogate"),
        (b'[1, 2, 3, "aaaaaaaaaa\xff", 5, 6]', "not UTF-8 at byte 21"),
        (b'[1, 2, 3, "aaaaaaaaaa\n", 5, 6]', "the text at byte 10 has no end"),
        (b"[1, 2, 3, 4, 5, 6, 7,]", "character 21"),
        (b"[1, 2, 3, 4, 5, 6, 7", "character"),
        (b"[1, 2, 3, 4, 5, 6}, 7]", "character 17"),
        (b"[1, 2, 3, 4], [5, 6, 7]", "Extra data at character 12"),
        (b"1, 2, 3, 4, 5, 6", "Extra data"),
        (b"", "character 0"),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, words: str) -> None:
    assert words in fault(jsoncheck.check, raw)


def test_a_text_longer_than_a_piece_passes() -> None:
    text = rb'"[,\"\\\u00e9\ud83d\ude00' + "\u00e9\U0001f600".encode() * 40 + b'"'
    jsoncheck.check(b"[%b, {%b: %b}]" % (text, text, text))
    twice = b"[%b, {%b: %b, %b: 1}]" % (text, text, text, text)
    assert "given twice" in fault(jsoncheck.check, twice)


def test_an_object_may_have_100_000_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsoncheck, "PIECE", 4096)
    names = [b'"%d":0' % number for number in range(100_010)]
    jsoncheck.check(b"{" + b",".join(names[:99_000]) + b"}")
    many = b"{" + b",".join(names) + b',"x":"' + b"x" * 5000 + b'","y":0}'
    assert "more than 100,000 names" in fault(jsoncheck.check, many)


def test_it_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsoncheck, "PIECE", 64 * 1024)
    raw = b"[" + b"[]," * 300_000 + b"0]"
    tracemalloc.start()
    try:
        jsoncheck.check(raw)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()

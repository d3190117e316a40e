"""Bodies are decoded as they come and never grow past the cap."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.net.decode import collect
from automate.lib.net.errors import NetError


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("gzip", gzip.compress(b"hello")),
        ("x-gzip", gzip.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", raw_deflate(b"hello")),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "zlib", "raw"],
)
def test_a_known_encoding_is_undone(encoding: str, packed: bytes) -> None:
    one_by_one = [packed[i : i + 1] for i in range(len(packed))]

    assert collect([packed], encoding, 100) == (b"hello", False)
    assert collect(one_by_one, encoding, 100) == (b"hello", False)


def test_an_unknown_encoding_is_left_as_it_came() -> None:
    assert collect([b"\x0b\x02"], "br", 100) == (b"\x0b\x02", False)


def test_an_empty_body_needs_no_decoding() -> None:
    assert collect([], "gzip", 100) == (b"", False)


def test_several_gzip_members_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")

    assert collect([packed], "gzip", 100) == (b"one two", False)
    assert collect([packed[:30], packed[30:]], "gzip", 100) == (b"one two", False)


def test_padding_after_gzip_is_ignored() -> None:
    assert collect([gzip.compress(b"x") + b"\0\0\0"], "gzip", 9) == (b"x", False)


@pytest.mark.parametrize("length", [0, 9, 10, 11, 500])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_is_cut_only_beyond_the_limit(length: int, encoding: str) -> None:
    body = b"a" * length
    packed = gzip.compress(body) if encoding else body

    found, truncated = collect([packed], encoding, 10)

    assert found == body[:10]
    assert truncated is (length > 10)


def test_a_gzip_bomb_is_never_held_in_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), 1)
    tracemalloc.start()
    try:
        body, truncated = collect([bomb], "gzip", 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (len(body), truncated) == (100_000, True)
    assert peak < 5_000_000


def test_reading_stops_at_the_cap() -> None:
    asked = 0

    def endless() -> object:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 10

    body, truncated = collect(endless(), "", 25)  # type: ignore[arg-type]

    assert (body, truncated, asked) == (b"x" * 25, True, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not gzip at all", "damaged"),
        (gzip.compress(b"hello")[:-4], "ends early"),
        (gzip.compress(b"hello")[:-8] + bytes(8), "damaged"),
    ],
    ids=["no gzip", "cut off", "wrong checksum"],
)
def test_a_damaged_body_is_an_error(data: bytes, reason: str) -> None:
    with pytest.raises(NetError, match=reason) as caught:
        collect([data], "gzip", 100)

    assert (caught.value.kind, caught.value.sent) == ("protocol", True)


@given(body=st.binary(max_size=400), step=st.integers(1, 50), limit=st.integers(0, 500))
def test_decoding_is_the_inverse_of_encoding(
    body: bytes, step: int, limit: int
) -> None:
    for encoding, packed in (
        ("gzip", gzip.compress(body)),
        ("deflate", zlib.compress(body)),
    ):
        chunks = [packed[i : i + step] for i in range(0, len(packed), step)]
        assert collect(chunks, encoding, limit) == (body[:limit], len(body) > limit)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_a_body_or_a_net_error(data: bytes, encoding: str) -> None:
    try:
        body, _ = collect([data], encoding, 50)
    except NetError:
        return

    assert len(body) <= 50

"""Bodies are read up to the cap, whole, and however the server ends them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks import body as module
from webhooks.body import BadBody, BodyReader


class Slow(io.RawIOBase):
    """A socket that gives a few bytes at a time, and remembers how much it gave."""

    def __init__(self, content: bytes, step: int = 7) -> None:
        self._content = content
        self._step = step
        self.given = 0
        self.largest = 0

    def read(self, size: int = -1, /) -> bytes:
        self.largest = max(self.largest, size)
        piece = self._content[self.given : self.given + min(size, self._step)]
        self.given += len(piece)
        return piece


def reader(stream: Any, **environ: Any) -> BodyReader:
    return BodyReader({"wsgi.input": stream, **environ})


def chunked(content: bytes, step: int = 7) -> tuple[Slow, BodyReader]:
    stream = Slow(content, step)
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    return stream, reader(stream, **environ)


def sized(content: bytes, announced: int | None = None) -> tuple[Slow, BodyReader]:
    stream = Slow(content)
    length = len(content) if announced is None else announced
    return stream, reader(stream, CONTENT_LENGTH=str(length))


@given(content=st.binary(max_size=200), step=st.integers(1, 250))
def test_a_chunked_body_arrives_whole(content: bytes, step: int) -> None:
    _, body = chunked(content, step)
    assert body.read(200) == content
    assert body.size == len(content)


@given(content=st.binary(max_size=200), extra=st.binary(max_size=20))
def test_nothing_behind_the_announced_length_is_read(
    content: bytes, extra: bytes
) -> None:
    stream = Slow(content + extra)
    assert reader(stream, CONTENT_LENGTH=str(len(content))).read(200) == content
    assert stream.given == len(content)


@given(size=st.integers(0, 40), cap=st.integers(0, 40))
def test_the_cap_is_exact(size: int, cap: int) -> None:
    for make in (chunked, sized):
        found = make(b"x" * size)[1].read(cap)
        assert (found is None) == (size > cap)


def test_an_announced_size_above_the_cap_is_refused_unread() -> None:
    stream, body = sized(b"x" * 100)
    assert body.read(99) is None
    assert stream.given == 0


def test_a_chunked_body_is_never_read_further_than_a_byte_behind_the_cap() -> None:
    stream, body = chunked(b"x" * 1000, step=1000)
    assert body.read(99) is None
    assert stream.given == 100


def test_reading_goes_on_under_a_higher_cap() -> None:
    for make in (chunked, sized):
        content = bytes(range(200))
        _, body = make(content)
        assert body.read(50) is None
        assert body.read(200) == content


def test_no_piece_asked_for_is_larger_than_64_kib() -> None:
    stream, body = chunked(b"x" * 300_000, step=10**6)
    assert body.read(10**6) == b"x" * 300_000
    assert stream.largest == 64 * 1024


def test_a_body_shorter_than_announced_is_no_body() -> None:
    _, body = sized(b"half", announced=8)
    with pytest.raises(BadBody, match="shorter") as caught:
        body.read(100)
    assert caught.value.status == 400


def test_a_connection_that_breaks_is_no_body() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise ConnectionResetError

    body = reader(Broken(), CONTENT_LENGTH="8")
    with pytest.raises(BadBody, match="ended before"):
        body.read(100)
    body.discard()


@pytest.mark.parametrize("length", ["-1", "+5", "abc", "1e3", " 5", "\u0665", "9" * 19])
def test_a_content_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(BadBody, match="not a number"):
        reader(Slow(b""), CONTENT_LENGTH=length)


@pytest.mark.parametrize("environ", [{}, {"CONTENT_LENGTH": ""}])
def test_without_length_and_chunks_there_is_no_body(environ: dict[str, Any]) -> None:
    stream = Slow(b"belongs to the next request")
    assert reader(stream, **environ).read(100) == b""
    assert stream.given == 0


def test_a_server_that_cannot_end_chunked_bodies_asks_for_a_length() -> None:
    with pytest.raises(BadBody) as caught:
        reader(Slow(b"x"), HTTP_TRANSFER_ENCODING="chunked")
    assert caught.value.status == 411


def test_chunks_win_over_a_length_that_was_sent_beside_them() -> None:
    stream = Slow(b"0123456789")
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert reader(stream, CONTENT_LENGTH="3", **environ).read(100) == b"0123456789"


def test_a_refused_body_is_read_away_so_that_the_answer_arrives() -> None:
    stream, body = sized(b"x" * 5000)
    assert body.read(100) is None
    body.discard()
    assert stream.given == 5000


def test_reading_away_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN", 1000)
    stream, body = chunked(b"x" * 50_000)
    assert body.read(100) is None
    body.discard()
    assert 1000 <= stream.given < 1200


def test_who_waits_for_100_continue_is_not_asked_to_send() -> None:
    stream = Slow(b"x" * 500)
    body = reader(stream, CONTENT_LENGTH="500", HTTP_EXPECT="100-Continue")
    assert body.read(100) is None
    body.discard()
    assert stream.given == 0

"""Bodies: decoded as they arrive, never past the cap (a gzip bomb is cut, not held)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from automate.lib.net.errors import NetError

_GZIP, _ZLIB, _RAW = 31, 15, -15
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})


def collect(chunks: Iterable[bytes], encoding: str, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the decoded body, and whether there was more.

    Encodings other than gzip and deflate are left as they came.
    """
    if encoding in _ENCODINGS:
        chunks = _inflate(chunks, encoding, limit + 1)
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(parts)[:limit], True
    return b"".join(parts), False


def _inflate(chunks: Iterable[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """The decoded stream, in pieces of at most `most` bytes."""
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if len(start) >= 2:
            break
    if not start:
        return
    wbits = _ZLIB if encoding == "deflate" else _GZIP
    if wbits == _ZLIB and not _is_zlib(start):
        wbits = _RAW  # some servers mean that by "deflate"
    inflater = zlib.decompressobj(wbits)
    data = start
    while True:
        while data and not (inflater.eof and _is_padding(data, wbits)):
            if inflater.eof:
                inflater = zlib.decompressobj(wbits)
            yield _step(inflater, data, most)
            data = inflater.unconsumed_tail or inflater.unused_data
        following = next(rest, None)
        if following is None:
            break
        data = following
    if not inflater.eof:
        raise NetError("protocol", "the compressed body ends early", sent=True)


def _is_zlib(start: bytes) -> bool:
    """Whether the first two bytes are a zlib header (RFC 1950, 2.2)."""
    return start[0] & 0x0F == 8 and int.from_bytes(start[:2]) % 31 == 0


def _is_padding(data: bytes, wbits: int) -> bool:
    """After one stream only gzip may have another (RFC 1952, 2.2)."""
    return wbits != _GZIP or data[:1] != b"\x1f"


def _step(inflater: zlib._Decompress, data: bytes, most: int) -> bytes:
    try:
        return inflater.decompress(data, most)
    except zlib.error as error:
        message = f"the compressed body is damaged: {error}"
        raise NetError("protocol", message, sent=True) from None

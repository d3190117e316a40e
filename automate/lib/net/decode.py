"""Bodies: decoded as they arrive, never past the cap (a gzip bomb is cut, not held)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from automate.lib.net.errors import NetError

_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15


def collect(chunks: Iterable[bytes], encoding: str, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the decoded body, and whether there was more.

    Encodings other than gzip and deflate are left as they came.
    """
    if encoding in _WBITS:
        chunks = _Inflate(_WBITS[encoding], limit).run(chunks)
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(parts)[:limit], True
    return b"".join(parts), False


class _Inflate:
    """A stream of compressed chunks as decoded ones of at most `limit` + 1 bytes."""

    def __init__(self, wbits: int, limit: int) -> None:
        self._wbits = wbits
        self._most = limit + 1
        self._inflater = zlib.decompressobj(wbits)
        self._started = False

    def run(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        for chunk in chunks:
            data = chunk
            while data and not self._is_over(data):
                if self._inflater.eof:
                    self._inflater = zlib.decompressobj(self._wbits)
                yield self._step(data)
                data = self._inflater.unconsumed_tail or self._inflater.unused_data
        if self._started and not self._inflater.eof:
            raise NetError("protocol", "the compressed body ends early", sent=True)

    def _is_over(self, data: bytes) -> bool:
        """Whether only padding follows the end of a compressed stream."""
        return self._inflater.eof and not (self._wbits == 31 and data[:1] == b"\x1f")

    def _step(self, data: bytes) -> bytes:
        try:
            out = self._inflater.decompress(data, self._most)
        except zlib.error as error:
            if self._started or self._wbits != 15:
                message = f"the compressed body is damaged: {error}"
                raise NetError("protocol", message, sent=True) from None
            # Some servers send raw deflate under that name.
            self._wbits = _RAW_DEFLATE
            self._inflater = zlib.decompressobj(_RAW_DEFLATE)
            return self._step(data)
        self._started = True
        return out

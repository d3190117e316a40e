"""W11: plain ingest beside senders that stopped half-way."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from benchmarks import seed
from benchmarks.processes import Site
from benchmarks.sender import Sent, open_loop
from benchmarks.workloads import percentiles, take

SETTLE = 2.0  # seconds in which the server has taken all half-open connections

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def w11(
    site: Site, halves: int = 200, seconds: float = 20.0, rate: float = 50.0
) -> dict[str, Any]:
    """50 events a second beside 200 half-open connections, half of them in a body."""
    plain = seed.hook(f"plain-{uuid4().hex[:8]}", [take(site)])
    events = range(int(seconds * rate))
    alone = await open_loop(site.port, plain.path, events, rate)
    before = site.cost()
    opened = [await _half(site.port, plain.path, n % 2 == 0) for n in range(halves)]
    await asyncio.sleep(SETTLE)
    beside = await open_loop(site.port, plain.path, events, rate)
    during = site.cost()
    still = sum(not reader.at_eof() for reader, _ in opened)
    for _, writer in opened:
        writer.close()
    return {
        "accept alone p50/p99 ms": percentiles(_times(alone)),
        "accept beside p50/p99 ms": percentiles(_times(beside)),
        "slowest beside ms": round(max(_times(beside)) * 1000, 1),
        "refused": len(alone.refused) + len(beside.refused),
        "half-open at the start/end of it": (halves, still),
        "PSS before/beside MiB": (round(before.pss, 1), round(during.pss, 1)),
    }


async def _half(port: int, path: str, within_body: bool) -> Connection:  # noqa: FBT001 - one of two alike
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    rest = 'Content-Length: 700\r\nContent-Type: application/json\r\n\r\n{"n":1,'
    writer.write((head + rest if within_body else head + "Content-Le").encode())
    await writer.drain()
    return reader, writer


def _times(sent: Sent) -> list[float]:
    return [sent.answered[number] - sent.sent[number] for number in sent.sent]

"""W10: plain ingest beside senders that wait for the answers of slow runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

from benchmarks import seed
from benchmarks.processes import Site
from benchmarks.sender import Sent, open_loop, posted, request
from benchmarks.workloads import percentiles, take

SETTLE = 2.0  # seconds in which all waiters have sat down


async def w10(
    site: Site, waiters: int = 200, seconds: float = 10.0, rate: float = 100.0
) -> dict[str, Any]:
    """200 senders wait for runs of 10 s, plain events come at 100 a second beside."""
    plain = seed.hook(f"plain-{uuid4().hex[:8]}", [take(site)])
    slow = seed.waited(f"slow-{uuid4().hex[:8]}", seconds)
    events = int(rate * (seconds - SETTLE - 1))
    alone = await open_loop(site.port, plain.path, range(events), rate)
    before = site.cost()
    waiting = [
        asyncio.create_task(posted(site.port, request(site.port, slow.path, number)))
        for number in range(waiters)
    ]
    await asyncio.sleep(SETTLE)
    refused_at_once = Counter(task.result()[0] for task in waiting if task.done())
    held = sum(not task.done() for task in waiting)
    during = site.cost()
    beside = await open_loop(site.port, plain.path, range(events), rate)
    still = sum(not task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    late = [took - seconds for status, took in answers if status == "200"]
    return {
        "plain alone p50/p99 ms": percentiles(_times(alone)),
        "plain beside p50/p99 ms": percentiles(_times(beside)),
        "plain refused": len(alone.refused) + len(beside.refused),
        "kept waiting, at the start/end of it": (held, still),
        "answered at once": dict(refused_at_once),
        "answers": dict(Counter(status for status, _ in answers)),
        "answered later than the pause p50/p99 ms": percentiles(late),
        "PSS before/beside MiB": (round(before.pss, 1), round(during.pss, 1)),
    }


def _times(sent: Sent) -> list[float]:
    return [sent.answered[number] - sent.sent[number] for number in sent.sent]

"""W6 to W8: many steps at once, many child runs, many runs beside a single event."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from benchmarks import seed
from benchmarks.processes import Site
from benchmarks.sender import Sent, closed_loop, open_loop
from benchmarks.workloads import LIMIT, Figures, percentiles, settled, take


async def w6(site: Site, runs: int = 100, width: int = 100) -> Figures:
    """A fan-out of 100 HTTP steps and a join, 100 runs."""
    join = {"id": "join", "type": "set", "config": {"values": {"done": True}}}
    steps = [_call(f"step-{index}", take(site)) for index in range(width)]
    target = seed.published(
        _name("w6"),
        [{"id": "begin", "type": "set", "config": {"values": {}}}, *steps, join],
        connections=[
            *({"from": "begin", "to": step["id"]} for step in steps),
            *({"from": step["id"], "to": "join"} for step in steps),
        ],
    )
    sent = await closed_loop(site.port, target.path, range(runs), connections=16)
    await settled(target, lambda: None)
    spent = _until_the_last(target, sent)
    return {
        "runs": runs,
        "runs/s": round(runs / spent, 1),
        "steps/s": round(runs * (width + 2) / spent, 1),
        "one run p50/p99 ms": percentiles(seed.durations(target)),
    }


async def w7(site: Site, items: int = 1000, runs: int = 5) -> Figures:
    """A loop over 1,000 items with one HTTP step each, 5 runs one after the other."""
    body = {"nodes": [_call("tell", take(site), "{{ item }}")], "connections": []}
    config = {"items": list(range(items)), "concurrency": 50, **body}
    loop = {"id": "loop", "type": "for_each", "config": config}
    target = seed.published(_name("w7"), [loop])
    for number in range(runs):
        await closed_loop(site.port, target.path, range(number, number + 1), 1)
        await settled(target, lambda: None)
    took = seed.durations(target)
    middle = sorted(took)[len(took) // 2]
    return {
        "runs": runs,
        "one run, median s": round(middle, 2),
        "items/s": round(items / middle, 1),
    }


async def w8(site: Site, burst: int = 10_000, every: float = 0.5) -> Figures:
    """A burst of 10,000 runs, beside it an event of another workflow each 0.5 s."""
    single = seed.hook(_name("w8-single"), [take(site)])
    alone = await open_loop(site.port, single.path, range(10), 1 / every)
    await settled(single, lambda: None)
    quiet = seed.durations(single)
    _taken(alone)
    crowd = seed.hook(_name("w8-crowd"), [take(site)])
    begin = time.monotonic()
    await asyncio.to_thread(seed.backlog, crowd, burst, due_in=timedelta(0))
    events = 0
    until = time.monotonic() + LIMIT
    while left := await asyncio.to_thread(seed.unfinished, crowd):
        four = range(events, events + 4)
        _taken(await open_loop(site.port, single.path, four, 1 / every))
        events += 4
        if time.monotonic() > until:
            msg = f"{left} runs of the burst are unfinished after {LIMIT:.0f} s"
            raise TimeoutError(msg)
    spent = time.monotonic() - begin
    await settled(single, lambda: None)
    delays = seed.durations(single)[len(quiet) :]
    return {
        "burst": burst,
        "burst finished/s": round(burst / spent, 1),
        "single events beside it": len(delays),
        "single, alone: accept to finished p50/p99 ms": percentiles(quiet),
        "single, beside: accept to finished p50/p99 ms": percentiles(delays),
        "single, beside: the longest ms": round(max(delays) * 1000, 1),
    }


def _call(
    key: str, url: str, number: str = "{{ trigger.payload.n }}"
) -> dict[str, Any]:
    return {
        "id": key,
        "type": "http_request",
        "config": {"method": "POST", "url": url, "body": {"n": number}},
    }


def _until_the_last(target: seed.Hook, sent: Sent) -> float:
    """Seconds from the first accept to the last end; raises when one went wrong."""
    _taken(sent)
    good, others, last = seed.ends(target)
    if others or good != len(sent.sent):
        msg = f"{good} of {len(sent.sent)} runs succeeded, {others} ended otherwise"
        raise RuntimeError(msg)
    return last - (time.time() - time.monotonic()) - min(sent.answered.values())


def _taken(sent: Sent) -> None:
    if sent.refused:
        msg = f"{len(sent.refused)} events refused, first: {sent.refused[0]!r}"
        raise RuntimeError(msg)


def _name(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"

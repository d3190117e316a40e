"""The workloads W1 to W5 and W9; each returns its figures by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import quantiles
from typing import Any

from benchmarks import seed
from benchmarks.processes import Cost, Site
from benchmarks.sender import Sent, closed_loop, open_loop

Figures = dict[str, Any]
LIMIT = 180.0  # seconds after which a workload gives up waiting


def percentiles(values: list[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    if len(values) < 2:
        return (0.0, 0.0)
    cuts = quantiles(values, n=100)
    return round(cuts[49] * 1000, 1), round(cuts[98] * 1000, 1)


async def arrivals(site: Site) -> tuple[int, dict[int, float]]:
    """What the receiver got: all requests, and the first arrival of each number."""
    import json

    reader, writer = await asyncio.open_connection("127.0.0.1", site.receiver)
    writer.write(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    data = json.loads(await reader.readexactly(length))
    writer.close()
    return data["count"], {int(key): when for key, when in data["arrivals"].items()}


async def reset(site: Site) -> None:
    """Let the receiver forget."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.receiver)
    writer.write(b"POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def settled(target: seed.Hook, memory: Callable[[], None]) -> None:
    """Wait until no run of this workflow is left unfinished."""
    until = time.monotonic() + LIMIT
    while await asyncio.to_thread(seed.unfinished, target):
        if time.monotonic() > until:
            msg = f"runs are unfinished after {LIMIT:.0f} s"
            raise TimeoutError(msg)
        memory()
        await asyncio.sleep(0.1)


def take(site: Site, delay: int = 0) -> str:
    """The receiver's address that answers after `delay` milliseconds."""
    return f"http://127.0.0.1:{site.receiver}/take/{delay}"


def _check(sent: Sent, target: seed.Hook, expected: int) -> int:
    """Succeeded runs; raises when an event was refused or lost."""
    if sent.refused:
        msg = f"{len(sent.refused)} events refused, first: {sent.refused[0]!r}"
        raise RuntimeError(msg)
    good, others, _ = seed.ends(target)
    if good != expected or others:
        msg = f"{good} of {expected} runs succeeded, {others} ended otherwise"
        raise RuntimeError(msg)
    return good


async def _closed(
    site: Site, target: seed.Hook, events: int, steps: int = 1
) -> Figures:
    await reset(site)
    before = site.cost()
    peak = [before.pss]

    def memory() -> None:
        peak.append(site.cost().pss)

    offset = time.time() - time.monotonic()
    sent = await closed_loop(site.port, target.path, range(events))
    await settled(target, memory)
    after = site.cost()
    _check(sent, target, events)
    count, came = await arrivals(site)
    first = min(sent.answered.values())
    last_accept = max(sent.answered.values())
    last_end = seed.ends(target)[2] - offset
    whole = [came[number] - sent.sent[number] for number in sent.sent]
    return {
        "events": events,
        "accepted/s": round(events / (last_accept - min(sent.sent.values())), 1),
        "finished/s": round(events / (last_end - first), 1),
        "accept p50/p99 ms": percentiles(
            [sent.answered[key] - sent.sent[key] for key in sent.sent]
        ),
        "end to end p50/p99 ms": percentiles(whole),
        "requests sent": count,
        "sent twice": count - events * steps,
        **_per_event(before, after, events),
        "peak PSS MiB": round(max(peak), 1),
    }


def _per_event(before: Cost, after: Cost, events: int) -> Figures:
    def cost(name: str) -> float:
        used = getattr(after, name) - getattr(before, name)
        return round(float(used) / events * 1000, 3)

    return {
        "CPU ms/event ours": cost("ours"),
        "CPU ms/event of it web": cost("web"),
        "CPU ms/event PostgreSQL": cost("postgres"),
    }


async def w1(site: Site, events: int = 5000) -> Figures:
    """One HTTP step, the receiver answers at once, 64 connections in a closed loop."""
    return await _closed(site, seed.hook(_name("w1"), [take(site)]), events)


async def w2(site: Site, events: int = 1000) -> Figures:
    """The receiver takes 200 ms: seconds from the last accept to the last delivery."""
    target = seed.hook(_name("w2"), [take(site, 200)])
    await reset(site)
    sent = await closed_loop(site.port, target.path, range(events))
    await settled(target, lambda: None)
    _check(sent, target, events)
    _, came = await arrivals(site)
    last_accept = max(sent.answered.values())
    return {
        "events": events,
        "last accept to last delivery s": round(max(came.values()) - last_accept, 2),
    }


async def w3(site: Site, seconds: int = 20, rate: float = 20.0) -> Figures:
    """20 events a second for 20 s in an open loop."""
    target = seed.hook(_name("w3"), [take(site)])
    await reset(site)
    events = int(seconds * rate)
    sent = await open_loop(site.port, target.path, range(events), rate)
    await settled(target, lambda: None)
    _check(sent, target, events)
    _, came = await arrivals(site)
    return {
        "events": events,
        "end to end p50/p99 ms": percentiles(
            [came[number] - sent.sent[number] for number in sent.sent]
        ),
    }


async def w4(site: Site, events: int = 1000) -> Figures:
    """A line of five HTTP steps."""
    target = seed.hook(_name("w4"), [take(site)] * 5)
    figures = await _closed(site, target, events, steps=5)
    figures["steps/s"] = round(figures["finished/s"] * 5, 1)
    return figures


async def w5(site: Site, seconds: int = 15) -> Figures:
    """Idle: memory and CPU of all our processes."""
    await asyncio.sleep(5)
    before, begin = site.cost(), time.monotonic()
    await asyncio.sleep(seconds)
    after = site.cost()
    spent = time.monotonic() - begin
    return {
        "processes": after.count,
        "PSS MiB": round(after.pss, 1),
        "CPU % ours": round((after.ours - before.ours) / spent * 100, 2),
        "CPU % PostgreSQL": round((after.postgres - before.postgres) / spent * 100, 2),
    }


async def w9(site: Site, events: int = 5000, rows: int = 100_000) -> Figures:
    """W1 beside jobs due tomorrow and jobs due now of a neighbour at its limit.

    The neighbour may run one at a time against a slow receiver, so that its backlog
    stays: what is measured is the cost of passing it over.
    """
    alone = await w1(site, events)
    neighbour = seed.hook(_name("w9-now"), [take(site, 500)], limit=1)
    later = seed.hook(_name("w9-later"), [take(site)])
    await asyncio.to_thread(seed.backlog, later, rows, due_in=timedelta(days=1))
    await asyncio.to_thread(seed.backlog, neighbour, rows, due_in=timedelta(0))
    await asyncio.to_thread(seed.settle)
    await asyncio.sleep(2)
    beside = await w1(site, events)
    return {
        "W1 alone finished/s": alone["finished/s"],
        "W1 beside finished/s": beside["finished/s"],
        "kept %": round(beside["finished/s"] / alone["finished/s"] * 100, 1),
        "end to end p50/p99 ms beside": beside["end to end p50/p99 ms"],
        **{
            f"{name} alone/beside": (alone[name], beside[name])
            for name in ("accepted/s", "CPU ms/event ours", "CPU ms/event PostgreSQL")
        },
        "claim p50/p99 ms": await asyncio.to_thread(claim_times),
    }


def claim_times(rounds: int = 200) -> tuple[float, float]:
    """p50 and p99 of claims of 64 on the database as it is, rolled back each time.

    Beside the backlogs there are 640 due jobs that only this transaction sees.
    """
    from django.db import transaction

    from automate.lib.database import tune_sessions
    from runs.engine.claim import Claimer
    from runs.tasks import SESSION

    tune_sessions(**SESSION)
    claimer, times = Claimer(), []
    with transaction.atomic():
        fresh = seed.hook(_name("w9-claim"), ["http://127.0.0.1:9/"])
        seed.backlog(fresh, 640, due_in=timedelta(seconds=-1))
        for _ in range(rounds):
            point = transaction.savepoint()
            begin = time.monotonic()
            claim = claimer.claim(64)
            times.append(time.monotonic() - begin)
            if len(claim.jobs) != 64:
                msg = f"a claim of 64 found {len(claim.jobs)}"
                raise RuntimeError(msg)
            transaction.savepoint_rollback(point)
        transaction.set_rollback(True)
    return percentiles(times)


_names = iter(range(1_000_000))


def _name(prefix: str) -> str:
    return f"{prefix}-{next(_names)}"


WORKLOADS: dict[str, Callable[..., Any]] = {
    "w1": w1, "w2": w2, "w3": w3, "w4": w4, "w5": w5, "w9": w9,
}  # fmt: skip

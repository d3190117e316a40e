"""The benchmark's sender: signed webhook posts, in a closed or an open loop."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass, field

SECRET = b"benchmark-secret"


@dataclass(slots=True)
class Sent:
    """When each event was sent and answered, in monotonic seconds, by its number."""

    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    refused: list[bytes] = field(default_factory=list)


def request(port: int, path: str, number: int) -> bytes:
    """One signed event as GitHub sends it, about 1 KB."""
    body = b'{"n":%d,"ref":"refs/heads/main","text":"%s"}' % (number, b"x" * 700)
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "X-GitHub-Event: push\r\n"
        f"X-GitHub-Delivery: bench-{time.time_ns()}-{number}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\n\r\n"
    )
    return head.encode() + body


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> bytes:
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = await reader.readexactly(length)
    return head.split(b" ", 2)[1] + b" " + body


async def posted(port: int, data: bytes) -> tuple[str, float]:
    """Status and seconds of one request, alone on its connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begin = time.monotonic()
    answer = await _post(reader, writer, data)
    writer.close()
    return answer.split(b" ", 1)[0].decode(), time.monotonic() - begin


async def closed_loop(
    port: int, path: str, numbers: range, connections: int = 64
) -> Sent:
    """`connections` senders, each posting its next event when the last is answered."""
    result = Sent()
    waiting = iter(numbers)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in waiting:
            data = request(port, path, number)
            result.sent[number] = time.monotonic()
            answer = await _post(reader, writer, data)
            result.answered[number] = time.monotonic()
            if not answer.startswith(b"202"):
                result.refused.append(answer)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return result


async def open_loop(port: int, path: str, numbers: range, rate: float) -> Sent:
    """`rate` events a second whatever the answers take; keeps connections open."""
    result = Sent()
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    begin = time.monotonic()

    async def one(number: int) -> None:
        pair = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        data = request(port, path, number)
        result.sent[number] = time.monotonic()
        answer = await _post(*pair, data)
        result.answered[number] = time.monotonic()
        if not answer.startswith(b"202"):
            result.refused.append(answer)
        idle.append(pair)

    tasks = []
    for index, number in enumerate(numbers):
        await asyncio.sleep(max(begin + index / rate - time.monotonic(), 0))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return result

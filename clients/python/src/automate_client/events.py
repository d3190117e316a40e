"""A run's events as they happen (Server-Sent Events; WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from time import sleep
from typing import Any

import requests

from automate_client.errors import ApiError, RateLimited, Unavailable, Unreachable
from automate_client.transport import Transport

SILENCE = 45.0  # seconds; a sign of life comes every 15


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is run, step, attempt, log or end; `id` is where one could go on."""

    kind: str
    data: dict[str, Any]
    id: str


def follow(transport: Transport, url: str, last_id: str) -> Iterator[Event]:
    """The events until the run has ended, over as many connections as it takes."""
    failures = 0
    while failures < transport.tries:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        timeout = (transport.timeout, SILENCE)
        pause = 1.0
        try:
            with transport.once(
                "GET", url, headers=headers, stream=True, timeout=timeout
            ) as answer:
                if answer.status_code == 204:  # nothing is new, and the run has ended
                    return
                for event in _read(answer, last_id):
                    failures = 0
                    last_id = event.id
                    yield event
                    if event.kind == "end":
                        return
        except (RateLimited, Unavailable) as error:
            failures, pause = failures + 1, error.retry_after or pause
            last: Exception = error
        except (Unreachable, requests.RequestException) as error:
            failures, last = failures + 1, error
        else:
            failures, last = failures + 1, Unreachable("the stream ended early")
        sleep(pause)
    raise last if isinstance(last, ApiError) else Unreachable(str(last)) from last


def _read(answer: requests.Response, last_id: str) -> Iterator[Event]:
    kind, data = "message", list[str]()
    # Bytes: of text `iter_lines` would also take other marks for the end of a line.
    for line in answer.iter_lines(chunk_size=1):
        name, _, value = line.decode().partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value
        elif not line:
            if data:
                yield Event(kind, json.loads("\n".join(data)), last_id)
            kind, data = "message", []

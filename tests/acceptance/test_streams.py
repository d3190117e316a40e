"""A run followed while it runs: `manage.py up`, a webhook, and a reader of events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from tests.acceptance.site import Site
from tests.streams import Events, Socket

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.timeout(600),
]

WORKFLOW = """
slug: slow-order
name: Slow order
triggers:
  - kind: webhook
    config: {path: slow-order, scheme: none}
definition:
  steps:
    - {name: first, type: set, config: {values: {a: 1}}}
    - {name: pause, type: wait_for_webhook, config: {timeout: 1h}}
    - {name: said, type: log, config: {message: "card 4111 {{ trigger.payload.pin }}"}}
"""


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, module_database: str | None
) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("streams"), module_database, {})
    try:
        made.up()
        made.publish(WORKFLOW)
        yield made
    finally:
        made.kill()


def key_of(site: Site) -> str:
    site.api("runs")
    return site._key


def go_on(site: Site, run_id: str) -> None:
    """End the pause of this run."""
    reply = requests.post(
        f"{site.url}/api/v1/runs/{run_id}/waits/pause",
        json={"decision": "received", "data": {}},
        headers={"X-Api-Key": key_of(site)},
        timeout=90,
    )
    assert reply.status_code == 200, reply.text


def news_of(reader: Socket, run_id: str) -> str:
    """The next status that it tells of this run."""
    while message := reader.next():
        if message["event"] == "run" and message["data"]["id"] == run_id:
            return str(message["data"]["status"])
    raise AssertionError("it was closed")


def test_a_run_is_told_as_it_happens(site: Site) -> None:
    key = key_of(site)
    run_id = site.started("slow-order", {"pin": "sesame"})
    url = site.api(f"runs/{run_id}")["links"]["events"]

    with closing(Events(url, authorization=f"Bearer {key}")) as events:
        assert events.status == 200
        assert events.answer.headers["Content-Type"] == "text/event-stream"
        told = events.until(
            lambda event: event.kind == "run" and event.data["status"] == "waiting"
        )
        go_on(site, run_id)
        told += events.rest()
    states = {"run": [], "step": [], "log": []}  # type: ignore[var-annotated]
    for event in told[:-1]:
        states[event.kind].append(event.data)
    assert states["run"][-1]["status"] == "succeeded"
    waited = [run["status"] for run in states["run"]]
    assert "waiting" in waited
    steps = {(step["id"], step["status"]) for step in states["step"]}
    assert {
        ("pause", "waiting"),
        ("pause", "succeeded"),
        ("said", "succeeded"),
    } <= steps
    assert states["log"][-1]["step"] == "said"
    assert told[-1].kind == "end"
    assert told[-1].id
    # Not a word of what came in or went out: that is for the API, with its redaction.
    assert "sesame" not in str(told)


def test_the_web_server_sends_readers_on(site: Site) -> None:
    run_id = site.started("slow-order", {"pin": "1"})
    answer = requests.get(
        f"{site.url}/api/v1/runs/{run_id}/events",
        headers={"X-Api-Key": key_of(site)},
        allow_redirects=False,
        timeout=90,
    )

    assert answer.status_code == 307
    assert answer.headers["Location"] == site.api(f"runs/{run_id}")["links"]["events"]


def test_who_comes_back_gets_what_is_new_and_in_the_end_nothing(site: Site) -> None:
    key = key_of(site)
    run_id = site.started("slow-order", {"pin": "1"})
    url = site.api(f"runs/{run_id}")["links"]["events"]
    with closing(Events(url, x_api_key=key)) as events:
        told = events.until(
            lambda event: event.kind == "step" and event.data["status"] == "waiting"
        )
        while not told[-1].id:
            told += events.until(lambda event: bool(event.id))
    go_on(site, run_id)
    site.ended(run_id)

    with closing(Events(url, x_api_key=key, last_event_id=told[-1].id)) as again:
        rest = again.rest()

    assert rest[-1].kind == "end"
    # The answer to the pause is in the log too.
    assert [one.data["step"] for one in rest if one.kind == "log"] == ["pause", "said"]
    with closing(Events(url, x_api_key=key, last_event_id=rest[-1].id)) as over:
        assert over.status == 204
    # From the beginning all of it is told once more.
    with closing(Events(url, x_api_key=key)) as anew:
        steps = {one.data["id"] for one in anew.rest() if one.kind == "step"}
    assert steps == {"first", "pause", "said"}


def test_a_websocket_tells_the_same(site: Site) -> None:
    key = {"X-Api-Key": key_of(site)}
    run_id = site.started("slow-order", {"pin": "1"})
    url = site.api(f"runs/{run_id}")["links"]["events"]
    base = url.partition("/api/")[0].replace("http", "ws")

    with (
        closing(Socket(f"{base}/ws/runs/{run_id}", key)) as one,
        closing(Socket(f"{base}/ws/workflows/slow-order", key)) as all_runs,
    ):
        for reader in (one, all_runs):
            while news_of(reader, run_id) != "waiting":
                pass
        go_on(site, run_id)
        told = one.rest()
        while news_of(all_runs, run_id) != "succeeded":
            pass

    assert one.status == 101
    assert told[-1]["event"] == "end"
    assert told[-1]["data"]["status"] == "succeeded"
    assert one.code == 1000

"""`send_event` signs as each provider does; a real server takes what it sends."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from runs.models import Run
from tests.webhooks.makers import PUSH, SECRET, make_trigger
from workflows.models import Trigger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def push(tmp_path: Path) -> str:
    path = tmp_path / "push.json"
    path.write_bytes(PUSH)
    return str(path)


def run(server: LiveServer, key: str, file: str, *options: str) -> tuple[int, str]:
    """Exit status and standard output."""
    out = io.StringIO()
    status = 0
    try:
        arguments = [key, "--file", file, "--url", server.url, *options]
        call_command("send_event", *arguments, stdout=out)
    except SystemExit as error:
        status = int(str(error.code))
    return status, out.getvalue()


@pytest.mark.parametrize(
    "scheme", ["none", "github", "hmac", "standard_webhooks", "twilio"]
)
def test_the_triggers_own_scheme_and_secret_are_used(
    live_server: LiveServer, push: str, scheme: str, settings: Settings
) -> None:
    settings.PUBLIC_URL = live_server.url  # Twilio signs it
    trigger = make_trigger({"scheme": scheme})
    status, out = run(live_server, trigger.key, push, "--event-id", "d-1")
    found = Run.objects.get()
    assert status == 0
    assert str(found.pk) in out
    assert (found.body, found.event_id) == (PUSH, "d-1")
    assert found.content_type == "application/json"
    assert SECRET not in out


def test_the_triggers_own_options_are_used(live_server: LiveServer, push: str) -> None:
    options = {"header": "X-Sig", "prefix": "v1=", "timestamp_header": "X-Time"}
    trigger = make_trigger({"scheme": "hmac", "hmac": options}, path="shop/orders")
    assert trigger.path is not None
    assert run(live_server, trigger.path, push)[0] == 0


def test_the_event_is_named_as_the_provider_names_it(
    live_server: LiveServer, push: str
) -> None:
    trigger = make_trigger({"scheme": "github", "events": ["push"]})
    assert "accepted" in run(live_server, trigger.key, push, "--event", "push")[1]
    status, out = run(live_server, trigger.key, push, "--event", "star")
    assert (status, "filtered, no run" in out) == (0, True)


def test_sent_twice_it_is_the_same_event(live_server: LiveServer, push: str) -> None:
    trigger = make_trigger({"scheme": "github"})
    for words in ("accepted", "the same event as before"):
        status, out = run(live_server, trigger.key, push, "--event-id", "d-1")
        assert (status, words in out) == (0, True)


def test_a_refusal_is_exit_status_1_with_its_code(
    live_server: LiveServer, push: str
) -> None:
    trigger = make_trigger({"scheme": "github"})
    status, out = run(live_server, trigger.key, push, "--secret", "wrong")
    assert status == 1
    assert "401 UNAUTHORIZED: " in out


def test_json_is_for_programs(live_server: LiveServer, push: str) -> None:
    trigger = make_trigger({"scheme": "github"})
    status, out = run(live_server, trigger.key, push, "--json")
    told: dict[str, Any] = json.loads(out)
    assert (status, told["ok"], told["status"]) == (0, True, 202)
    assert told["answer"]["run_id"] in told["location"]
    assert told["url"].endswith(f"/v1/webhooks/{trigger.key}")


def test_another_scheme_than_the_triggers_may_be_tried(
    live_server: LiveServer, push: str
) -> None:
    trigger = make_trigger({"scheme": "github"})
    assert run(live_server, trigger.key, push, "--scheme", "none")[0] == 1


def test_headers_are_added_and_take_the_providers_place(
    live_server: LiveServer, push: str
) -> None:
    trigger = make_trigger({"scheme": "github"})
    more = ["--header", "X-Color: red", "--header", "content-type:text/plain"]
    assert run(live_server, trigger.key, push, *more)[0] == 0
    found = Run.objects.get()
    assert (found.content_type, found.headers["x-color"]) == ("text/plain", "red")


def test_what_is_no_json_is_sent_as_bytes(
    live_server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"\x00\xff")
    assert run(live_server, make_trigger().key, str(path))[0] == 0
    assert Run.objects.get().content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["unknown", "--file", "{push}"], "say --scheme"),
        (["unknown", "--file", "{push}", "--scheme", "github"], "say --secret"),
        (["{key}", "--file", "/does/not/exist"], "No such file"),
        (["{key}", "--file", "{push}", "--header", "nonsense"], "NAME:VALUE"),
        (["{key}", "--file", "{push}", "--url", "{nobody}"], "does not answer"),
    ],
)
def test_what_is_missing_is_said(push: str, arguments: list[str], words: str) -> None:
    trigger = make_trigger()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        known = {"push": push, "key": trigger.key, "nobody": nobody}
        with pytest.raises(CommandError, match=words):
            call_command("send_event", *(text.format(**known) for text in arguments))


def test_a_secret_that_cannot_be_read_is_told(
    push: str, settings: Any, live_server: LiveServer
) -> None:
    trigger = make_trigger({"scheme": "github"})
    settings.FIELD_ENCRYPTION_KEYS = ["another key"]
    with pytest.raises(CommandError, match="unreadable"):
        call_command("send_event", trigger.key, "--file", push)
    assert Trigger.objects.count() == 1

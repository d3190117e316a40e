"""Sequences of curl as other people print them, against real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.receivers import Receiver
from tests.acceptance.site import Site
from tests.processes import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.timeout(600),
]
ENDED = ("succeeded", "failed", "dead_letter", "cancelled")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, module_database: str | None
) -> Iterator[Site]:
    changes = {"AUTOMATE_REGISTRATION": "1"}
    site = Site(tmp_path_factory.mktemp("curl"), module_database, changes)
    try:
        site.up()
        yield site
    finally:
        site.kill()


class Curl:
    """`curl("POST", path, data)` -> (status, JSON), by the program itself."""

    def __init__(self, site: Site, *headers: str) -> None:
        self.site = site
        self.headers = headers

    def __call__(
        self, method: str, path: str, data: Any = None, *more: str
    ) -> tuple[int, Any]:
        url = path if path.startswith("http") else f"{self.site.url}{path}"
        line = ["curl", "-sS", "-X", method, url, "-w", "\n%{http_code}"]
        for header in self.headers:
            line += ["-H", header]
        if data is not None:
            line += ["-H", "Content-Type: application/json", "-d", json.dumps(data)]
        told = subprocess.run(
            [*line, *more], capture_output=True, text=True, timeout=120, check=True
        ).stdout
        body, _, status = told.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def until_ended(self, path: str) -> Any:
        """What a run's address answers once the run has ended."""
        found: dict[str, Any] = {}

        def is_over() -> bool:
            status, body = self("GET", path)
            assert status == 200, body
            found.update(body)
            return found["status"] in ENDED

        eventually(is_over)
        return found


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """A developer's API key, with all that it needs."""
    account = {
        "DJANGO_SUPERUSER_EMAIL": "dev@example.com",
        "DJANGO_SUPERUSER_PASSWORD": "a long pass phrase",
    }
    site.manage("createsuperuser", "--noinput", **account)
    scopes = [
        "workflows:read", "workflows:write", "runs:read", "runs:execute",
        "payloads:read",
    ]  # fmt: skip
    arguments = ["dev@example.com", "--name", "tests", "--scope", *scopes]
    return site.manage("create_api_key", *arguments).strip().splitlines()[-1]


def test_steps_with_an_id_of_the_client_s_then_trigger_then_the_run(
    site: Site, receiver: Receiver, key: str
) -> None:
    curl = Curl(site, f"X-Api-Key: {key}")
    status, made = curl("POST", "/api/v1/workflows", {
        "id": "new-customer",
        "name": "New customer",
        "steps": [
            {"name": "check", "type": "filter",
             "config": {"condition": "{{ trigger.payload.email }}"}},
            {"name": "tell", "type": "webhook",
             "config": {"url": f"{receiver.url}/crm", "method": "POST",
                        "body": {"email": "{{ trigger.payload.email }}"}}},
        ],
    })  # fmt: skip
    assert status == 201, made

    status, started = curl("POST", "/api/v1/trigger", {
        "workflow_id": made["id"], "payload": {"email": "ann@example.com"},
    })  # fmt: skip
    assert status == 202, started
    assert started["status"] == "triggered"

    run = curl.until_ended(f"/api/v1/runs/{started['run_id']}")
    assert run["status"] == "succeeded", run
    assert run["workflow_id"] == made["id"]
    assert receiver.bodies("/crm") == [{"email": "ann@example.com"}]


def test_triggers_and_variables_then_execute_with_the_result_then_a_webhook(
    site: Site, key: str
) -> None:
    curl = Curl(site, f"Authorization: Bearer {key}")
    status, made = curl("POST", "/api/v1/workflows", {
        "name": "Order processing",
        "description": "Greets who orders.",
        "definition": {
            "nodes": [
                {"id": "greet", "type": "set", "config": {
                    "values": {"text": "{{ variables.greeting }}, "
                                       "{{ trigger.payload.name }}!"}}},
            ],
            "connections": [],
            "output": {"text": "{{ steps.greet.text }}"},
        },
        "triggers": [
            {"trigger_type": "webhook", "configuration": {"path": "orders"}},
            {"trigger_type": "schedule", "configuration": {"cron": "0 9 * * MON"}},
        ],
        "variables": {"greeting": "Hello"},
    })  # fmt: skip
    assert status == 201, made
    assert made["variables"] == {"greeting": "Hello"}
    assert len(made["triggers"]) == 2

    status, done = curl("POST", f"/api/v1/workflows/{made['id']}/execute", {
        "input_data": {"name": "Ann"},
        "variables": {"greeting": "Welcome"},
        "async_mode": False,
    })  # fmt: skip
    assert status == 200, done
    assert done["status"] == "succeeded"
    assert done["result"] == {"text": "Welcome, Ann!"}
    assert done["execution_id"] == done["run_id"]

    status, hook = curl("POST", "/api/v1/webhooks", {
        "workflow_id": made["id"],
        "event_type": "order.created",
        "url_path": "/orders/created",
        "authentication": {"type": "bearer", "token": "sesame-open-4711"},
    })  # fmt: skip
    assert status == 201, hook
    event = {"type": "order.created", "name": "Bob"}
    sender = Curl(site, "Authorization: Bearer sesame-open-4711")
    status, accepted = sender("POST", hook["url"], event)
    assert status == 202, accepted
    run = curl.until_ended(f"/api/v1/runs/{accepted['run_id']}")
    assert run["output"] == {"text": "Hello, Bob!"}
    assert Curl(site)("POST", hook["url"], event)[0] == 401

    status, tried = curl("POST", f"/api/v1/webhooks/{hook['id']}/test", {
        "payload": {**event, "name": "Eve"},
    })  # fmt: skip
    assert (status, tried["status"]) == (200, 202), tried
    run = curl.until_ended(f"/api/v1/runs/{tried['run_id']}")
    assert run["output"] == {"text": "Hello, Eve!"}


def test_register_sign_in_create_execute_and_read_the_logs(site: Site) -> None:
    account = {"email": "carol@example.com", "password": "correct horse battery 9"}
    status, told = Curl(site)(
        "POST", "/api/v1/auth/register", {**account, "name": "Carol"}
    )
    assert status == 201, told
    status, token = Curl(site)("POST", "/api/v1/auth/token", account)
    assert status == 200, token
    assert token["token_type"].lower() == "bearer"

    curl = Curl(site, f"Authorization: Bearer {token['access_token']}")
    status, made = curl("POST", "/api/v1/workflows", {
        "name": "Double",
        "definition": {
            "nodes": [
                {"id": "trigger-1", "type": "webhook", "config": {"path": "double"}},
                {"id": "twice", "type": "set", "config": {
                    "values": {"n": "{{ trigger.payload.n + trigger.payload.n }}"}}},
            ],
            "connections": [{"from": "trigger-1", "to": "twice"}],
            "output": "{{ steps.twice.n }}",
        },
    })  # fmt: skip
    assert status == 201, made
    assert made["webhook_url"] == f"{site.url}/v1/webhooks/double"

    path = f"/api/v1/workflows/{made['id']}"
    status, done = curl("POST", f"{path}/execute", {"n": 21})
    assert status == 200, done
    assert (done["status"], done["result"]) == ("succeeded", 42)

    status, logs = curl("GET", f"{path}/logs")
    assert status == 200, logs
    assert [row["execution_id"] for row in logs["results"]] == [done["execution_id"]]

    status, log = curl("GET", f"/api/v1/logs/{done['execution_id']}")
    assert status == 200, log
    assert log["status"] == "succeeded"
    assert [step["id"] for step in log["steps"]] == ["twice"]
    assert log["steps"][0]["output"] == {"n": 42}

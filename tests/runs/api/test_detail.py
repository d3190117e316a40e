"""GET /api/v1/runs/{id} and what lies below it."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import Team, User
from runs.models import RunLog
from tests.makers import (
    make_attempt,
    make_job,
    make_key,
    make_run,
    make_step,
    make_workflow,
)
from tests.runs.api.conftest import Ask

pytestmark = pytest.mark.django_db
BELOW = ("", "/steps", "/attempts", "/logs", "/explain")
FIELDS = {
    "id", "execution_id", "workflow_id", "version", "status", "payload", "input_data",
    "output", "result", "output_data", "results", "error_message", "error",
    "started_at", "completed_at", "created_at", "links",
}  # fmt: skip


def test_a_run_has_every_field_of_the_contract(ask: Ask) -> None:
    run = make_run(payload={"order": 7}, status="succeeded", output={"crm": 1})
    make_step(run, "notify", output={"status": 200})
    make_step(run, "skipped", status="skipped")

    body = ask(f"runs/{run.pk}").json()

    assert set(body) >= FIELDS
    assert body["id"] == body["execution_id"] == str(run.pk)
    assert body["payload"] == body["input_data"] == {"order": 7}
    assert body["output"] == body["result"] == body["output_data"] == {"crm": 1}
    assert body["results"] == {"notify": {"status": 200}}
    assert body["error"] is None
    assert body["error_message"] is None


def test_a_failure_tells_class_message_and_fingerprint(ask: Ask) -> None:
    run = make_run(
        status="failed",
        error_class="http_404",
        error_message="crm answered 404",
        error_fingerprint="abc",
    )

    body = ask(f"runs/{run.pk}").json()

    assert body["error_message"] == "crm answered 404"
    assert body["error"] == {
        "class": "http_404",
        "message": "crm answered 404",
        "fingerprint": "abc",
    }


def test_a_run_that_waits_says_so(ask: Ask) -> None:
    run = make_run(status="running")
    make_job(run, due_in=3600)

    assert ask(f"runs/{run.pk}").json()["status"] == "waiting"


def test_payloads_are_redacted_without_the_scope_for_them(ask: Ask) -> None:
    secret = {"user": "ada", "password": "hunter2-canary"}
    run = make_run(payload=secret, status="succeeded", output=secret, variables=secret)
    make_step(run, output={"body": secret})

    redacted = ask(f"runs/{run.pk}")
    exact = ask(f"runs/{run.pk}", "runs:read", "payloads:read")

    assert b"hunter2-canary" not in redacted.content
    assert redacted.json()["payload"]["user"] == "ada"
    for field in ("payload", "input_data", "output", "result", "variables"):
        assert exact.json()[field] == secret
    assert exact.json()["results"]["notify"]["body"] == secret
    steps = ask(f"runs/{run.pk}/steps")
    assert b"hunter2-canary" not in steps.content
    exact_steps = ask(f"runs/{run.pk}/steps", "runs:read", "payloads:read")
    assert exact_steps.json()["results"][0]["output"]["body"] == secret


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "", None),
        (b"a=1&a=2", "application/x-www-form-urlencoded", {"a": ["1", "2"]}),
        (b"plain", "text/plain", "plain"),
        (b'{"n": "a\\u0000b"}', "application/json", {"n": "a\0b"}),
    ],
)  # fmt: skip
def test_any_payload_is_shown_as_templates_see_it(
    ask: Ask, body: bytes, content_type: str, expected: Any
) -> None:
    run = make_run(body=body, content_type=content_type)

    response = ask(f"runs/{run.pk}", "runs:read", "payloads:read")

    assert response.json()["payload"] == expected


def test_a_payload_that_is_not_text_is_shown_as_a_file(ask: Ask) -> None:
    run = make_run(body=b"\xff\xfe", content_type="application/octet-stream")

    shown = ask(f"runs/{run.pk}", "runs:read", "payloads:read").json()["payload"]

    assert (shown["content_type"], shown["size"]) == ("application/octet-stream", 2)
    assert shown["sha256"] == hashlib.sha256(b"\xff\xfe").hexdigest()


def test_what_cannot_be_decrypted_is_called_unreadable(
    ask: Ask, settings: Settings
) -> None:
    run = make_run(payload={"a": 1}, status="succeeded", output={"b": 2})
    make_step(run, output={"c": 3})
    settings.FIELD_ENCRYPTION_KEYS = ["another"]

    body = ask(f"runs/{run.pk}", "runs:read", "payloads:read").json()

    for shown in (body["payload"], body["output"], body["results"]["notify"]):
        assert shown.startswith("unreadable (key ")


@pytest.mark.parametrize("below", BELOW)
def test_another_teams_run_is_404_as_if_it_did_not_exist(ask: Ask, below: str) -> None:
    team = Team.objects.create(name="T", slug="t")
    theirs = make_run(make_workflow(team=team))
    nowhere = uuid4()

    hidden = ask(f"runs/{theirs.pk}{below}")
    missing = ask(f"runs/{nowhere}{below}")

    assert hidden.status_code == missing.status_code == 404
    assert hidden.content.replace(str(theirs.pk).encode(), b"X") == (
        missing.content.replace(str(nowhere).encode(), b"X")
    )


@pytest.mark.parametrize("below", BELOW)
def test_unknown_parameters_are_refused(ask: Ask, below: str) -> None:
    response = ask(f"runs/{make_run().pk}{below}?colour=red")

    assert response.status_code == 400
    assert response.json()["error"]["details"]["field"] == "colour"


@pytest.mark.parametrize("below", BELOW[:-1])
def test_the_cost_is_bounded_however_much_there_is(
    client: Client,
    user: User,
    below: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    run = make_run(payload={}, status="succeeded")
    for number in range(10):
        step = make_step(run, f"s{number}", output={})
        make_attempt(step)
        RunLog.objects.create(run=run, message="x")
    headers = {"x-api-key": make_key(user)}
    client.get("/api/v1/runs", headers=headers)  # notes the key's use

    with django_assert_max_num_queries(3):
        response = client.get(f"/api/v1/runs/{run.pk}{below}", headers=headers)
    assert response.status_code == 200


def test_steps_come_in_order_with_what_happened(ask: Ask) -> None:
    run = make_run(status="failed")
    make_step(run, "first", input={"url": "u"}, port="success")
    make_step(
        run,
        "second",
        status="failed",
        attempt=5,
        error_class="timeout",
        error_message="no answer",
    )

    first, second = ask(f"runs/{run.pk}/steps").json()["results"]

    assert (first["id"], second["id"]) == ("first", "second")
    assert first["type"] == "http_request"
    assert first["input"] == {"url": "u"}
    assert first["port"] == "success"
    assert first["idempotency_key"] == "key-first"
    assert second["attempt"] == 5
    assert second["error"] == {"class": "timeout", "message": "no answer"}


def test_attempts_tell_request_answer_and_cause(ask: Ask) -> None:
    run = make_run(status="failed")
    step = make_step(run, "notify")
    make_attempt(step, 1)
    make_attempt(
        step,
        2,
        outcome="unknown",
        response_status=None,
        error_kind="timeout",
        error_message="no answer in 15 s",
    )

    first, second = ask(f"runs/{run.pk}/attempts").json()["results"]

    assert first["step"] == "notify"
    assert first["request"]["method"] == "POST"
    assert first["response"]["status"] == 200
    assert first["error"] is None
    assert second["number"] == 2
    assert second["response"] is None
    assert second["error"] == {"kind": "timeout", "message": "no answer in 15 s"}


def test_attempts_leave_encrypted_outputs_alone(client: Client, user: User) -> None:
    run = make_run()
    make_attempt(make_step(run, output={"big": 1}))
    headers = {"x-api-key": make_key(user)}

    with CaptureQueriesContext(connection) as queries:
        client.get(f"/api/v1/runs/{run.pk}/attempts", headers=headers)

    assert not [q for q in queries if '"runs_steprun"."output"' in q["sql"]]


def test_a_long_log_goes_by_pages(ask: Ask) -> None:
    run = make_run()
    for number in range(5):
        RunLog.objects.create(run=run, message=f"line {number}", node_id="a")

    first = ask(f"runs/{run.pk}/logs?limit=3").json()
    rest = ask(f"runs/{run.pk}/logs?limit=3&cursor={first['next_cursor']}").json()

    lines = [line["message"] for line in first["results"] + rest["results"]]
    assert lines == [f"line {number}" for number in range(5)]
    assert rest["next"] is None
    assert first["results"][0]["step"] == "a"


def test_an_id_that_is_none_is_404_in_json(ask: Ask) -> None:
    response = ask("runs/not-a-uuid")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"


def test_links_lead_to_what_they_name(ask: Ask) -> None:
    links = ask(f"runs/{make_run(status='failed').pk}").json()["links"]

    assert set(links) == {"self", "steps", "attempts", "logs", "redrive", "events"}
    for name in ("self", "steps", "attempts", "logs"):
        path = links[name].removeprefix("http://testserver/api/v1/")
        assert ask(path).status_code == 200

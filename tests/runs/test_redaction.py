"""What hides a run's secrets from its readers, and what that costs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import Team
from runs.models import Run, RunLog
from runs.redaction import clean, redactor_for, values_of
from tests.makers import make_attempt, make_key, make_run, make_step, make_user
from tests.runs.flows import call, given, node, publish
from workflows.models import Connection, Secret, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
VALUE = "s3cr3t-value-9041"
TOKEN = "c0nnection-token-77"
SAID = f"you sent {VALUE} and {TOKEN}"
HIDDEN = "you sent [redacted] and [redacted]"


def naming(**fields: Any) -> Workflow:
    """A workflow that names one secret and one connection."""
    config = {"connection": "crm", "headers": {"X": "{{ secrets.T }}"}}
    return publish(call("a", "https://crm.example.com", config=config), **fields)


def stored(**fields: Any) -> None:
    """That secret and that connection."""
    Secret.objects.create(name="T", value=VALUE, **fields)
    Connection.objects.create(
        name="crm",
        kind="bearer",
        base_url="https://crm.example.com",
        credentials={"token": TOKEN},
        **fields,
    )


def echoed(run: Run) -> Run:
    """Everything that people read about the run quotes both."""
    one = make_step(run, "a", input={"x": SAID}, output={"x": SAID}, error_message=SAID)
    make_attempt(one, response_body=SAID, response_headers={"x": SAID}, url=SAID)
    RunLog.objects.create(run=run, message=SAID, metadata={"x": SAID})
    return run


def broken_run(workflow: Workflow) -> Run:
    """A failed run whose payload and error quote both too."""
    fields = {"status": "failed", "error_message": SAID, "error_class": "x"}
    return echoed(make_run(workflow, {"x": SAID}, output={"x": SAID}, **fields))


def test_a_run_s_redactor_knows_what_its_version_names() -> None:
    stored()

    assert redactor_for(make_run(naming())).text(SAID) == HIDDEN
    assert redactor_for(make_run()).text(SAID) == SAID


def test_it_knows_its_teams_and_shared_ones_and_no_others() -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    other = Team.objects.create(name="Other", slug="other")
    stored(team=other)
    run = make_run(naming(team=mine))

    assert redactor_for(run).text(SAID) == SAID
    Secret.objects.update(team=mine)
    Connection.objects.update(team=None)
    assert redactor_for(run).text(SAID) == HIDDEN


def test_what_is_inactive_or_cannot_be_read_breaks_nothing(settings: Settings) -> None:
    stored()
    Connection.objects.update(status="inactive")
    run = make_run(naming())

    assert redactor_for(run).text(TOKEN) == "[redacted]"
    settings.FIELD_ENCRYPTION_KEYS = ["another"]
    assert redactor_for(run).text(SAID) == SAID


def test_a_version_that_cannot_be_compiled_breaks_nothing() -> None:
    stored()
    run = make_run(naming())
    nodes = [{"id": "x", "type": "gone", "config": {"a": "{{ 1 +"}}]
    WorkflowVersion.objects.update(definition={"nodes": nodes})

    assert redactor_for(Run.objects.get()).text(SAID) == SAID
    assert run.pk


@pytest.mark.parametrize(
    ("kind", "credentials", "expected"),
    [
        ("bearer", {"token": TOKEN}, {TOKEN}),
        ("basic", {"username": "ada", "password": TOKEN}, {"ada", TOKEN}),
        ("header", {"name": "Content-Type", "value": TOKEN}, {TOKEN}),
        ("bearer", {}, set()),
        ("bearer", TOKEN, {TOKEN}),
    ],
)
def test_the_values_of_a_connection(
    kind: str, credentials: Any, expected: set[str]
) -> None:
    assert values_of(Connection(kind=kind, credentials=credentials)) == expected


def test_a_cleaned_row_is_for_reading() -> None:
    stored()
    run = broken_run(naming())

    step = clean(run.step_runs.get(), redactor_for(run))

    assert step.input == {"x": HIDDEN}
    assert step.error_message == HIDDEN
    assert run.step_runs.get().error_message == SAID


@pytest.mark.parametrize("below", ["", "/steps", "/attempts", "/logs"])
def test_the_api_hides_them_at_two_queries_more(
    below: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    stored()
    run = broken_run(naming())
    headers = {"x-api-key": make_key(make_user())}
    client = Client()
    client.get("/api/v1/runs", headers=headers)  # notes the key's use

    with django_assert_max_num_queries(5):
        response = client.get(f"/api/v1/runs/{run.pk}{below}", headers=headers)

    text = response.content.decode()
    assert response.status_code == 200
    assert VALUE not in text
    assert TOKEN not in text
    assert HIDDEN in text


def test_payloads_are_exact_with_the_scope_and_errors_are_not() -> None:
    stored()
    run = broken_run(naming())
    headers = {"x-api-key": make_key(make_user(), "runs:read", "payloads:read")}

    body = Client().get(f"/api/v1/runs/{run.pk}", headers=headers).json()

    assert body["payload"] == body["output"] == {"x": SAID}
    assert body["error_message"] == body["error"]["message"] == HIDDEN


def test_the_admin_s_pages_hide_them_at_two_queries_more(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    stored()
    run = broken_run(naming())
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    rows = [
        run, run.step_runs.get(), run.attempts.get(), RunLog.objects.get(run=run),
    ]  # fmt: skip
    for row in rows:
        name = row._meta.label_lower.replace(".", "_")
        with django_assert_max_num_queries(11):
            page = client.get(reverse(f"admin:{name}_change", args=(row.pk,)))
        text = page.content.decode()
        assert page.status_code == 200
        assert VALUE not in text, name
        assert TOKEN not in text, name
        assert HIDDEN in text, name


def test_what_steps_within_a_loop_name_is_hidden_too() -> None:
    stored()
    config = {"connection": "crm", "headers": {"X": "{{ secrets.T }}{{ in-1.x }}"}}
    inner = call("in-2", "https://crm.example.com", config=config)
    body = {"nodes": [given("in-1", x=""), inner], "connections": []}
    each = node("each", "for_each", {"items": [1], **body})
    run = make_run(publish(each))
    assert redactor_for(run).text(SAID) == HIDDEN


def test_what_the_event_held_under_a_sensitive_name_is_hidden_by_value() -> None:
    """Wherever it stands: a receiver's echo puts it under any name."""
    password = 'correct "horse" battery'
    run = make_run(payload={"user": {"password": password}, "pwd": "short"})
    below = make_run(payload="item", parent=run, parent_node="loop", item_index=0)
    for one in (run, below):
        hidden = redactor_for(one)
        assert hidden.text(f"you sent {password}.") == "you sent [redacted]."
        coded = base64.b64encode(f"x{password}".encode()).decode()
        assert password[1:] not in hidden.text(coded)
        assert hidden.text(coded) != coded
        assert hidden.text("a short text") == "a short text"

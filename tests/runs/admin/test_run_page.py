"""The page of one run, and the list of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from runs.admin.run_page import ATTEMPTS, LOGS, STEPS, build
from runs.models import Run, RunLog, StepRun
from runs.services import Decision, Given, resume
from tests.admin_world import (
    asking_run,
    boss,
    broken_run,
    flow,
    signed_in,
    waiting_run,
)
from tests.makers import make_attempt, make_job, make_run, make_step

pytestmark = pytest.mark.django_db
LIST = "admin:runs_run_changelist"


def page_of(run: Run) -> str:
    """The text of the run's page."""
    response = signed_in(boss()).get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert response.status_code == 200
    return str(response.content.decode()).replace("<wbr>", "")


def found(**filters: Any) -> set[Run]:
    """The runs that the list shows under these filters."""
    response = signed_in(boss()).get(reverse(LIST), filters)
    assert response.status_code == 200
    return set(response.context["cl"].result_list)


def test_the_page_tells_what_happened() -> None:
    run = broken_run(flow())
    make_attempt(
        make_step(run, "second"),
        response_body='{"ok":true}',
        request_headers={"X-Trace": "abc"},
        url="https://warehouse.example.com/in",
    )
    text = page_of(run)
    for piece in (
        "dead letter",
        "crm.example.com answered 503",
        "Redrive from the failed step",
        "Redrive from the start",
        "https://warehouse.example.com/in",
        "&quot;ok&quot;: true",
        "X-Trace",
        "Service Unavailable",
        "The retries ran out.",
        "version 1",
    ):
        assert piece in text, piece
    assert "Cancel</a>" not in text


def test_a_request_that_was_never_sent_says_why_in_place_of_an_answer() -> None:
    run = make_run(flow(), status="failed", error_message="Step a: 10.0.0.1 is private")
    step = make_step(run, status="failed", error_message="10.0.0.1 is private")
    attempt = make_attempt(
        step,
        outcome="not_sent",
        response_status=None,
        response_body="",
        error_kind="blocked",
        error_message="10.0.0.1 is private",
    )
    words = "None: the request was never sent. 10.0.0.1 is private"
    assert f'<p class="nothing">{words}</p>' in page_of(run)
    own = reverse("admin:runs_deliveryattempt_change", args=(attempt.pk,))
    assert words in signed_in(boss()).get(own).content.decode()
    attempt.outcome, attempt.error_message = "unknown", "timed out"
    attempt.save()
    assert '<p class="nothing">No answer. timed out</p>' in page_of(run)


def test_a_step_that_was_answered_says_how() -> None:
    run = asking_run(flow())
    person = boss()
    resume(run.pk, "ask", Given(Decision.APPROVED, comment="It is <paid>."), by=person)
    text = page_of(run)
    assert f"Approved by {person} at {timezone.now():%Y-%m-%d}" in text
    assert "“It is &lt;paid&gt;.”" in text
    other = asking_run(run.workflow)
    sent = Given(Decision.REJECTED, source_ip="203.0.113.7")
    resume(other.pk, "ask", sent)
    assert "Rejected through its address from 203.0.113.7 at" in page_of(other)


def test_steps_are_called_by_their_names() -> None:
    run = make_run(flow())
    definition = {"nodes": [{"id": "tell", "type": "set", "name": "Tell the CRM"}]}
    type(run.version).objects.filter(pk=run.version_id).update(definition=definition)
    make_step(run, "tell")
    make_step(run, "gone")

    text = page_of(run)

    assert ">Tell the CRM</a>" in text
    assert "<code>tell</code>" in text
    assert ">gone</a>" in text


def test_what_arrived_is_redacted_and_readable() -> None:
    run = broken_run(
        flow(),
        payload={"order": {"id": 7}, "password": "hunter2hunter2"},
        headers={"user-agent": "Shop/1", "x-api-key": "k-123456789"},
        query={"page": "2", "token": "t-123456789"},
    )
    text = page_of(run)
    assert "&quot;id&quot;: 7" in text
    assert "Shop/1" in text
    assert "[redacted]" in text
    for secret in ("hunter2hunter2", "k-123456789", "t-123456789"):
        assert secret not in text


def test_a_form_in_parts_is_shown_by_its_names() -> None:
    part = b'--xx\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = part % (b"title", b"Hello") + part % (b"password", b"hunter2hunter2")
    kind = "multipart/form-data; boundary=xx"
    text = page_of(make_run(flow(), body=body + b"--xx--", content_type=kind))
    assert "Hello" in text
    assert "[redacted]" in text
    assert "hunter2hunter2" not in text


def test_what_senders_write_is_shown_as_text() -> None:
    run = make_run(flow(), body=b"<script>alert(1)</script>", content_type="text/html")
    text = page_of(run)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x01\xff\xfe",
        b"[" * 5000,
        b'{"a": NaN}',
        "ß€\ud7ff".encode(),
        b"\xff{",
    ],
)
def test_no_body_breaks_the_page(body: bytes) -> None:
    run = make_run(flow(), body=body, content_type="application/json")
    assert "What arrived" in page_of(run)
    client = signed_in(boss())
    exact = client.post(reverse("admin:runs_run_payload", args=(run.pk,)))
    assert exact.status_code == 200


def test_values_under_a_missing_key_say_so(settings: Settings) -> None:
    run = broken_run(flow(), headers={"a": "b"}, query={"c": "d"})
    client = signed_in(boss())
    settings.FIELD_ENCRYPTION_KEYS = ["quite another key"]
    text = client.get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert text.content.decode().count("unreadable (key ") == 5
    exact = client.post(reverse("admin:runs_run_payload", args=(run.pk,)))
    assert exact.content.decode().count("unreadable (key ") >= 5
    step = StepRun.objects.get(run=run)
    page = client.get(reverse("admin:runs_steprun_change", args=(step.pk,)))
    assert page.status_code == 200


def test_a_large_body_is_cut_and_says_so() -> None:
    run = make_run(flow(), body=b"x" * 200_000, content_type="text/plain")
    text = page_of(run)
    assert "(cut here)" in text
    assert len(text) < 120_000


def test_a_long_history_is_cut_and_linked() -> None:
    run = broken_run(flow())
    now = timezone.now()
    StepRun.objects.bulk_create(
        StepRun(
            run=run, node_id=f"n{n}", kind="set", status="succeeded", started_at=now
        )
        for n in range(STEPS + 1)
    )
    step = StepRun.objects.filter(run=run).earliest("id")
    for number in range(3, ATTEMPTS + 3):
        make_attempt(step, number)
    RunLog.objects.bulk_create(RunLog(run=run, message="m") for _ in range(LOGS + 1))
    shown = build(run)
    assert shown.more == {"steps", "attempts", "logs"}
    assert len(shown.steps) == STEPS
    assert len(shown.logs) == LOGS
    assert f"runlog/?run__id__exact={run.pk}" in page_of(run)


def test_a_run_that_was_never_started_points_to_the_workers() -> None:
    run = make_run(flow())
    make_job(run)
    text = page_of(run)
    assert "No step has been started yet" in text
    assert reverse("admin:runs_worker_changelist") in text


def test_an_unknown_or_malformed_id_is_not_found() -> None:
    client = signed_in(boss())
    for pk in ("nonsense", "00000000-0000-7000-8000-000000000000"):
        address = reverse("admin:runs_run_change", args=(pk,))
        assert client.get(address).status_code == 404


def test_the_page_cannot_be_posted_to() -> None:
    run = make_run(flow())
    address = reverse("admin:runs_run_change", args=(run.pk,))
    assert signed_in(boss()).post(address, {"status": "failed"}).status_code == 405
    run.refresh_from_db()
    assert run.status == "queued"


# --- the list ---


@pytest.fixture
def runs() -> dict[str, Run]:
    workflow = flow()
    busy = make_run(workflow, status="running")
    make_job(busy)
    queued = make_run(workflow)
    make_job(queued)
    return {
        "queued": queued,
        "running": busy,
        "waiting": waiting_run(workflow),
        "failed": make_run(workflow, status="failed"),
        "dead_letter": make_run(workflow, status="dead_letter"),
        "succeeded": make_run(workflow, status="succeeded"),
        "cancelled": make_run(workflow, status="cancelled"),
    }


def test_each_status_has_a_filter(runs: dict[str, Run]) -> None:
    for status, run in runs.items():
        assert found(status=status) == {run}, status


def test_the_two_groups_of_statuses(runs: dict[str, Run]) -> None:
    assert found(status="broken") == {runs["failed"], runs["dead_letter"]}
    unfinished = {runs["queued"], runs["running"], runs["waiting"]}
    assert found(status="unfinished") == unfinished
    assert found(status="nonsense") == set()


def test_waiting_is_shown_although_it_is_not_stored(runs: dict[str, Run]) -> None:
    response = signed_in(boss()).get(reverse(LIST), {"status": "waiting"})
    assert '<span class="pill pill-waiting">waiting</span>' in response.content.decode()
    assert "waiting" in page_of(runs["waiting"])


def test_runs_are_found_by_what_an_operator_has_at_hand() -> None:
    workflow, other = flow("orders"), flow("refunds")
    run = make_run(workflow, event_id="72d3162e-cc78-11e3", error_fingerprint="f00d")
    stranger = make_run(other)
    assert found(q=str(run.pk)) == {run}
    assert found(q=str(run.pk).upper()) == {run}
    assert run in found(q=str(run.pk)[:13])
    assert found(q="72d3162e-cc78-11e3") == {run}
    assert found(q="f00d") == {run}
    assert found(q="refunds") == {stranger}
    assert found(q="no such thing") == set()
    assert found(q="'; drop table runs_run; --") == set()
    assert found(workflow__id__exact=str(other.pk)) == {stranger}


def test_dates_lead_to_days() -> None:
    workflow = flow()
    now = timezone.now()
    old = make_run(workflow)
    Run.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=800))
    new = make_run(workflow)
    response = signed_in(boss()).get(reverse(LIST))
    assert f"created_at__year={now.year}" in response.content.decode()
    day = {
        "created_at__year": now.year,
        "created_at__month": now.month,
        "created_at__day": now.day,
    }
    assert found(**day) == {new}
    assert found(created_at__year=old.created_at.year - 50) == set()


@pytest.mark.parametrize("value", ["99999", "x", "-1", "0"])
def test_a_nonsensical_date_is_not_an_error(value: str) -> None:
    make_run(flow())
    response = signed_in(boss()).get(
        reverse(LIST), {"created_at__year": value}, follow=True
    )
    assert response.status_code == 200


def test_an_empty_list_says_what_to_do() -> None:
    client = signed_in(boss())
    assert "No runs yet." in client.get(reverse(LIST)).content.decode()
    filtered = client.get(reverse(LIST), {"status": "failed"}).content.decode()
    assert "Nothing matches." in filtered

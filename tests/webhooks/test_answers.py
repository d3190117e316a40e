"""One answer for each case of DESIGN's table, and a row that says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from runs.models import Job, Run
from tests.makers import make_workflow
from tests.webhooks.makers import (
    PUSH,
    SECRET,
    code_of,
    make_trigger,
    only_event,
    post,
    send,
    signed,
    told,
)
from webhooks.models import InboundEvent
from workflows.models import Trigger, Workflow

pytestmark = pytest.mark.django_db


EXAMPLE = "whsec_" + "c2VjcmV0IG51bWJlciAy"


# --- accepted ---------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["github", "hmac", "standard_webhooks"])
def test_a_signed_event_is_answered_202_and_is_a_queued_run(scheme: str) -> None:
    trigger = make_trigger({"scheme": scheme}, start=["notify"])
    answer = send(trigger, event_id="delivery-1")
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer["Content-Type"] == "application/json"
    assert answer["Location"] == f"/api/v1/runs/{run.pk}"
    assert told(answer) == {
        "run_id": str(run.pk),
        "status": "queued",
        "duplicate": False,
    }
    assert (run.trigger, run.workflow) == (trigger, trigger.workflow)
    assert run.version == trigger.workflow.published
    assert (run.status, run.start, run.event_id) == ("queued", ["notify"], "delivery-1")
    assert run.body == PUSH
    assert Job.objects.filter(run=run).count() == 1
    assert not InboundEvent.objects.exists()


def test_the_run_keeps_what_came_and_no_credentials() -> None:
    trigger = make_trigger({"scheme": "hmac", "hmac": {"header": "X-Proof"}})
    proof = signed(trigger)["X-Proof"]
    answer = post(
        trigger,
        query="?a=1&b=2&b=3&token=canary",
        x_proof=proof,
        authorization="Bearer canary",
        cookie="session=canary",
        x_api_key="canary",
        x_color="red",
        x_forwarded_for="203.0.113.9",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert answer.status_code == 202
    run = Run.objects.get()
    assert run.headers == {
        "x-color": "red",
        "traceparent": run.traceparent,
        "content-type": "application/json",
    }
    assert run.query == {"a": "1", "b": ["2", "3"], "token": "canary"}
    assert run.content_type == "application/json"
    assert run.traceparent.startswith("00-0af7")
    assert run.source_ip == "127.0.0.1"


@pytest.mark.parametrize("prefix", ["/v1/webhooks/", "/v1/webhooks//", "/webhook/"])
def test_a_path_with_slashes_finds_the_trigger_at_both_addresses(prefix: str) -> None:
    make_trigger(path="git/hub")
    answer = Client().post(f"{prefix}git/hub", PUSH, content_type="application/json")
    assert answer.status_code == 202


@pytest.mark.parametrize("address", ["/v1/webhooks/webhook/abc", "/webhook/abc"])
def test_a_path_that_repeats_webhook_is_found_where_its_author_posts(
    address: str,
) -> None:
    make_trigger(path="webhook/abc")
    answer = Client().post(address, PUSH, content_type="application/json")
    assert answer.status_code == 202


def test_a_key_and_a_whole_path_go_before_a_path_that_repeats_webhook() -> None:
    whole, repeats = make_trigger(path="abc"), make_trigger(path="webhook/abc")
    client = Client()
    client.post("/webhook/abc", PUSH, content_type="application/json")
    client.post("/webhook/webhook/abc", PUSH, content_type="application/json")
    assert [run.trigger for run in Run.objects.order_by("id")] == [whole, repeats]


def test_a_key_goes_before_a_path_that_looks_like_it() -> None:
    first = make_trigger()
    make_trigger(path=first.key)
    post(first)
    assert Run.objects.get().trigger == first


def test_other_methods_are_taken_when_the_trigger_says_so() -> None:
    trigger = make_trigger({"methods": ["GET", "PUT"]})
    assert post(trigger, b"", method="GET", query="?id=5").status_code == 202
    assert Run.objects.get().query == {"id": "5"}


def test_ingest_is_one_look_up_and_one_statement(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    trigger = make_trigger({"scheme": "github"})
    send(trigger)
    # SQLite has no data-modifying WITH: key (look, savepoint, insert, release), run,
    # job. Neither needs more when there are more rows.
    with django_assert_max_num_queries(2 if connection.vendor == "postgresql" else 7):
        assert send(trigger).status_code == 202


# --- nobody ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "unknown",
        "no/such/path",
        "%00",
        "a" * 201,
        "%F0%9F%98%80",
        "%FF%FE",
        "a%0Ab",
        "",
    ],
)
def test_an_unknown_address_is_401_and_counted_for_nobody(address: str) -> None:
    answer = post(address)
    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHORIZED")
    event = only_event()
    assert (event.reason, event.trigger, event.count) == ("unknown_key", None, 1)


def test_all_who_prove_nothing_get_the_same_answer() -> None:
    github = make_trigger({"scheme": "github"})
    standard = make_trigger({"scheme": "standard_webhooks"})
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    make_trigger({"scheme": "github"}, workflow=github.workflow, is_active=False)
    switched_off = Trigger.objects.get(is_active=False)
    answers = [
        post("unknown"),
        post(github),
        post(github, x_hub_signature_256="sha256=" + "0" * 64),
        post(github, method="DELETE"),
        post(switched_off),
        send(standard, now=hour_ago),
        post(github, b"{not json", content_type="application/json"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({str(sorted(answer.items())) for answer in answers}) == 1
    assert not Run.objects.exists()


def test_an_unknown_address_costs_a_signature_too() -> None:
    with mock.patch("automate.lib.signing.hmac.digest", return_value=b"x") as digest:
        post("unknown", b"the whole body")
    assert digest.call_args.args[1] == b"the whole body"


def test_bad_and_expired_signatures_are_counted_per_trigger_and_minute() -> None:
    trigger = make_trigger({"scheme": "standard_webhooks"})
    for _ in range(3):
        post(trigger)
    send(trigger, now=datetime.now(UTC) - timedelta(hours=1))
    rows = InboundEvent.objects.filter(trigger=trigger)
    assert sum(row.count for row in rows.filter(reason="bad_signature")) == 3
    assert rows.get(reason="expired").status == 401
    assert all(row.minute for row in rows)


# --- rotation ----------------------------------------------------------------------


def test_both_secrets_count_until_the_previous_one_expires() -> None:
    trigger = make_trigger(
        {"scheme": "standard_webhooks"},
        previous_secret=EXAMPLE,
        previous_secret_expires_at=timezone.now() + timedelta(hours=1),
    )
    assert send(trigger, secret=SECRET).status_code == 202
    assert send(trigger, secret=EXAMPLE).status_code == 202
    trigger.previous_secret_expires_at = timezone.now() - timedelta(seconds=1)
    trigger.save()
    assert send(trigger, secret=EXAMPLE).status_code == 401
    assert send(trigger, secret=SECRET).status_code == 202


@pytest.mark.parametrize("secret", [None, ""])
def test_a_trigger_without_a_secret_lets_nobody_in(secret: str | None) -> None:
    trigger = make_trigger({"scheme": "github"}, secret=secret)
    assert send(trigger, secret="").status_code == 401


def test_an_unreadable_secret_is_our_fault_and_says_try_again(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    trigger = make_trigger({"scheme": "github"})
    settings.FIELD_ENCRYPTION_KEYS = ["another key"]
    answer = send(trigger)
    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
    assert "unreadable" in caplog.text
    assert SECRET not in caplog.text


# --- then --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "BREW"])
def test_another_method_is_405_with_those_that_are_allowed(method: str) -> None:
    trigger = make_trigger({"methods": ["POST", "PATCH"]})
    answer = post(trigger, method=method)
    assert (answer.status_code, answer["Allow"]) == (405, "POST, PATCH")
    assert only_event().reason == "method"


@pytest.mark.parametrize(
    ("change", "status", "code", "reason"),
    [
        ({"status": "archived"}, 410, "ARCHIVED", "archived"),
        ({"status": "inactive"}, 409, "INACTIVE", "inactive"),
        ({"status": "draft", "published": None}, 409, "INACTIVE", "inactive"),
    ],
)
def test_a_workflow_that_is_not_active_says_so(
    change: dict[str, Any], status: int, code: str, reason: str
) -> None:
    trigger = make_trigger({"scheme": "github"})
    Workflow.objects.filter(pk=trigger.workflow_id).update(**change)
    answer = send(trigger)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert only_event().reason == reason
    assert not Run.objects.exists()


def test_a_trigger_that_is_switched_off_is_409() -> None:
    answer = post(make_trigger(is_active=False))
    assert (answer.status_code, code_of(answer)) == (409, "INACTIVE")


def test_other_kinds_of_triggers_have_no_address() -> None:
    trigger = Trigger.objects.create(workflow=make_workflow(), kind="manual")
    assert post(trigger).status_code == 401


def test_a_missing_required_header_is_400_and_named() -> None:
    trigger = make_trigger({"required_headers": ["X-Shop", "X-Region"]})
    answer = post(trigger, x_region="eu")
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
    assert b"X-Shop" in answer.content
    assert post(trigger, x_region="eu", x_shop="7").status_code == 202


def test_a_proven_sender_gets_a_row_of_its_own_for_each_event() -> None:
    trigger = make_trigger({"scheme": "github"}, is_active=False)
    for _ in range(2):
        send(trigger, event_id="d-1")
    rows = InboundEvent.objects.all()
    assert [row.count for row in rows] == [1, 1]
    assert {(row.event_id, row.minute, row.size) for row in rows} == {
        ("d-1", None, len(PUSH))
    }
    assert {row.source_ip for row in rows} == {"127.0.0.1"}


# --- the database is away ----------------------------------------------------------


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize("place", ["webhooks.lookup.find", "webhooks.inbound.accept"])
def test_without_a_database_it_is_503_with_retry_after(
    place: str, error: type[Exception]
) -> None:
    trigger = make_trigger()
    with mock.patch(place, side_effect=error("server closed the connection")):
        answer = post(trigger)
    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
    assert int(answer["Retry-After"]) > 0
    assert b"server closed" not in answer.content


def test_a_record_that_cannot_be_written_changes_no_answer() -> None:
    trigger = make_trigger({"events": ["star"]})
    with mock.patch.object(
        InboundEvent.objects, "create", side_effect=OperationalError("away")
    ):
        assert post(trigger).status_code == 200


# --- form --------------------------------------------------------------------------


def test_a_client_may_ask_for_problems() -> None:
    answer = post("unknown", accept="application/problem+json")
    assert answer["Content-Type"] == "application/problem+json"
    assert told(answer)["code"] == "UNAUTHORIZED"


def test_no_csrf_token_is_asked_for() -> None:
    client = Client(enforce_csrf_checks=True)
    assert post(make_trigger(), client=client).status_code == 202

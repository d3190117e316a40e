"""The same event twice is one run; how it is known again is the trigger's choice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import IdempotencyKey, Job, Run
from tests.webhooks.makers import PUSH, code_of, make_trigger, post, send, signed, told
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db


def by(**rule: Any) -> dict[str, Any]:
    return {"idempotency": rule}


def runs() -> int:
    return Run.objects.count()


@pytest.mark.parametrize("scheme", ["github", "standard_webhooks"])
def test_the_providers_delivery_id_is_the_key_by_default(scheme: str) -> None:
    trigger = make_trigger({"scheme": scheme})
    first = told(send(trigger, event_id="d-1"))
    answer = send(trigger, event_id="d-1")
    assert answer.status_code == 200
    assert answer["Location"] == f"/api/v1/runs/{first['run_id']}"
    assert told(answer) == {
        "run_id": first["run_id"],
        "status": "duplicate",
        "duplicate": True,
    }
    assert send(trigger, event_id="d-2").status_code == 202
    assert (runs(), Job.objects.count()) == (2, 2)


def test_a_duplicate_is_kept_with_the_first_run() -> None:
    trigger = make_trigger({"scheme": "github"})
    first = told(send(trigger, event_id="d-1"))["run_id"]
    send(trigger, event_id="d-1")
    event = InboundEvent.objects.get()
    assert (event.reason, event.status, event.event_id) == ("duplicate", 200, "d-1")
    assert str(event.first_run_id) == first


def test_the_same_id_with_another_body_is_422_and_names_no_payload() -> None:
    trigger = make_trigger({"scheme": "github"})
    first = told(send(trigger, b'{"a": 1}', event_id="d-1"))["run_id"]
    answer = send(trigger, b'{"a": "canary"}', event_id="d-1")
    assert (answer.status_code, code_of(answer)) == (422, "IDEMPOTENCY_KEY_REUSED")
    event = InboundEvent.objects.get()
    assert (event.reason, str(event.first_run_id)) == ("key_reused", first)
    assert "canary" not in event.detail + answer.content.decode()
    assert runs() == 1


@pytest.mark.parametrize("header", ["idempotency_key", "webhook_id"])
def test_the_usual_headers_work_without_a_scheme(header: str) -> None:
    trigger = make_trigger()
    named: dict[str, Any] = {header: "k"}
    assert post(trigger, **named).status_code == 202
    assert post(trigger, **named).status_code == 200
    assert Run.objects.get().event_id == "k"


def test_an_unsigned_key_beside_a_signed_id_lets_no_event_in_again() -> None:
    trigger = make_trigger({"scheme": "standard_webhooks"})
    captured: dict[str, Any] = signed(trigger, PUSH, event_id="d-1")
    assert post(trigger, PUSH, **captured).status_code == 202
    replayed = post(trigger, PUSH, idempotency_key="another", **captured)
    assert replayed.status_code == 200


def test_without_any_id_every_event_is_a_new_one() -> None:
    trigger = make_trigger()
    assert [post(trigger).status_code for _ in range(2)] == [202, 202]
    assert not IdempotencyKey.objects.exists()


def test_two_triggers_do_not_share_their_keys() -> None:
    for trigger in (make_trigger(), make_trigger()):
        assert post(trigger, idempotency_key="k").status_code == 202


def test_a_header_of_ones_own_choice() -> None:
    trigger = make_trigger(by(by="header", header="X-Event-Id"))
    assert post(trigger, x_event_id="1").status_code == 202
    assert post(trigger, x_event_id="1").status_code == 200
    assert post(trigger, x_event_id="2").status_code == 202
    assert post(trigger, idempotency_key="1").status_code == 202
    assert set(Run.objects.values_list("event_id", flat=True)) == {"1", "2"}


@pytest.mark.parametrize("number", [5, "5"])
def test_a_template_over_the_payload(number: Any) -> None:
    rule = by(by="template", template="{{ trigger.payload.order.id }}")
    trigger = make_trigger(rule)
    body = {"order": {"id": number}}
    assert post(trigger, body).status_code == 202
    assert post(trigger, body).status_code == 200
    assert post(trigger, {"order": {"id": 6}}).status_code == 202
    assert post(trigger, {"order": {"id": 6}, "more": 1}).status_code == 422


def test_an_event_without_what_the_template_names_is_400_and_says_so() -> None:
    trigger = make_trigger(by(by="template", template="{{ trigger.payload.id }}"))
    answer = post(trigger, {"other": 1})
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
    assert b"trigger.payload.id" in answer.content
    assert runs() == 0


def test_a_template_may_say_that_an_event_has_no_identity() -> None:
    template = "{{ trigger.payload.id | default(none) }}"
    trigger = make_trigger(by(by="template", template=template))
    assert [post(trigger, {}).status_code for _ in range(2)] == [202, 202]


def test_the_bodys_hash_counts_within_its_window() -> None:
    trigger = make_trigger(by(by="body"))
    assert post(trigger, {"a": 1}).status_code == 202
    assert post(trigger, {"a": 1}).status_code == 200
    assert post(trigger, {"a": 2}).status_code == 202
    rows = IdempotencyKey.objects.all()
    ages = {round((row.expires_at - row.created_at).total_seconds()) for row in rows}
    assert ages == {300}
    rows.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert post(trigger, {"a": 1}).status_code == 202


def test_none_means_none() -> None:
    trigger = make_trigger({"scheme": "github", **by(by="none")})
    answers = [send(trigger, event_id="d-1").status_code for _ in range(2)]
    assert answers == [202, 202]


def test_keys_are_kept_for_thirty_days_and_never_in_the_clear() -> None:
    post(make_trigger(), idempotency_key="canary")
    row = IdempotencyKey.objects.get()
    assert round((row.expires_at - row.created_at) / timedelta(days=1), 3) == 30
    assert "canary" not in row.key_hash


def test_a_very_long_key_is_a_key_like_any_other() -> None:
    trigger = make_trigger()
    assert post(trigger, idempotency_key="k" * 5000).status_code == 202
    assert post(trigger, idempotency_key="k" * 5000).status_code == 200
    assert post(trigger, idempotency_key="k" * 4999).status_code == 202


def conditional(**rule: Any) -> Any:
    return make_trigger({"condition": "trigger.payload.total > 100", **rule})


def test_a_used_key_with_a_body_that_is_filtered_is_422() -> None:
    trigger = conditional()
    first = told(post(trigger, {"total": 150}, idempotency_key="k"))["run_id"]
    answer = post(trigger, {"total": 5}, idempotency_key="k")
    assert (answer.status_code, code_of(answer)) == (422, "IDEMPOTENCY_KEY_REUSED")
    event = InboundEvent.objects.get()
    assert (event.reason, event.gate) == ("key_reused", "idempotency")
    assert str(event.first_run_id) == first


@pytest.mark.parametrize(
    "changed", [{"condition": "trigger.payload.total > 1000"}, {"events": ["paid"]}]
)
def test_an_event_that_became_a_run_stays_a_duplicate(changed: Any) -> None:
    trigger = conditional()
    first = told(post(trigger, {"total": 150}, idempotency_key="k"))["run_id"]
    trigger.config = changed
    trigger.save()
    answer = post(trigger, {"total": 150}, idempotency_key="k")
    assert (answer.status_code, told(answer)["run_id"]) == (200, first)
    assert told(answer)["duplicate"] is True
    event = InboundEvent.objects.get()
    assert (event.reason, str(event.first_run_id)) == ("duplicate", first)
    assert runs() == 1


def test_a_filtered_event_takes_up_no_key() -> None:
    trigger = conditional()
    answer = post(trigger, {"total": 5}, idempotency_key="k")
    assert told(answer)["status"] == "filtered"
    assert InboundEvent.objects.get().gate == "condition"
    assert post(trigger, {"total": 150}, idempotency_key="k").status_code == 202


def test_what_is_filtered_need_not_have_what_identifies_others() -> None:
    trigger = conditional(
        idempotency={"by": "template", "template": "{{ trigger.payload.order.id }}"}
    )
    assert told(post(trigger, {"total": 5}))["status"] == "filtered"


def test_those_that_pass_are_not_looked_up() -> None:
    plain, trigger = make_trigger(), conditional()
    counts = []
    for one in (plain, trigger):
        post(one, {"total": 150}, idempotency_key="warm")
        with CaptureQueriesContext(connection) as found:
            post(one, {"total": 150}, idempotency_key="k")
        counts.append(len(found))
    assert counts[0] == counts[1]

"""What a trigger's filters saw is kept with the event that they turned away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from runs.models import Run
from runs.services.store import key_hash
from tests.webhooks.makers import SECRET, make_trigger, post, send, told
from webhooks.models import InboundEvent
from webhooks.seen import MOST_PATHS, seen

ORDER = {"order": {"total": 40, "card": {"password": "canary"}, "lines": ["a" * 900]}}
SCOPE = {"trigger": {"payload": ORDER, "headers": {"x-color": "red"}}}


def values(source: str) -> Any:
    return seen(source, SCOPE)["values"]


class TestSeen:
    def test_each_path_with_its_value(self) -> None:
        found = seen(
            "{{ trigger.payload.order.total }} > 100 and trigger.headers['x-color']",
            SCOPE,
        )
        assert found == {
            "values": {
                "trigger.headers.x-color": "red",
                "trigger.payload.order.total": 40,
            },
            "missing": [],
        }

    def test_a_path_that_leads_nowhere_is_named(self) -> None:
        found = seen(
            "trigger.payload.total > 100 or trigger.payload.order.total", SCOPE
        )
        assert found["missing"] == ["trigger.payload.total"]
        assert found["values"] == {"trigger.payload.order.total": 40}

    @pytest.mark.parametrize(
        "path", ["trigger.payload.order.card.password", "trigger.payload.order.card"]
    )
    def test_a_value_is_redacted_by_the_names_on_its_path_and_in_it(
        self, path: str
    ) -> None:
        assert "canary" not in str(values(f"{path} == 'x'"))
        assert "[redacted]" in str(values(f"{path} == 'x'"))

    def test_a_long_value_is_cut(self) -> None:
        (text,) = values("trigger.payload.order.lines | length > 1").values()
        assert len(str(text)) < 400
        assert "more characters" in str(text)

    def test_of_many_paths_the_first_are_told(self) -> None:
        source = " or ".join(f"trigger.payload.a{number}" for number in range(50))
        assert len(seen(source, SCOPE)["missing"]) == MOST_PATHS

    def test_an_expression_that_is_none_saw_nothing(self) -> None:
        assert seen("{{ nonsense", SCOPE) == {"values": {}, "missing": []}


@pytest.mark.django_db
class TestKept:
    def test_a_filtered_event_keeps_what_the_condition_saw(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.total > 100"})
        assert told(post(trigger, {"total": 40}))["filtered_by"] == "condition"
        event = InboundEvent.objects.get()
        assert (event.reason, event.gate) == ("filtered", "condition")
        assert event.facts == {
            "scheme": "none",
            "condition": "trigger.payload.total > 100",
            "values": {"trigger.payload.total": 40},
            "missing": [],
        }

    def test_and_which_path_was_missing(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.total > 100"})
        post(trigger, {"sum": 40})
        facts = InboundEvent.objects.get().facts
        assert facts["missing"] == ["trigger.payload.total"]

    def test_no_value_is_stored_in_the_clear(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.note == 'x'"})
        post(trigger, {"note": "canary-of-a-secret"})
        with connection.cursor() as cursor:
            cursor.execute("SELECT facts, detail FROM webhooks_inboundevent")
            row = cursor.fetchone()
        assert b"canary" not in bytes(row[0]) + row[1].encode()

    def test_an_event_of_another_name_keeps_the_name(self) -> None:
        trigger = make_trigger({"scheme": "github", "events": ["issue*"]})
        send(trigger, event="push")
        event = InboundEvent.objects.get()
        assert event.gate == "event"
        assert event.facts == {"scheme": "github", "event": "push"}

    def test_a_run_keeps_what_let_its_event_pass_and_nothing_of_the_sender_s(
        self,
    ) -> None:
        trigger = make_trigger(
            {
                "scheme": "github",
                "events": ["issues", "pu*"],
                "condition": "trigger.payload.note != 'x'",
            }
        )
        send(trigger, b'{"note": "canary"}', event="push", event_id="d-1")
        decisions = dict(Run.objects.get().decisions or {})
        assert decisions.pop("key") == key_hash("d-1")[:12]
        assert decisions == {
            "scheme": "github",
            "pattern": "pu*",
            "condition": "trigger.payload.note != 'x'",
            "by": "delivery",
        }

    @pytest.mark.parametrize(
        ("config", "headers", "by"),
        [
            ({}, {}, "delivery: missing"),
            ({}, {"idempotency_key": "k"}, "idempotency-key"),
            ({}, {"webhook_id": "k"}, "webhook-id"),
            ({"idempotency": {"by": "none"}}, {"idempotency_key": "k"}, "none"),
            ({"idempotency": {"by": "body"}}, {}, "body"),
            ({"idempotency": {"by": "header", "header": "X-Id"}}, {"x_id": "1"},
             "header"),
            ({"idempotency": {"by": "header", "header": "X-Id"}}, {},
             "header: missing"),
            ({"idempotency": {"by": "template", "template": "{{ trigger.payload }}"}},
             {}, "template"),
        ],
    )  # fmt: skip
    def test_a_run_keeps_by_what_its_event_is_known(
        self, config: dict[str, Any], headers: dict[str, Any], by: str
    ) -> None:
        post(make_trigger(config), {"a": 1}, **headers)
        assert (Run.objects.get().decisions or {})["by"] == by

    def test_a_run_keeps_that_the_previous_secret_proved_it(self) -> None:
        trigger = make_trigger(
            {"scheme": "github"},
            previous_secret="before",
            previous_secret_expires_at=timezone.now() + timedelta(hours=1),
        )
        for secret in ("before", SECRET):
            send(trigger, secret=secret)
        decisions = [run.decisions or {} for run in Run.objects.order_by("id")]
        assert [item.get("signed_with") for item in decisions] == ["previous", None]

    def test_a_run_keeps_what_was_left_of_a_rate_limit(self) -> None:
        post(make_trigger({"rate_limit": "5/m"}))
        assert (Run.objects.get().decisions or {})["rate"] == "5/m, 4 left"

    def test_strangers_are_counted_with_the_gate_that_stopped_them(self) -> None:
        post(make_trigger({"scheme": "github"}))
        event = InboundEvent.objects.get()
        assert (event.gate, event.facts) == ("signature", None)

    @pytest.mark.parametrize(
        ("config", "about", "gate"),
        [
            ({}, {"method": "PUT"}, "method"),
            ({"required_headers": ["X-A"]}, {}, "required_headers"),
            ({}, {"body": b"{"}, "well_formed"),
            ({"idempotency": {"by": "template", "template": "{{ trigger.payload.a }}"}},
             {"body": {}}, "idempotency"),
        ],
    )  # fmt: skip
    def test_a_refusal_keeps_its_gate(
        self, config: dict[str, Any], about: dict[str, Any], gate: str
    ) -> None:
        post(make_trigger(config), **about)
        assert InboundEvent.objects.get().gate == gate

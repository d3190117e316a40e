"""Why an event became a run, or did not: what each gate decided, and why."""

from __future__ import annotations

from typing import Any

import pytest

from automate.lib.encryption import Unreadable
from runs.models import Run
from runs.services import cancel, redrive
from runs.services.explain import explain
from runs.services.explained import Explanation, Finding, as_data, as_text
from tests.makers import make_workflow
from tests.webhooks.makers import make_trigger, post, send, told
from webhooks.explain import explain_event, recent
from webhooks.finding import find
from webhooks.models import InboundEvent
from workflows.models import Secret, Workflow

pytestmark = pytest.mark.django_db


def why(run: Run | None = None) -> Explanation:
    (found,) = find(str((run or Run.objects.get()).pk)).explanations()
    return found


def why_not() -> Explanation:
    return explain_event(InboundEvent.objects.select_related("trigger__workflow").get())


def by(explanation: Explanation, name: str) -> Finding:
    """The one finding of this gate."""
    every = [item for part in explanation.parts for item in part.findings]
    (found,) = [item for item in every if item.by == name]
    return found


def names(explanation: Explanation) -> list[str]:
    return [item.by for item in explanation.parts[0].findings]


def with_secret(value: str) -> Workflow:
    """A workflow that names a secret of this value."""
    workflow = make_workflow()
    Secret.objects.create(name="CRM", value=value)
    version = workflow.published
    assert version is not None
    config = {"url": "https://crm.example.com", "headers": {"X": "{{ secrets.CRM }}"}}
    node = {"id": "a", "type": "http_request", "config": config}
    type(version).objects.filter(pk=version.pk).update(definition={"nodes": [node]})
    return workflow


class TestWhyItRan:
    def test_each_gate_that_decided_by_something_is_told(self) -> None:
        config = {
            "scheme": "github",
            "path": "orders/in",
            "events": ["issues", "pu*"],
            "condition": "trigger.payload.total > 100",
        }
        trigger = make_trigger(config, path="orders/in")
        send(trigger, b'{"total": 150}', event="push", event_id="d-1")
        found = why()
        assert names(found) == [
            "webhook", "version", "signature", "event", "condition", "idempotency",
            "idempotency",
        ]  # fmt: skip
        assert "with the id d-1 came" in found.answer
        assert "orders/in" in found.answer
        assert "github" in by(found, "signature").why
        assert "pu*" in by(found, "event").why
        condition = by(found, "condition")
        assert condition.why == "It held: trigger.payload.total > 100"
        assert condition.saw == {"trigger.payload.total": 150}
        assert "the provider's delivery id" in as_text(found)
        assert "is known until" in as_text(found)

    def test_the_condition_is_the_one_that_held_then(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.total > 100"})
        post(trigger, {"total": 150})
        trigger.config = {"condition": "trigger.payload.total > 9000"}
        trigger.save()
        assert by(why(), "condition").why == "It held: trigger.payload.total > 100"

    def test_a_condition_over_the_attributes_of_a_cloud_event(self) -> None:
        trigger = make_trigger({"condition": "trigger.event.source == '/shop'"})
        event: dict[str, Any] = {
            "ce_specversion": "1.0",
            "ce_id": "1",
            "ce_source": "/shop",
            "ce_type": "order",
        }
        post(trigger, {"total": 1}, **event)
        assert by(why(), "condition").saw == {"trigger.event.source": "/shop"}

    def test_what_came_again_is_counted(self) -> None:
        trigger = make_trigger()
        for body in (b"{}", b"{}", b"{}", b"[]"):
            post(trigger, body, idempotency_key="k")
        again = [
            item.why for item in why().parts[0].findings if item.by == "duplicates"
        ]
        assert again[0].startswith("The event came 2 more time(s)")
        assert again[1] == "Its id came 1 time(s) with another body: refused."

    def test_a_redrive_tells_how_the_event_was_let_in_at_first(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.total > 100"})
        post(trigger, {"total": 150})
        first = Run.objects.get()
        cancel(first, by=None)
        first.refresh_from_db()
        again = redrive(first, by=None)
        found = why(again)
        assert by(found, "redrive").runs == (first.pk,)
        assert by(found, "condition").saw == {"trigger.payload.total": 150}
        assert by(why(first), "redrive").runs == (again.pk,)

    def test_a_deleted_trigger_is_no_hindrance(self) -> None:
        trigger = make_trigger({"condition": "trigger.payload.total > 100"})
        post(trigger, {"total": 150})
        trigger.delete()
        assert "has been deleted since" in why().answer
        assert by(why(), "condition").saw

    def test_no_secret_is_told(self) -> None:
        workflow = with_secret("canary-value")
        trigger = make_trigger({"condition": "trigger.payload.note"}, workflow)
        post(trigger, {"note": "a canary-value b", "password": "hidden"})
        shown = str(as_data(why())) + as_text(why())
        assert "canary" not in shown
        assert "a [redacted] b" in shown


class TestWhyItDidNot:
    def test_the_gates_before_passed_and_the_one_that_stopped_it_says_why(self) -> None:
        config = {"scheme": "github", "condition": "trigger.payload.total > 100"}
        trigger = make_trigger(config, path="orders/in")
        send(trigger, b'{"total": 40}', event_id="d-1")
        found = why_not()
        assert names(found) == [
            "size", "encoding", "known", "signature", "fits", "method", "active",
            "required_headers", "well_formed", "condition",
        ]  # fmt: skip
        stop = by(found, "condition")
        assert stop.stopped
        assert stop.why == "The condition does not hold. trigger.payload.total > 100"
        assert stop.saw == {"trigger.payload.total": 40}
        assert "d-1" in found.subject
        assert "filtered" in found.answer

    def test_a_missing_path_is_told(self) -> None:
        post(make_trigger({"condition": "trigger.payload.total > 100"}), {"sum": 1})
        stop = by(why_not(), "condition")
        assert stop.saw == {"trigger.payload.total": "(missing)"}
        assert "The condition failed" in stop.why

    def test_a_duplicate_leads_to_its_run(self) -> None:
        trigger = make_trigger()
        first = told(post(trigger, idempotency_key="k"))["run_id"]
        post(trigger, idempotency_key="k")
        stop = by(why_not(), "idempotency")
        assert [str(pk) for pk in stop.runs] == [first]
        assert "the header Idempotency-Key" in stop.why

    def test_strangers_are_told_as_counted(self) -> None:
        trigger = make_trigger({"scheme": "github"})
        for _ in range(3):
            post(trigger)
        found = why_not()
        assert "3 events to the webhook" in found.subject
        assert "counted" in found.subject
        assert by(found, "signature").stopped

    def test_an_unknown_address_has_no_trigger(self) -> None:
        post("nowhere")
        assert by(why_not(), "known").stopped

    @pytest.mark.parametrize(
        ("reason", "gate"), [("duplicate", "idempotency"), ("expired", "signature")]
    )
    def test_rows_of_before_the_gates_were_kept_are_explained(
        self, reason: str, gate: str
    ) -> None:
        trigger = make_trigger()
        InboundEvent.objects.create(trigger=trigger, reason=reason, status=200)
        assert by(why_not(), gate).stopped

    def test_every_reason_can_be_explained(self) -> None:
        trigger = make_trigger()
        for reason in InboundEvent.Reason:
            row = InboundEvent.objects.create(
                trigger=trigger, reason=reason, status=400
            )
            assert any(item.stopped for item in explain_event(row).parts[0].findings)

    def test_no_secret_is_told(self) -> None:
        workflow = with_secret("canary-value")
        trigger = make_trigger(
            {"condition": "trigger.payload.note == trigger.payload.password"}, workflow
        )
        post(trigger, {"note": "a canary-value b", "password": "canary-password"})
        shown = str(as_data(why_not())) + as_text(why_not())
        assert "canary" not in shown
        assert "a [redacted] b" in shown

    def test_facts_whose_key_is_gone_are_no_hindrance(self) -> None:
        event = InboundEvent.objects.create(
            trigger=make_trigger(), reason="filtered", status=200
        )
        event.refresh_from_db()
        event.facts = Unreadable("gone", b"")
        assert explain_event(event).parts


class TestFinding:
    def test_by_the_id_of_the_run_its_front_and_the_sender_s_id(self) -> None:
        trigger = make_trigger()
        post(trigger, idempotency_key="evt-1")
        run = Run.objects.get()
        for wanted in (str(run.pk), run.pk.hex, run.pk.hex[:20], "evt-1"):
            assert find(wanted).runs == [run]

    def test_by_the_sender_s_id_both_the_run_and_what_came_again(self) -> None:
        trigger = make_trigger()
        post(trigger, idempotency_key="77")
        post(trigger, idempotency_key="77")
        event = InboundEvent.objects.get()
        found = find("77")
        assert (found.runs, found.events) == ([Run.objects.get()], [event])
        assert find(str(event.pk)).events[0] == event

    def test_only_of_one_trigger(self) -> None:
        one, two = make_trigger(), make_trigger()
        for trigger in (one, two):
            post(trigger, idempotency_key="k")
        assert find("k").count == 2
        assert [run.trigger_id for run in find("k", two).runs] == [two.pk]

    @pytest.mark.parametrize("wanted", ["9" * 30, "nothing", "0" * 32, "\x01"])
    def test_nothing_is_found_by_what_nothing_has(self, wanted: str) -> None:
        assert find(wanted).count == 0

    def test_the_latest_of_a_trigger_come_first(self) -> None:
        trigger = make_trigger({"condition": "false"})
        for number in range(3):
            post(trigger, {}, idempotency_key=str(number))
        assert [event.event_id for event in recent(trigger)] == ["2", "1", "0"]
        assert recent(make_trigger()) == []


def test_the_texts_are_plain_and_fit_a_terminal() -> None:
    trigger = make_trigger({"scheme": "github", "condition": "trigger.payload.ref"})
    send(trigger)
    text = as_text(why())
    assert max(map(len, text.splitlines())) <= 100
    assert "<" not in text


def test_explaining_a_run_takes_a_handful_of_queries(
    django_assert_max_num_queries: Any,
) -> None:
    trigger = make_trigger({"scheme": "github", "condition": "trigger.payload.ref"})
    send(trigger)
    (run,) = find(str(Run.objects.get().pk)).runs
    with django_assert_max_num_queries(10):
        explained = explain(run)
    assert {"signature", "condition"} <= set(names(explained))

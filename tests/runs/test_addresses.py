"""`run.urls`: the address of a waiting step reaches its receiver and no reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs.addresses import address_of, answered_by, hidden_parts, named_in
from runs.engine.held import Supplies
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from tests.admin_world import operator, signed_in
from tests.automate.lib.net.servers import Server
from tests.makers import make_key, make_run
from tests.runs.drains import Hand, drained
from tests.runs.flows import again, call, node, publish, started, step
from tests.runs.waiting import ask, done, hook
from workflows.models import WorkflowVersion


def mailed(receiver: Server, **more: Any) -> Run:
    """A run whose first step sends the address of its second."""
    body = {"text": "Decide at {{ run.urls.ask }} please"}
    return started(
        publish(
            call("tell", receiver.url, config={"body": body}), ask(), done("go"), **more
        )
    )


def sent(receiver: Server) -> str:
    return str(receiver.requests[-1])


def test_an_earlier_step_sends_the_address_and_it_works(
    hand: Hand, receiver: Server
) -> None:
    run = mailed(receiver)
    hand.claim()
    hand.record(hand.perform("tell"))
    address = address_of(run.pk, "ask")
    assert address in sent(receiver)

    path = address.partition("//")[2].partition("/")[2]
    early = Client().post(f"/{path}", {"decision": "approved"}, "application/json")

    assert early.status_code == 202
    hand.finish()
    assert again(run).status == "succeeded"


def test_no_reader_sees_the_address(hand: Hand, receiver: Server) -> None:
    run = mailed(receiver)
    hand.claim()
    hand.finish()
    secret = address_of(run.pk, "ask").rpartition("/")[2]
    assert secret in sent(receiver)
    assert step(run, "ask").status == "waiting"

    for row in (
        *StepRun.objects.filter(run=run).values("input", "error_message"),
        *DeliveryAttempt.objects.filter(run=run).values(),
        *RunLog.objects.filter(run=run).values(),
    ):
        assert secret not in str(row)
    assert "Decide at" in json.dumps(step(run, "tell").input)
    reader = signed_in(operator("runs.view_run", "runs.view_steprun"))
    page = reader.get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert "Decide at" in page.content.decode()
    assert secret not in page.content.decode()
    for part in ("", "/steps", "/attempts", "/logs"):
        answer = Client().get(
            f"/api/v1/runs/{run.pk}{part}",
            headers={"Authorization": f"Bearer {make_key()}"},
        )
        assert answer.status_code == 200
        assert secret not in answer.content.decode()


def test_what_a_step_keeps_of_an_address_is_hidden_where_it_is_shown(
    hand: Hand, receiver: Server
) -> None:
    """It passes from an output into another step's request."""
    flow = publish(
        done("keep", link="{{ run.urls.hook }}"),
        call("tell", receiver.url, config={"body": "{{ steps.keep.link }}"}),
        hook(),
    )
    run = started(flow)
    hand.claim()
    hand.finish()
    secret = address_of(run.pk, "hook").rpartition("/")[2]
    assert secret in sent(receiver)
    assert secret not in json.dumps(step(run, "tell").input)
    assert secret not in str(DeliveryAttempt.objects.filter(run=run).values())


def test_the_same_address_at_every_attempt() -> None:
    run_id = make_id()
    assert address_of(run_id, "ask") == address_of(run_id, "ask")
    assert address_of(run_id, "ask") != address_of(make_id(), "ask")
    assert address_of(run_id, "ask") != address_of(run_id, "ask2")


def make_id() -> Any:
    from automate.lib.ids import uuid7

    return uuid7()


@pytest.mark.django_db
def test_addresses_are_named_in_bodies_too() -> None:
    inner = {"nodes": [done("in", a="{{ run.urls.b }}"), ask("b")], "connections": []}
    loop = node("each", "for_each", {"items": [], **inner})
    definition = {"nodes": [done("x", a="{{ run.urls.a-b }}"), ask("a-b"), loop]}
    assert named_in(definition) == {"a-b", "b"}
    assert answered_by(definition, "b") == "approval"
    assert answered_by(definition, "x") == ""
    assert answered_by(definition, "nothing") == ""


def test_all_that_is_hidden_is_the_signature() -> None:
    run_id = make_id()
    address = address_of(run_id, "ask")
    redactor = Supplies(hidden=frozenset(hidden_parts([run_id], ["ask"]))).redactor
    shown = redactor.text(f"see {address}!")
    assert shown == f"see {address.rpartition('/')[0]}/[redacted]!"


@pytest.mark.django_db
def test_a_run_without_addresses_hides_none() -> None:
    from runs.redaction import hidden_from_readers

    run = make_run()
    WorkflowVersion.objects.filter(pk=run.version_id).update(
        definition={"nodes": [done("a"), ask()], "connections": []}
    )
    run.version.refresh_from_db()
    assert hidden_from_readers(run) == frozenset()


def test_a_called_workflow_is_given_an_address_and_shows_none(
    engine: Any, receiver: Server
) -> None:
    config = {"body": "{{ trigger.payload.link }}"}
    child = publish(call("tell", receiver.url, config=config))
    link = {"link": "{{ run.urls.hook }}"}
    parent = publish(
        node("sub", "run_workflow", {"workflow": child.slug, "input": link}), hook()
    )
    run = started(parent)
    drained(lambda: StepRun.objects.filter(node_id="hook", status="waiting").exists())
    secret = address_of(run.pk, "hook").rpartition("/")[2]
    assert secret in sent(receiver)
    called = Run.objects.get(parent=run)
    assert step(called, "tell").input is not None
    for row in (
        *StepRun.objects.values("input", "error_message"),
        *DeliveryAttempt.objects.values(),
    ):
        assert secret not in str(row)
    reader = signed_in(operator("runs.view_run"))
    page = reader.get(reverse("admin:runs_run_change", args=(called.pk,)))
    assert secret not in page.content.decode()

"""Stores that cannot be reached: nobody loses anything, and nothing is done twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from automate.lib.ids import uuid7
from automate.lib.payloads import (
    PayloadStore,
    PayloadStoreAway,
    get_ring,
    opened,
)
from runs import maintenance
from runs.engine import perform
from runs.models import IdempotencyKey, Job, Run
from runs.services import Dedupe, execute_manually
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    accepted,
    again,
    attempts,
    call,
    given,
    make_due,
    publish,
    started,
    step,
)
from tests.runs.payloads.stored import BIG, all_in, is_moved, take_away
from tests.webhooks.makers import code_of, make_trigger, post

pytestmark = [
    pytest.mark.usefixtures("engine", "limits"),
    pytest.mark.parametrize("store", ["files", "s3"], indirect=True),
]

Away = Callable[[], Callable[[], Any]]


@pytest.fixture
def away(store: PayloadStore, settings: Settings, tmp_path: Path) -> Away:
    """Takes the store away; what it returns brings it back."""
    store.put(b"so that it is there")
    return lambda: take_away(store, settings, tmp_path)


def test_every_call_says_so(store: PayloadStore, away: Away) -> None:
    reference = store.put(b"x")
    bring_back = away()
    gone = get_ring().writer

    for work in (
        lambda: gone.put(b"x"),
        lambda: gone.get(reference),
        lambda: gone.delete([reference]),
        lambda: list(gone.references(timezone.now())),
    ):
        with pytest.raises(PayloadStoreAway):
            work()
    assert isinstance(gone.get_many([reference])[reference], PayloadStoreAway)
    bring_back()
    assert get_ring().get(store.kind, reference) == b"x"


def test_a_large_event_is_refused_and_leaves_nothing(away: Away) -> None:
    workflow = publish(given("a", n=1))
    bring_back = away()

    with pytest.raises(PayloadStoreAway):
        accepted(workflow, {"text": BIG}, dedupe=Dedupe("s", "k", "h"))

    assert not Run.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert accepted(workflow, {"text": "small"})
    bring_back()
    assert not accepted(workflow, {"text": BIG}, dedupe=Dedupe("s", "k", "h")).duplicate


def test_the_edge_answers_503_with_retry_after(away: Away, settings: Settings) -> None:
    settings.ROOT_URLCONF = "webhooks.urls"
    trigger = make_trigger(workflow=publish(given("a", n=1)))
    bring_back = away()

    refused = post(trigger, {"text": BIG})

    assert (refused.status_code, code_of(refused)) == (503, "UNAVAILABLE")
    assert int(refused["Retry-After"]) > 0
    assert b"payloads" not in refused.content
    assert post(trigger, {"text": "small"}).status_code == 202
    bring_back()
    assert post(trigger, {"text": BIG}).status_code == 202


def test_a_start_by_hand_is_refused_alike(away: Away) -> None:
    workflow = publish(given("a", n=1))
    away()

    with pytest.raises(PayloadStoreAway):
        execute_manually(workflow, {"text": BIG}, None)

    assert not Run.objects.exists()


def test_a_step_waits_for_its_input_and_loses_no_try(
    away: Away, hand: Hand, store: PayloadStore
) -> None:
    config = {"values": {"copy": "{{ trigger.payload.text }}"}}
    once = {"id": "a", "type": "set", "config": config, "retry": {"max_attempts": 1}}
    run = started(publish(once), {"text": BIG})
    bring_back = away()
    for _ in range(3):
        hand.claim()
        hand.record()
        row = step(run, "a")
        assert (row.status, row.waiting_for) == ("waiting", "retry")
        assert (row.attempt, row.error_class) == (0, "payload_store")
        assert row.due_at is not None
        wait = (row.due_at - timezone.now()).total_seconds()
        assert 0 < wait <= 2 * perform.PUT_OFF
        make_due(run)
    bring_back()

    hand.claim()
    hand.finish()

    assert again(run).status == "succeeded"
    assert opened(step(run, "a").output) == {"copy": BIG}
    assert step(run, "a").attempt == 1
    assert step(run, "a").error_class == ""


def test_nothing_is_sent_before_its_input_is_there(away: Away, hand: Hand) -> None:
    with Server(always(answer(b"{}"))) as server:
        config = {"body": "{{ trigger.payload }}"}
        run = started(publish(call("call", server.url, config=config)), {"text": BIG})
        away()

        hand.claim()
        hand.record()

        assert server.requests == []
    assert attempts(run) == []


def test_steps_that_read_no_payload_go_on(away: Away) -> None:
    run = started(publish(given("a", n=1)), {"text": BIG})
    away()

    drained()

    assert again(run).status == "succeeded"


def test_an_output_stays_in_its_row_and_its_step_is_not_repeated(
    away: Away, caplog: pytest.LogCaptureFixture
) -> None:
    body = answer(
        b'{"text": "%s"}' % BIG.encode(), "200 OK", "Content-Type: application/json"
    )
    away()
    with Server(always(body)) as server, caplog.at_level(logging.WARNING):
        workflow = publish(
            call("call", server.url),
            given("length", of="{{ steps.call.body.text | length }}"),
        )
        run = started(workflow, {"n": 1})
        drained()
        assert len(server.requests) == 1

    assert again(run).status == "succeeded"
    assert not is_moved(step(run, "call"), "output")
    assert step(run, "call").output["body"] == {"text": BIG}
    assert step(run, "length").output == {"of": len(BIG)}
    assert "stays in its row" in caplog.text


def test_the_output_of_a_run_waits_for_what_it_reads(away: Away, hand: Hand) -> None:
    workflow = publish(given("a", n=1), output="{{ trigger.payload.text }}")
    run = started(workflow, {"text": BIG})
    bring_back = away()
    hand.claim()
    hand.record()
    assert step(run, "a").status == "succeeded"

    hand.record()  # the output's rendering, which is put off

    assert again(run).status == "running"
    job = Job.objects.get(run=run)
    assert job.lease_token is None
    assert job.due_at > timezone.now()
    bring_back()
    make_due(run)
    hand.claim()
    hand.finish()
    assert opened(again(run).output) == BIG


def test_readers_are_told_and_nothing_fails(away: Away) -> None:
    run = started(publish(given("a", n=1)), {"text": BIG})
    away()

    assert str(opened(again(run).body)) == "unreadable (the payload store is away)"


def test_a_purge_leaves_payloads_for_the_next_one(
    away: Away, store: PayloadStore
) -> None:
    run = started(publish(given("a", n=1)), {"text": BIG})
    drained()
    then = timezone.now() + timedelta(days=60)
    there = all_in(store)
    bring_back = away()

    counts = maintenance.purge(now=then)

    assert counts["runs"] == 1
    assert not Run.objects.filter(pk=run.pk).exists()
    bring_back()
    assert all_in(store) == there
    maintenance.purge(now=then)
    assert all_in(store) == set()


def test_a_missing_payload_is_not_taken_for_an_outage(store: PayloadStore) -> None:
    store.put(b"x")
    found = get_ring().get_many(store.kind, [uuid7()])

    assert "missing" in str(next(iter(found.values())))

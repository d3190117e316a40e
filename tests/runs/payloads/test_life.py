"""The life of a large payload, with each store: in, through the steps, out, gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from automate.lib import payloads
from automate.lib.key_ring import get_ring, key_id_of
from automate.lib.payloads import PayloadStore, opened
from automate.rotation import rotate
from runs import maintenance
from runs.models import IdempotencyKey, Payload, PayloadUse, Run
from runs.services import Dedupe, redrive
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import drained
from tests.runs.flows import (
    accepted,
    again,
    call,
    given,
    publish,
    started,
    step,
)
from tests.runs.payloads.stored import BIG, all_in, column, is_moved, uses
from tests.runs.stores import KINDS

pytestmark = [
    pytest.mark.usefixtures("engine", "limits"),
    pytest.mark.parametrize("store", KINDS, indirect=True),
]


def later(days: float = 40) -> Any:
    return timezone.now() + timedelta(days=days)


def test_a_large_body_is_moved_and_a_small_one_stays(store: PayloadStore) -> None:
    workflow = publish(given("a", n=1))

    large, small = started(workflow, {"text": BIG}), started(workflow, {"text": "s"})

    assert is_moved(large, "body")
    assert not is_moved(small, "body")
    assert uses(large) == all_in(store)
    assert uses(small) == set()
    assert BIG.encode() not in store.get(next(iter(uses(large))))
    assert opened(large.body) == b'{"text": "%s"}' % BIG.encode()


def test_what_nobody_asked_for_reads_as_unreadable(store: PayloadStore) -> None:
    run = started(publish(given("a", n=1)), {"text": BIG})

    assert str(run.body) == "unreadable (in the payload store)"
    run.save()
    assert opened(again(run).body) == b'{"text": "%s"}' % BIG.encode()


def test_steps_see_plain_values(store: PayloadStore) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        given("second", whole="{{ trigger.payload }}", n="{{ trigger.payload.n }}"),
        given("third", length="{{ steps.first.copy | length }}"),
        output={"long": "{{ steps.second.whole.text }}", "n": "{{ steps.third }}"},
    )
    run = started(workflow, {"text": BIG, "n": 7})

    drained()

    run = again(run)
    assert run.status == "succeeded", run.error_message
    assert is_moved(step(run, "first"), "output")
    assert is_moved(step(run, "second"), "output")
    assert not is_moved(step(run, "third"), "output")
    assert is_moved(run, "output")
    assert opened(step(run, "second").output) == {
        "whole": {"text": BIG, "n": 7},
        "n": 7,
    }
    assert opened(run.output) == {"long": BIG, "n": {"length": len(BIG)}}
    assert uses(run) == all_in(store)
    assert len(uses(run)) == 4


def test_an_output_of_the_run_that_reads_the_event_alone(store: PayloadStore) -> None:
    workflow = publish(given("a", n=1), output="{{ trigger.payload.text }}")
    run = started(workflow, {"text": BIG})

    drained()

    assert opened(again(run).output) == BIG


def test_a_bad_template_in_the_output_fails_the_run_alike(store: PayloadStore) -> None:
    workflow = publish(given("a", n=1), output={"x": "{{ trigger.payload.nothing.y }}"})
    large, small = started(workflow, {"text": BIG}), started(workflow, {"text": "s"})

    drained()

    large, small = again(large), again(small)
    assert large.status == small.status == "failed"
    assert large.error_class == small.error_class == "template"
    assert large.error_message == small.error_message


def test_a_large_answer_is_moved_with_its_attempt_in_the_row(
    store: PayloadStore,
) -> None:
    body = answer(
        b'{"text": "%s"}' % BIG.encode(), "200 OK", "Content-Type: application/json"
    )
    with Server(always(body)) as server:
        workflow = publish(
            call("call", server.url),
            given("length", of="{{ steps.call.body.text | length }}"),
        )
        run = started(workflow, {"n": 1})
        drained()

    assert is_moved(step(run, "call"), "output")
    assert step(run, "length").output == {"of": len(BIG)}


def test_a_delay_leaves_the_payload_for_whoever_goes_on(store: PayloadStore) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        {"id": "wait", "type": "delay", "config": {"duration": 1.2}},
        given("last", n="{{ steps.first.copy | length }}"),
    )
    run = started(workflow, {"text": BIG})

    drained()

    assert step(run, "last").output == {"n": len(BIG)}


def test_redrives_share_what_the_first_run_has(store: PayloadStore) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        given("bad", x="{{ steps.first.copy.nothing.there }}"),
    )
    run = started(workflow, {"text": BIG})
    drained()
    held = all_in(store)

    fresh = redrive(again(run), by=None, start="failed")
    drained()

    assert uses(fresh) == uses(run) == held == all_in(store)
    assert column(fresh, "body") == column(run, "body")
    assert opened(step(fresh, "first").output) == {"copy": BIG}


def test_a_purge_takes_what_no_run_refers_to(
    store: PayloadStore, settings: Settings
) -> None:
    workflow = publish(given("first", copy="{{ trigger.payload.text }}"))
    run = started(workflow, {"text": BIG})
    other = started(workflow, {"text": BIG})
    drained()
    shared, own = uses(run), uses(other)
    fresh = redrive(again(run), by=None, start="start")
    drained()
    Run.objects.exclude(pk=fresh.pk).update(finished_at=later(-60))

    maintenance.purge()

    assert set(Run.objects.all()) == {run, fresh}, "what a redrive stems from stays"
    assert not own & all_in(store)
    assert shared <= all_in(store)
    assert opened(again(fresh).body) == b'{"text": "%s"}' % BIG.encode()
    Run.objects.update(finished_at=later(-60))
    maintenance.purge()
    assert all_in(store) == set()
    assert not PayloadUse.objects.exists()
    assert not Payload.objects.exists()


def test_rotating_the_keys_rotates_what_is_stored(
    store: PayloadStore, settings: Settings
) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        given("bad", x="{{ steps.first.copy.nothing.there }}"),
    )
    run = started(workflow, {"text": BIG})
    drained()
    fresh = redrive(again(run), by=None, start="failed")
    drained()
    old = get_ring().key_ids[0]
    settings.FIELD_ENCRYPTION_KEYS = ["a-new-key", *settings.FIELD_ENCRYPTION_KEYS]
    new = get_ring().key_ids[0]

    reports = {item.column: item for item in rotate(batch=1)}

    assert reports["runs.Run.body"].rotated == 2
    assert not any(item.unreadable for item in reports.values())
    assert {key_id_of(store.get(item)) for item in all_in(store)} == {new}
    assert old.encode() not in column(run, "body")
    settings.FIELD_ENCRYPTION_KEYS = ["a-new-key"]
    assert opened(again(fresh).body) == opened(again(run).body)
    assert opened(step(fresh, "first").output) == {"copy": BIG}
    assert sum(item.rotated for item in rotate(batch=50)) == 0


def test_rotating_leaves_what_cannot_be_had_and_says_so(
    store: PayloadStore, settings: Settings
) -> None:
    workflow = publish(given("a", n=1))
    gone, there = started(workflow, {"text": BIG}), started(workflow, {"text": BIG})
    store.delete(uses(gone))
    before, (old,) = column(gone, "body"), get_ring().key_ids
    settings.FIELD_ENCRYPTION_KEYS = ["a-new-key", *settings.FIELD_ENCRYPTION_KEYS]

    reports = {item.column: item for item in rotate(batch=10)}

    assert reports["runs.Run.body"].rotated == 1
    assert reports["runs.Run.body"].unreadable == {old: 1}
    assert column(gone, "body") == before
    assert opened(again(there).body) == b'{"text": "%s"}' % BIG.encode()


def test_an_event_that_came_before_is_not_put_again(store: PayloadStore) -> None:
    workflow = publish(given("a", n=1))
    dedupe = Dedupe("test", "event-1", "hash")

    first = accepted(workflow, {"text": BIG}, dedupe=dedupe)
    second = accepted(workflow, {"text": BIG}, dedupe=dedupe)

    assert second.duplicate
    assert second.run_id == first.run_id
    assert len(all_in(store)) == 1
    IdempotencyKey.objects.update(expires_at=later(-1))
    assert not accepted(workflow, {"text": BIG}, dedupe=dedupe).duplicate
    assert len(all_in(store)) == 2


def test_what_was_never_committed_is_collected_after_a_day(
    store: PayloadStore,
) -> None:
    """A process that dies between the put and the commit leaves this behind."""
    run = started(publish(given("a", n=1)), {"text": BIG})
    store.put(b"nobody's")

    assert maintenance.purge(now=later(0.9))["orphaned_payloads"] == 0
    dry = maintenance.purge(now=later(1.1), dry_run=True)
    assert dry["orphaned_payloads"] == 1
    assert len(all_in(store)) == 2
    assert maintenance.purge(now=later(1.1))["orphaned_payloads"] == 1
    assert all_in(store) == uses(run)


def test_a_payload_that_is_gone_fails_the_step_that_reads_it(
    store: PayloadStore,
) -> None:
    workflow = publish(
        given("first", n=1), given("second", copy="{{ trigger.payload.text }}")
    )
    run = started(workflow, {"text": BIG})
    store.delete(all_in(store))

    drained()

    assert step(run, "first").status == "succeeded"
    second = step(run, "second")
    assert (second.status, second.error_class) == ("failed", "payload_missing")
    assert "missing from" in second.error_message


def test_a_payload_that_was_swapped_is_not_taken_for_another(
    store: PayloadStore,
) -> None:
    workflow = publish(given("a", copy="{{ trigger.payload.text }}"))
    first, second = started(workflow, {"text": BIG}), started(workflow, {"text": BIG})
    (one,), (other,) = uses(first), uses(second)
    store.write(one, store.get(other))

    assert "damaged" in str(opened(first.body))
    drained()
    assert step(first, "a").error_class == "payload_missing"
    assert step(second, "a").status == "succeeded"


def test_the_ring_reads_what_an_earlier_setting_wrote(
    store: PayloadStore, settings: Settings
) -> None:
    workflow = publish(given("a", copy="{{ trigger.payload.text }}"))
    run = started(workflow, {"text": BIG})
    before = list(settings.PAYLOAD_STORES)
    if store.kind == "memory":
        pytest.skip("a new ring has another memory")

    settings.PAYLOAD_STORES = ["memory", *before]

    assert opened(again(run).body) == b'{"text": "%s"}' % BIG.encode()
    assert payloads.get_ring().writer.kind == "memory"

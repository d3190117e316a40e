"""Schedules fire each of their moments once, and nothing else stops for one of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from runs.engine.payload import trigger_payload
from runs.models import Firing, Job, Run
from runs.services.schedules import LONGEST, MOST_AT_ONCE, Schedules, fire_trigger
from tests.runs.drains import drained, together, until
from workflows.models import Trigger, Workflow
from workflows.services import create_workflow
from workflows.triggers import base
from workflows.triggers.base import TriggerKind

STEPS = [{"name": "note", "type": "set", "config": {"values": {"a": 1}}}]
MINUTE = timedelta(minutes=1)


def scheduled(cron: str = "0 3 * * *", **config: Any) -> Trigger:
    """The trigger of a published workflow that goes by this expression."""
    trigger = {"kind": "schedule", "config": {"cron": cron, **config}}
    document = {"name": "Clockwork", "steps": STEPS, "triggers": [trigger]}
    return create_workflow(document, by=None).workflow.triggers.get()


def was_due(trigger: Trigger, ago: timedelta = timedelta(seconds=1)) -> datetime:
    """Let its next moment have come; the moment."""
    moment = timezone.now().replace(microsecond=0) - ago
    Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=moment)
    return moment


def next_of(trigger: Trigger) -> datetime | None:
    return Trigger.objects.get(pk=trigger.pk).next_fire_at


def payloads() -> list[Any]:
    return [trigger_payload(run) for run in Run.objects.order_by("id")]


@pytest.mark.django_db
def test_what_is_due_becomes_a_run_and_the_next_moment_is_set() -> None:
    trigger = scheduled("0 3 * * *", payload={"report": "daily"})
    moment = was_due(trigger)
    pause = Schedules().fire()
    assert 0 < pause <= LONGEST
    run = Run.objects.get()
    assert (run.trigger, run.workflow) == (trigger, trigger.workflow)
    assert run.version == trigger.workflow.published
    assert run.event_id == f"{moment:%Y-%m-%dT%H:%M} UTC"
    [payload] = payloads()
    fired_at = datetime.fromisoformat(payload.pop("fired_at"))
    assert timedelta(0) <= fired_at - moment < timedelta(seconds=30)
    assert payload == {
        "report": "daily",
        "scheduled_for": moment.isoformat(),
        "timezone": "UTC",
    }
    following = next_of(trigger)
    assert following is not None
    assert following > timezone.now()
    assert (following.hour, following.minute) == (3, 0)
    firing = Firing.objects.get()
    assert (firing.run, firing.scheduled_for) == (run, moment)


@pytest.mark.django_db
def test_a_moment_fires_once_though_its_trigger_says_again_that_it_is_due() -> None:
    trigger = scheduled()
    moment = was_due(trigger)
    Schedules().fire()
    # As somebody leaves it who saved the row as it was before.
    Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=moment)
    Schedules().fire()
    assert Run.objects.count() == Job.objects.count() == Firing.objects.count() == 1
    following = next_of(trigger)
    assert following is not None
    assert following > timezone.now()


@pytest.mark.django_db(transaction=True)
def test_many_firers_at_once_fire_each_moment_once() -> None:
    rows = [scheduled() for _ in range(12)]
    for row in rows:
        was_due(row)

    def firer() -> None:
        chore = Schedules()
        until(lambda: chore.fire() > 0.05)

    together(*[firer] * 6)
    assert Run.objects.count() == 12
    assert sorted(Run.objects.values_list("trigger", flat=True)) == sorted(
        row.pk for row in rows
    )


@pytest.mark.django_db(transaction=True)
def test_firers_that_hold_the_same_row_are_parted_by_the_constraint() -> None:
    """As two hosts would, without the lock that mostly parts them."""
    trigger = scheduled()
    was_due(trigger)
    row = Trigger.objects.select_related("workflow").get(pk=trigger.pk)
    now = timezone.now()

    def firer() -> None:
        from automate.lib.database import repeat, write_transaction

        def work() -> None:
            with write_transaction():
                fire_trigger(row, now)

        repeat(work)

    together(*[firer] * 4)
    assert Run.objects.count() == Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_hour_that_autumn_repeats_is_fired_once_by_several_clusters() -> None:
    trigger = scheduled("30 2 * * *", timezone="Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the summer's 02:30
    rows = []
    for moment in (first, first + timedelta(hours=1)):  # and the winter's
        row = Trigger.objects.select_related("workflow").get(pk=trigger.pk)
        row.next_fire_at = moment
        rows.append((row, moment + timedelta(seconds=1)))

    def firer(row: Trigger, now: datetime) -> Any:
        from automate.lib.database import repeat, write_transaction

        def work() -> None:
            with write_transaction():
                fire_trigger(row, now)

        return lambda: repeat(work)

    together(*[firer(row, now) for row, now in rows for _ in range(2)])
    assert Firing.objects.get().slot == "2026-10-25T02:30 Europe/Berlin"
    assert Run.objects.count() == 1
    assert next_of(trigger) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("catch_up", "expected"), [("skip", []), ("one", [1]), ("all", [4, 3, 2, 1])]
)
@pytest.mark.django_db
def test_after_a_pause_as_many_fire_as_the_config_says(
    catch_up: str, expected: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    trigger = scheduled("*/5 * * * *", catch_up=catch_up)
    now = datetime(2026, 5, 1, 12, 18, tzinfo=UTC)
    trigger.next_fire_at = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    with caplog.at_level(logging.WARNING, "runs"):
        fire_trigger(trigger, now)
    minutes = [datetime.fromisoformat(item["scheduled_for"]) for item in payloads()]
    latest = datetime(2026, 5, 1, 12, 20, tzinfo=UTC)
    assert minutes == [latest - 5 * number * MINUTE for number in expected]
    assert next_of(trigger) == latest
    assert ("passes over" in caplog.text) is (catch_up != "all")


@pytest.mark.parametrize("status", ["inactive", "archived"])
@pytest.mark.django_db
def test_a_workflow_that_takes_no_events_fires_nothing(status: str) -> None:
    trigger = scheduled()
    was_due(trigger)
    Workflow.objects.update(status=status)
    Schedules().fire()
    assert not Run.objects.exists()
    assert next_of(trigger) is None


@pytest.mark.django_db
def test_a_trigger_that_is_switched_off_fires_nothing() -> None:
    trigger = scheduled()
    was_due(trigger)
    Trigger.objects.update(is_active=False)
    Schedules().fire()
    assert not Run.objects.exists()
    assert next_of(trigger) is None


@pytest.mark.django_db
def test_a_broken_trigger_blocks_no_other_and_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, gone, sound = scheduled(), scheduled(), scheduled()
    for minutes, row in ((3, broken), (2, gone), (1, sound)):
        was_due(row, minutes * MINUTE)
    was = next_of(broken)
    Trigger.objects.filter(pk=broken.pk).update(config={"cron": "no cron at all"})
    Trigger.objects.filter(pk=gone.pk).update(kind="of_a_plugin_that_is_not_here")
    chore = Schedules()
    with caplog.at_level(logging.ERROR, "runs"):
        assert chore.fire() > 0
        assert chore.fire() > 0
    assert Run.objects.get().trigger == sound
    assert caplog.text.count("cannot fire") == 2, "each once, not at every look"
    assert next_of(broken) == was
    # A host that knows the kind, or this one later, fires what was missed.
    Trigger.objects.filter(pk=broken.pk).update(config={"cron": "0 3 * * *"})
    Schedules().fire()
    assert Run.objects.filter(trigger=broken).count() == 1


@pytest.mark.django_db
def test_without_a_schedule_it_asks_seldom_and_before_one_just_in_time() -> None:
    assert Schedules().fire() == LONGEST
    trigger = scheduled()
    soon = timezone.now() + timedelta(seconds=0.9 * LONGEST)
    Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=soon)
    assert 0 < Schedules().fire() <= 0.9 * LONGEST
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_one_look_fires_a_bounded_number_of_triggers() -> None:
    trigger = scheduled()
    for _ in range(MOST_AT_ONCE):
        Trigger.objects.create(
            workflow=trigger.workflow, kind="schedule", config=trigger.config
        )
    Trigger.objects.update(next_fire_at=timezone.now() - MINUTE)
    chore = Schedules()
    assert chore.fire() == 0.0
    assert Run.objects.count() == MOST_AT_ONCE
    chore.fire()
    assert Run.objects.count() == MOST_AT_ONCE + 1


class Ticks(TriggerKind):
    """Fires every half second; a name no minute has."""

    kind = "ticks"
    label = "Ticks"

    def next_fire(self, config: Mapping[str, Any], after: datetime) -> datetime:
        half = after.replace(microsecond=after.microsecond // 500_000 * 500_000)
        return half + timedelta(seconds=0.5)

    def payload(self, config: Mapping[str, Any], moment: datetime) -> Any:
        return [moment.isoformat()]


def test_a_drain_fires_when_it_is_due(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.all_kinds()
    entries = {**base._registry.entries, "ticks": Ticks()}
    monkeypatch.setattr(base._registry, "entries", entries)
    document = {"name": "T", "steps": STEPS, "triggers": [{"kind": "ticks"}]}
    trigger = create_workflow(document, by=None).workflow.triggers.get()
    assert trigger.next_fire_at is not None
    drained(lambda: Run.objects.count() >= 8, chores=(Schedules().fire,), within=60)
    late = [
        firing.fired_at - firing.scheduled_for
        for firing in Firing.objects.order_by("scheduled_for")
    ]
    # To the tenth of a second on a machine that does nothing else.
    assert timedelta(0) <= min(late) < timedelta(seconds=2)
    assert payloads()[0] == [Firing.objects.last().scheduled_for.isoformat()]  # type: ignore[union-attr]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_has_in_hand_holds_up_nobody() -> None:
    taken, free = scheduled(), scheduled()
    was_due(taken, MINUTE)
    was_due(free)

    def other() -> None:
        Schedules().fire()
        connections.close_all()

    from django.db import transaction

    with transaction.atomic():
        Trigger.objects.select_for_update(no_key=True).get(pk=taken.pk)
        together(other)  # would wait for as long as this transaction lasts
    assert Run.objects.get().trigger == free

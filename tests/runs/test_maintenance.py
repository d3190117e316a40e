"""What a purge takes, and what it leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import Settings

from automate.accounts.audit import record
from automate.accounts.models import AuditEntry, RateWindow
from runs import maintenance
from runs.maintenance import purge
from runs.models import (
    DeliveryAttempt,
    Firing,
    IdempotencyKey,
    Job,
    RateBucket,
    Run,
    RunLog,
    StepRun,
)
from runs.models.worker import Worker
from tests.makers import make_attempt, make_job, make_run, make_step, make_workflow
from webhooks.models import InboundEvent
from workflows.models import Trigger

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def ended(days: float, workflow: Any = None, **fields: Any) -> Run:
    times = {"started_at": days_ago(days), "finished_at": days_ago(days)}
    return make_run(workflow, **{"status": "succeeded", **times, **fields})


def left() -> set[Run]:
    return set(Run.objects.all())


def test_finished_runs_go_after_the_sites_retention(settings: Settings) -> None:
    settings.RETENTION_DAYS = 30
    ended(31)
    young = ended(29)

    counts = purge(now=NOW)

    assert counts["runs"] == 1
    assert left() == {young}


def test_a_workflows_own_retention_wins(settings: Settings) -> None:
    settings.RETENTION_DAYS = 30
    brief = make_workflow(retention_days=1)
    long = make_workflow(retention_days=365)
    ended(2, brief)
    kept = {ended(0.5, brief), ended(31, long)}
    ended(366, long)

    assert purge(now=NOW)["runs"] == 2
    assert left() == kept


@pytest.mark.parametrize("status", ["queued", "running"])
def test_unfinished_runs_stay_whatever_their_age(status: str) -> None:
    run = make_run(status=status)
    Run.objects.update(created_at=days_ago(400))
    make_job(run)

    purge(now=NOW)

    assert left() == {run}
    assert Job.objects.count() == 1


def test_a_run_goes_with_all_that_belongs_to_it() -> None:
    run = ended(60)
    make_attempt(make_step(run))
    RunLog.objects.create(run=run, message="x")

    purge(now=NOW)

    for model in (Run, StepRun, DeliveryAttempt, RunLog):
        assert model._base_manager.count() == 0


def test_a_run_stays_while_its_redrive_is_kept() -> None:
    """And with it what its version hides from those who read the redrive."""
    old = ended(60, status="failed")
    new = ended(1, replay_of=old, root_run=old)

    purge(now=NOW)

    assert left() == {old, new}
    new.refresh_from_db()
    assert (new.replay_of, new.root_run) == (old, old)


def test_a_run_stays_while_its_redrive_is_under_way() -> None:
    old = ended(60, status="failed")
    new = make_run(old.workflow, replay_of=old)

    purge(now=NOW)

    assert left() == {old, new}


def test_all_runs_around_an_item_stay_while_its_redrive_is_under_way() -> None:
    """Its steps read what lies around them, at every level."""
    root = ended(60, status="failed")
    outer = ended(60, parent=root, parent_node="a", item_index=0, root_run=root)
    inner = ended(60, parent=outer, parent_node="b", item_index=0, root_run=root)
    item = ended(60, parent=inner, parent_node="c", item_index=0, root_run=root)
    place = {"parent": inner, "parent_node": "c", "item_index": 0}
    again = make_run(root.workflow, replay_of=item, root_run=root, **place)

    purge(now=NOW)

    assert left() == {root, outer, inner, item, again}


def test_a_caller_stays_while_a_run_that_it_called_is_kept() -> None:
    caller = ended(60)
    other = make_workflow(retention_days=365)
    called = ended(60, other, parent=caller, parent_node="a", root_run=caller)
    deepest = ended(60, other, parent=called, parent_node="a", root_run=caller)

    purge(now=NOW)

    assert left() == {caller, called, deepest}


def test_a_called_run_may_go_before_its_caller() -> None:
    caller = ended(60, make_workflow(retention_days=365))
    ended(60, parent=caller, parent_node="a", root_run=caller)

    purge(now=NOW)

    assert left() == {caller}


def test_a_family_goes_in_one_purge_whatever_the_workflows() -> None:
    """Whichever of the retentions is looked at first."""
    brief, long = make_workflow(retention_days=1), make_workflow(retention_days=20)
    for first, second in [(brief, long), (long, brief)]:
        root = ended(60, first)
        middle = ended(60, second, parent=root, parent_node="a", root_run=root)
        ended(60, first, parent=middle, parent_node="a", root_run=root)
        ended(50, first, replay_of=root, root_run=root)

    assert purge(now=NOW)["runs"] == 8
    assert left() == set()


def test_many_runs_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "BATCH", 2)
    workflow = make_workflow()
    for _ in range(5):
        ended(60, workflow)

    assert purge(now=NOW)["runs"] == 5
    assert left() == set()


def test_a_dry_run_counts_and_takes_nothing() -> None:
    run = ended(60)

    counts = purge(dry_run=True, now=NOW)

    assert counts["runs"] == 1
    assert left() == {run}


def make_idempotency_key(key: str, expires_at: datetime) -> None:
    IdempotencyKey.objects.create(
        scope="s",
        key_hash=key,
        body_hash="b",
        run_id=make_run().pk,
        expires_at=expires_at,
    )


def test_keys_outlive_their_run_until_they_expire() -> None:
    make_idempotency_key("old", NOW - timedelta(seconds=1))
    make_idempotency_key("new", NOW + timedelta(seconds=1))

    assert purge(now=NOW)["idempotency_keys"] == 1
    assert IdempotencyKey.objects.get().key_hash == "new"


def test_inbound_events_go_after_the_sites_retention(settings: Settings) -> None:
    settings.RETENTION_DAYS = 7
    for days in (6, 8):
        InboundEvent.objects.create(
            reason="bad_signature", status=401, at=days_ago(days)
        )

    assert purge(now=NOW)["inbound_events"] == 1
    assert InboundEvent.objects.get().at == days_ago(6)


def test_workers_without_a_sign_of_life_go() -> None:
    for hours in (0.5, 2):
        Worker.objects.create(
            kind="drain", host="h", pid=1, beat_at=NOW - timedelta(hours=hours)
        )

    assert purge(now=NOW)["workers"] == 1
    assert Worker.objects.get().beat_at > NOW - timedelta(hours=1)


def test_limits_that_nobody_used_for_a_day_go() -> None:
    """What is missing begins anew, as what is so old would."""
    for name, hours in (("old", 25), ("young", 23)):
        at = NOW - timedelta(hours=hours)
        RateWindow.objects.create(scope=name, part=0, counts="0", used_at=at)
        RateBucket.objects.create(scope=name, next_at=at)

    gone = purge(now=NOW)

    assert (gone["rate_windows"], gone["rate_buckets"]) == (1, 1)
    assert RateWindow.objects.get().pk == RateBucket.objects.get().pk == "young"


def test_expired_sessions_go() -> None:
    for key, days in (("a", -1), ("b", 1)):
        Session.objects.create(
            session_key=key, session_data="", expire_date=NOW + timedelta(days=days)
        )

    assert purge(now=NOW)["sessions"] == 1
    assert Session.objects.get().session_key == "b"


def test_the_audit_is_kept() -> None:
    record("run.cancel", make_run(), by=None)
    AuditEntry.objects.update(at=days_ago(4000))

    purge(now=NOW)

    assert AuditEntry.objects.count() == 1


def test_a_retention_of_thousands_of_years_keeps_everything(
    settings: Settings,
) -> None:
    settings.RETENTION_DAYS = 10**7
    run = ended(4000)

    purge(now=NOW)

    assert left() == {run}


@pytest.mark.parametrize(("retention", "kept"), [(30, [29, 1]), (1, [1])])
def test_firings_go_after_the_retention_and_stay_a_week(
    settings: Settings, retention: int, kept: list[int]
) -> None:
    settings.RETENTION_DAYS = retention
    trigger = Trigger.objects.create(workflow=make_workflow(), kind="schedule")
    for days in (31, 29, 1):
        Firing.objects.create(
            trigger=trigger, slot=str(days), scheduled_for=days_ago(days)
        )
    assert purge(now=NOW)["firings"] == 3 - len(kept)
    assert list(Firing.objects.order_by("id").values_list("slot", flat=True)) == [
        str(days) for days in kept
    ]

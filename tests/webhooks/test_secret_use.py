"""Which secret senders use is noted, and not with a write per event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.webhooks.makers import SECRET, make_trigger, post, send
from webhooks import secret_use
from webhooks.lookup import find
from workflows.models import Trigger
from workflows.services import rotate_trigger_secret

pytestmark = pytest.mark.django_db

OLD = "whsec_b2xkIHNlY3JldA=="


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was tried in this process yet."""
    monkeypatch.setattr(secret_use, "_tried", {})


def rotated() -> Trigger:
    return make_trigger(
        {"scheme": "standard_webhooks"},
        previous_secret=OLD,
        previous_secret_expires_at=timezone.now() + timedelta(hours=1),
        secret_set_at=timezone.now(),
    )


def stamps(trigger: Trigger) -> tuple[bool, bool]:
    """Whether the current and the previous secret are known to have been used."""
    trigger.refresh_from_db()
    known = (trigger.secret_used_at, trigger.previous_secret_used_at)
    now = timezone.now()
    minute = timedelta(minutes=1)
    assert all(at is None or timedelta(0) <= now - at < minute for at in known)
    return known[0] is not None, known[1] is not None


def test_each_secret_has_its_own_stamp() -> None:
    trigger = rotated()
    assert stamps(trigger) == (False, False)
    assert send(trigger, secret=OLD).status_code == 202
    assert stamps(trigger) == (False, True)
    assert send(trigger, secret=SECRET).status_code == 202
    assert stamps(trigger) == (True, True)


def test_a_secret_from_before_such_notes_gets_its_stamp_too() -> None:
    trigger = make_trigger({"scheme": "github"})
    assert trigger.secret_set_at is None
    assert send(trigger).status_code == 202
    assert stamps(trigger) == (True, False)


def test_only_who_has_proved_it_leaves_a_stamp() -> None:
    trigger = rotated()
    assert send(trigger, secret="whsec_d3Jvbmc=").status_code == 401
    old = datetime.now(UTC) - timedelta(hours=1)
    assert send(trigger, now=old).status_code == 401
    assert stamps(trigger) == (False, False)
    unsigned = make_trigger()
    assert post(unsigned).status_code == 202
    assert stamps(unsigned) == (False, False)


def updates(trigger: Trigger, events: int) -> int:
    """How many times these events update the trigger."""
    with CaptureQueriesContext(connection) as caught:
        for _ in range(events):
            assert send(trigger).status_code == 202
    return sum('UPDATE "workflows_trigger"' in query["sql"] for query in caught)


def test_ten_events_are_one_write_and_five_minutes_later_one_more() -> None:
    trigger = rotated()
    assert updates(trigger, 10) == 1
    before = timezone.now() - timedelta(minutes=5)
    Trigger.objects.update(secret_used_at=before)
    assert updates(trigger, 3) == 0  # this process wrote a moment ago
    secret_use._tried.clear()
    assert updates(trigger, 3) == 1
    assert stamps(trigger) == (True, False)


def test_a_stamp_that_another_process_has_renewed_stays() -> None:
    trigger = rotated()
    entry = find(trigger.key)
    assert entry is not None
    fresh = timezone.now() - timedelta(seconds=30)
    Trigger.objects.update(secret_used_at=fresh)
    secret_use.note_use(entry, 0, timezone.now())
    trigger.refresh_from_db()
    assert trigger.secret_used_at == fresh


def test_a_secret_that_was_replaced_meanwhile_gets_no_stamp() -> None:
    trigger = rotated()
    entry = find(trigger.key)
    assert entry is not None
    rotate_trigger_secret(trigger, None)
    secret_use.note_use(entry, 0, timezone.now())
    assert stamps(trigger) == (False, False)
    assert send(trigger, secret=SECRET).status_code == 202
    assert stamps(trigger) == (False, True)


def test_an_event_is_taken_although_its_stamp_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_args: Any) -> Any:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(secret_use, "write_transaction", full)
    assert send(rotated()).status_code == 202
    assert "could not note the use of a secret" in caplog.text


def test_what_a_process_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_use, "MOST_TRIED", 3)
    for _ in range(8):
        send(rotated())
        assert len(secret_use._tried) <= 3

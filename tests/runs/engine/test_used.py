"""When a secret was last used: noted by steps, written down by drains."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runs.engine import used
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand, drained, draining, until
from tests.runs.flows import call, publish, started
from workflows.models import Secret, Workflow

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(used, "_noted", set())


def secret(name: str = "TOKEN", last: datetime | None = None) -> Secret:
    return Secret.objects.create(name=name, value="s3cr3t", last_used_at=last)


def last_use(row: Secret) -> datetime | None:
    return Secret.objects.get(pk=row.pk).last_used_at


def seconds_ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def sends(url: str, name: str = "TOKEN") -> Workflow:
    headers = {"X-T": f"{{{{ secrets.{name} }}}}"}
    return publish(call("a", url, config={"headers": headers}))


def test_a_step_that_uses_a_secret_notes_it(hand: Hand, receiver: Server) -> None:
    one, other = secret(), secret("OTHER")
    started(sends(receiver.url))

    hand.claim()
    assert not used._noted, "a run was claimed, no step has begun"
    hand.finish()
    used.write_down()

    moment = last_use(one)
    assert moment is not None
    assert abs(timezone.now() - moment) < timedelta(minutes=1)
    assert last_use(other) is None


def test_a_drain_writes_it_down_when_it_ends(receiver: Server) -> None:
    row = secret()
    started(sends(receiver.url))

    drained()

    assert last_use(row) is not None


def test_a_drain_writes_it_down_with_its_heartbeat(
    receiver: Server, settings: Settings
) -> None:
    settings.HEARTBEAT = 0.1
    row = secret()
    with draining() as drains:
        started(sends(receiver.url))
        until(lambda: last_use(row) is not None)
        assert drains[0].reason is None, "it has not ended, and wrote"
    moment = last_use(row)
    assert moment is not None
    assert abs(timezone.now() - moment) < timedelta(minutes=1)


def test_a_secret_is_written_at_most_once_a_minute() -> None:
    recent, old = seconds_ago(30), seconds_ago(61)
    rows = [secret("A", recent), secret("B", old), secret("C")]
    used.note(row.pk for row in rows)

    used.write_down()

    assert last_use(rows[0]) == recent
    for row in rows[1:]:
        moment = last_use(row)
        assert moment is not None
        assert moment > recent


def test_many_secrets_take_one_update_and_none_take_nothing() -> None:
    used.note(secret(name).pk for name in "ABC")
    with CaptureQueriesContext(connection) as caught:
        used.write_down()
    updates = [q["sql"] for q in caught.captured_queries if "UPDATE" in q["sql"]]
    assert len(updates) == 1

    with CaptureQueriesContext(connection) as caught:
        used.write_down()
    assert not caught.captured_queries


def test_a_secret_that_is_gone_is_no_trouble() -> None:
    used.note([uuid4()])
    used.write_down()
    assert not used._noted


def test_what_could_not_be_written_is_written_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = secret()
    used.note([row.pk])

    def away(_ids: object) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(used, "_update", away)
        with pytest.raises(OperationalError):
            used.write_down()
    assert last_use(row) is None
    used.write_down()

    assert last_use(row) is not None

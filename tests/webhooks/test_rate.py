"""Rate limits of triggers: who is turned away, what they are told, what it costs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from automate.accounts.models import RateWindow
from automate.lib.sliding import PARTS
from runs.models import Run
from tests.webhooks.makers import code_of, make_trigger, post, send, told
from webhooks import inbound, record
from webhooks.models import InboundEvent
from workflows.models import Trigger

pytestmark = pytest.mark.django_db

# A part of an hour ends in the midst of a test once in a thousand runs at most.
THREE = {"scheme": "github", "rate_limit": "3/h"}


def pass_by(parts: int = PARTS + 1) -> None:
    """As if so many parts of a window had passed."""
    RateWindow.objects.update(part=F("part") - parts)


def statuses(trigger: Trigger, times: int) -> Counter[int]:
    return Counter(send(trigger).status_code for _ in range(times))


def test_as_many_as_the_limit_are_taken_and_the_others_are_429() -> None:
    trigger = make_trigger(THREE)

    assert statuses(trigger, 9) == {202: 3, 429: 6}
    assert Run.objects.count() == 3
    pass_by()
    assert statuses(trigger, 4) == {202: 3, 429: 1}


def test_a_429_says_why_and_when_to_come_back() -> None:
    trigger = make_trigger(THREE)
    statuses(trigger, 3)

    answer = send(trigger)

    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    wait = int(answer["Retry-After"])
    assert 3600 * (1 - 1 / PARTS) <= wait <= 3600 * (1 + 1 / PARTS)
    assert answer["RateLimit-Policy"] == '"trigger";q=3;w=3600'
    assert answer["RateLimit"] == f'"trigger";r=0;t={wait}'
    assert told(answer)["error"]["message"] == (
        f"This webhook takes 3/h; send the event again in {wait} s."
    )


def test_those_that_are_taken_are_told_how_they_stand() -> None:
    trigger = make_trigger(THREE)

    answers = [send(trigger) for _ in range(3)]

    assert {answer["RateLimit-Policy"] for answer in answers} == {
        '"trigger";q=3;w=3600'
    }
    remaining = [answer["RateLimit"].split(";")[1] for answer in answers]
    assert remaining == ["r=2", "r=1", "r=0"]
    assert not any("Retry-After" in answer for answer in answers)


@pytest.mark.parametrize(
    ("config", "headers", "status"),
    [
        ({"events": ["star"]}, {}, 200),
        ({"required_headers": ["X-Shop"]}, {}, 400),
    ],
)
def test_every_proven_event_counts_and_is_told(
    config: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    trigger = make_trigger({**THREE, **config})

    answers = [send(trigger) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [status] * 3 + [429]
    assert answers[0]["RateLimit"].startswith('"trigger";r=2;')


def test_the_same_event_again_counts_too() -> None:
    trigger = make_trigger(THREE)

    answers = [send(trigger, event_id="d-1") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 200, 200, 429]


@pytest.mark.parametrize(
    ("change", "status"), [({"is_active": False}, 409), ({"config": {}}, 405)]
)
def test_who_is_refused_before_uses_up_nothing_and_is_told_nothing(
    change: dict[str, Any], status: int
) -> None:
    trigger = make_trigger(THREE, is_active=change.get("is_active", True))
    method = "PUT" if status == 405 else "POST"
    from tests.webhooks.makers import PUSH, signed

    headers: dict[str, Any] = signed(trigger)
    answer = post(trigger, PUSH, method=method, **headers)

    assert answer.status_code == status
    assert "RateLimit" not in answer
    assert not RateWindow.objects.exists()


def test_strangers_use_up_nothing_and_learn_of_no_limit() -> None:
    trigger = make_trigger(THREE)

    answers = [post(trigger) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {401}
    assert not any(answer.has_header("RateLimit-Policy") for answer in answers)
    assert statuses(trigger, 4) == {202: 3, 429: 1}


def test_triggers_have_limits_of_their_own() -> None:
    one, other = make_trigger(THREE), make_trigger(THREE)
    statuses(one, 4)

    assert statuses(other, 4) == {202: 3, 429: 1}


def test_a_flood_is_counted_by_the_minute_not_kept_one_by_one() -> None:
    trigger = make_trigger(THREE)
    statuses(trigger, 13)

    rows = InboundEvent.objects.filter(reason="rate_limited")
    assert sum(row.count for row in rows) == 10
    assert len(rows) <= 2, "one a minute, and a minute may end"
    assert all(row.minute and row.trigger == trigger for row in rows)
    assert {row.detail for row in rows} == {"More than 3/h."}
    assert {row.status for row in rows} == {429}


def test_a_flood_writes_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty at once and then none, when no time passes."""
    monkeypatch.setattr(inbound, "tally", record.Tally(lambda: 0.0))
    trigger = make_trigger(THREE)
    statuses(trigger, 3)
    with CaptureQueriesContext(connection) as queries:
        assert statuses(trigger, 60) == {429: 60}

    written = [q for q in queries if "INSERT INTO webhooks_inbound" in q["sql"]]
    assert len(written) == 20
    if connection.vendor == "sqlite":
        assert not [q for q in queries if "INTO accounts_ratewindow" in q["sql"]]


def test_without_a_limit_nothing_is_asked() -> None:
    trigger = make_trigger({"scheme": "github"})
    with CaptureQueriesContext(connection) as queries:
        answer = send(trigger)

    assert answer.status_code == 202
    assert not [query for query in queries if "ratewindow" in query["sql"]]
    assert not answer.has_header("RateLimit")
    assert not answer.has_header("RateLimit-Policy")


@pytest.mark.django_db(transaction=True)
def test_a_limit_costs_one_statement() -> None:
    def queries_for(config: dict[str, Any]) -> int:
        trigger = make_trigger(config)
        send(trigger)
        with CaptureQueriesContext(connection) as queries:
            assert send(trigger).status_code == 202
        return len(queries)

    more = queries_for(THREE) - queries_for({"scheme": "github"})
    # SQLite: a look, and in a transaction of its own another and the count.
    assert more == (1 if connection.vendor == "postgresql" else 5)


def test_a_sender_that_waits_for_its_answer_is_limited_too() -> None:
    trigger = make_trigger({**THREE, "response_mode": "wait", "response_timeout": 0.01})
    answers = [send(trigger) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[0]["RateLimit"].startswith('"trigger";r=2;')


def test_a_limit_that_cannot_be_read_is_our_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = send(make_trigger({"scheme": "github", "rate_limit": "often"}))

    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
    assert "often" in caplog.text


def batch(trigger: Trigger, *numbers: int) -> Any:
    """CloudEvents of these numbers in one request."""
    about = {"specversion": "1.0", "source": "/shop", "type": "order"}
    events = [{**about, "id": str(number)} for number in numbers]
    kind = "application/cloudevents-batch+json"
    return post(trigger, events, content_type=kind)


def test_each_event_of_a_batch_counts_and_all_or_none_are_taken() -> None:
    trigger = make_trigger({"rate_limit": "5/h"})

    answers = [batch(trigger, 1, 2, 3), batch(trigger, 4, 5, 6), batch(trigger, 7, 8)]

    assert [answer.status_code for answer in answers] == [202, 429, 202]
    remaining = [answer["RateLimit"].split(";")[1] for answer in answers]
    assert remaining == ["r=2", "r=2", "r=0"]
    assert "send the 3 events again" in told(answers[1])["error"]["message"]
    assert Run.objects.count() == 5
    assert post(trigger).status_code == 429


def test_a_batch_of_more_than_the_limit_is_too_large_for_ever() -> None:
    trigger = make_trigger({"rate_limit": "2/h"})

    answer = batch(trigger, 1, 2, 3)

    assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")
    assert not RateWindow.objects.exists()
    assert InboundEvent.objects.get().reason == "too_large"

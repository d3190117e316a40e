"""cancel, and I2: a final state is final."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry
from runs.models import Job, Run
from runs.services import cancel
from runs.states import FINAL_RUN
from tests.automate.lib.net.servers import Server, stall
from tests.makers import make_run, make_user
from tests.runs.drains import Hand, drained, draining, together, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    given,
    logged,
    node,
    publish,
    started,
    step,
    steps,
)


def test_a_queued_run_ends_at_once() -> None:
    run = started(publish(given("a")))
    by = make_user("ann@example.com")

    assert cancel(run, by=by, reason="Wrong address.")

    ended = again(run)
    assert (ended.status, ended.error_class) == ("cancelled", "cancelled")
    assert ended.error_message == "Wrong address."
    assert ended.finished_at is not None
    assert not Job.objects.exists()
    assert AuditEntry.objects.get(action="run.cancel").user == by
    assert "Cancelled by ann@example.com" in logged(run)


def test_a_reason_may_hold_anything(hand: Hand) -> None:
    run = started(publish(given("a")))

    assert cancel(run, by=None, reason="nul \x00 and half \ud83d")
    assert again(run).error_message == "nul \ufffd and half \ufffd"


def test_a_waiting_run_ends_at_once_with_its_steps() -> None:
    flow = publish(given("a"), node("pause", "delay", {"duration": 60}), given("z"))
    run = started(flow)
    drained(lambda: steps(run).get("pause") == "waiting")

    assert cancel(run, by=None)

    assert steps(run) == {"a": "succeeded", "pause": "cancelled"}
    assert step(run, "pause").due_at is None


def test_a_step_in_flight_is_cancelled_and_its_answer_only_history(
    receiver: Server, hand: Hand
) -> None:
    """I2 and I3. Shown to fail when `end_run` does not look at the state."""
    run = started(publish(call("notify", receiver.url), given("z")))
    hand.claim()
    results = hand.perform()
    assert cancel(run, by=None)

    written = hand.record(results)

    assert [held.run_id for held, _ in written.lost] == [run.pk]
    assert again(run).status == "cancelled"
    assert steps(run) == {"notify": "cancelled"}
    assert [row.outcome for row in attempts(run)] == ["delivered"]
    assert "late result of attempt 1 was discarded" in logged(run)


def test_a_drain_lets_go_of_a_cancelled_run() -> None:
    with Server(stall) as slow, draining() as (drain,):
        run = started(publish(call("notify", slow.url, timeout=1), given("z")))
        until(lambda: slow.requests)
        assert cancel(run, by=None)
        until(lambda: attempts(run))
        until(lambda: not drain.drain._held)

    assert again(run).status == "cancelled"
    assert steps(run) == {"notify": "cancelled"}


@pytest.mark.parametrize("status", sorted(FINAL_RUN))
def test_what_has_ended_is_not_cancelled(status: str) -> None:
    run = make_run(status=status)

    assert not cancel(run, by=None)
    assert again(run).status == status
    assert again(run).finished_at == run.finished_at
    assert not AuditEntry.objects.exists()


def test_of_two_at_once_one_cancels() -> None:
    """I2. Shown to fail when the state is read first and written then."""
    for _ in range(5):
        run = started(publish(given("a")))
        assert sorted(together(*[lambda run=run: cancel(run, by=None)] * 4)) == [
            False, False, False, True,
        ]  # fmt: skip


def test_of_a_cancel_and_a_record_at_once_one_wins(hand: Hand) -> None:
    """I2: whoever comes first decides, and the other changes nothing.

    Shown to fail when `_turn` does not lock the jobs and `end_run` does not guard.
    """
    endings = set()
    for number in range(12):
        run = started(publish(given("a")))
        hand.claim()
        results = hand.perform()

        def record(results: Any = results) -> Any:
            return hand.record(results)

        def stop(run: Run = run) -> bool:
            return cancel(run, by=None)

        works = [record, stop] if number % 2 else [stop, record]
        answers = together(*works)
        cancelled = answers[works.index(stop)]
        ended = again(run)
        assert (ended.status == "cancelled") == cancelled
        assert steps(run) == {"a": "cancelled" if cancelled else "succeeded"}
        assert not Job.objects.filter(run=run).exists()
        endings.add(ended.status)
    assert endings <= {"cancelled", "succeeded"}

"""`resume`: one answer wins, everybody else is told, and a person's is audited."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry
from runs.models import Job, WaitToken
from runs.services import (
    AlreadyAnswered,
    Decision,
    Given,
    NotAnApprover,
    NotWaiting,
    RunServiceError,
    WaitOver,
    cancel,
    look_at,
)
from tests.makers import make_user
from tests.runs.drains import Hand, together
from tests.runs.flows import again, logged, make_due, many, publish, started, step
from tests.runs.waiting import (
    APPROVED,
    DATA,
    REJECTED,
    answered,
    approvals,
    ask,
    done,
    hook,
    token,
    waiting,
)


def test_a_person_s_decision_is_audited_with_the_comment(hand: Hand) -> None:
    run, user = waiting(hand, approvals()), make_user("boss@example.com")
    assert answered(run, Given(Decision.REJECTED, comment="  Too dear. "), by=user)
    entry = AuditEntry.objects.get(action="run.reject")
    assert (entry.user, entry.object_id) == (user, str(run.pk))
    assert entry.changes == {"step": "ask", "comment": "Too dear."}
    output = step(run, "ask").output
    assert (output["by"], output["comment"]) == ("boss@example.com", "Too dear.")
    assert token(run).answered_by == user
    assert "Rejected by boss@example.com." in logged(run)


def test_an_answer_through_the_address_has_no_author(hand: Hand) -> None:
    run = waiting(hand, publish(hook()))
    answered(run, DATA, "hook")
    assert not AuditEntry.objects.exists()
    assert token(run, "hook").answered_by is None
    assert "Resumed through its address." in logged(run)


def test_of_many_answers_at_once_exactly_one_wins(hand: Hand) -> None:
    flow = approvals()
    many(flow, 4)
    hand.claim()
    hand.finish()

    def answer(run: Any, given: Given) -> str:
        try:
            answered(run, given)
        except AlreadyAnswered as error:
            return error.decision
        return "won"

    for job in Job.objects.select_related("run"):
        works = [lambda g=g, run=job.run: answer(run, g) for g in (APPROVED, REJECTED)]
        said = together(*works, *works)
        assert said.count("won") == 1
        decision = token(job.run).decision
        assert {word for word in said if word != "won"} == {decision}
        assert step(job.run, "ask").port == decision
        job.refresh_from_db()
        assert job.signal_count == 1


def test_of_many_early_answers_exactly_one_is_kept(hand: Hand) -> None:
    run = started(publish(done("first"), ask()))
    hand.claim()

    def answer(given: Given) -> bool | None:
        try:
            return answered(run, given)
        except AlreadyAnswered:
            return None

    said = together(*(lambda g=g: answer(g) for g in (APPROVED, REJECTED, APPROVED)))
    assert sorted(said, key=str) == [False, None, None]
    assert WaitToken.objects.filter(run=run).count() == 1
    assert Job.objects.get(run=run).signal_count == 0


def test_a_due_wait_is_answered_as_long_as_no_drain_has_taken_it(hand: Hand) -> None:
    run = waiting(hand, approvals())
    make_due(run)
    assert answered(run) is True
    hand.claim()
    hand.finish()
    assert step(run, "ask").port == "approved"


def test_after_the_time_out_the_answer_is_told_that_it_is_late(hand: Hand) -> None:
    run = waiting(hand, publish(ask(), hook("hook"), done("late"), connections=[
        {"from": "ask", "to": "late", "on": "timeout"},
    ]))  # fmt: skip
    step(run, "ask")
    from runs.models import StepRun

    make_due(run)
    StepRun.objects.filter(run=run, node_id="hook").update(due_at="2999-01-01T00:00Z")
    hand.claim()
    hand.finish()
    assert again(run).status == "running"
    with pytest.raises(WaitOver, match="step is over"):
        answered(run)
    assert token(run).decision == ""


def test_a_run_that_has_ended_takes_no_answer(hand: Hand) -> None:
    run = waiting(hand, approvals())
    cancel(run, by=None)
    with pytest.raises(WaitOver, match="run has ended"):
        answered(run)
    with pytest.raises(WaitOver):
        look_at(run.pk, "ask")
    assert token(run).decision == ""


def test_a_person_answers_only_what_waits(hand: Hand) -> None:
    run = started(publish(done("first"), ask()))
    hand.claim()
    with pytest.raises(NotWaiting, match="ask"):
        answered(run, by=make_user())
    assert not WaitToken.objects.exists()


def test_only_the_approvers_that_a_step_names_decide(hand: Hand) -> None:
    run = waiting(hand, approvals(approvers=["Boss@Example.com"]))
    with pytest.raises(NotAnApprover):
        answered(run, by=make_user("clerk@example.com"))
    assert step(run, "ask").status == "waiting"
    assert answered(run, by=make_user("boss@example.com")) is True


def test_a_superuser_decides_where_an_approver_has_left(hand: Hand) -> None:
    run = waiting(hand, approvals(approvers=["gone@example.com"]))
    assert answered(run, by=make_user(is_superuser=True)) is True


def test_a_comment_is_storable_and_short(hand: Hand) -> None:
    run = waiting(hand, approvals())
    answered(run, Given(Decision.APPROVED, comment="a\x00b" + "x" * 5000))
    kept = token(run).comment
    assert "\x00" not in kept
    assert len(kept) == 2000


def test_an_answer_makes_its_run_due(hand: Hand) -> None:
    run = waiting(hand, approvals())
    before = Job.objects.get(run=run).due_at
    answered(run)
    job = Job.objects.get(run=run)
    assert job.due_at < before
    assert hand.claim().claimed == 1


def test_an_answer_wakes_the_drains(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.engine import wake

    woken: list[bool] = []
    monkeypatch.setattr(wake, "notify", lambda: woken.append(True))
    run = waiting(hand, approvals())
    woken.clear()
    answered(run)
    assert woken


def test_refusals_have_codes_of_their_own() -> None:
    found = {
        error.code for error in (AlreadyAnswered, NotAnApprover, NotWaiting, WaitOver)
    }
    assert len(found) == 4
    assert RunServiceError.code not in found

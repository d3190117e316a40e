"""Steps that wait for an answer: from the first moment to each of their ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.addresses import address_of
from runs.models import Job, Run, WaitToken
from tests.runs.drains import Hand, drained, draining, together, until
from tests.runs.flows import (
    again,
    edge,
    given,
    logged,
    make_due,
    many,
    node,
    publish,
    started,
    step,
    steps,
)
from tests.runs.kinds import teach, told
from tests.runs.waiting import (
    APPROVED,
    DATA,
    REJECTED,
    answered,
    approvals,
    ask,
    done,
    hook,
    path_of,
    token,
    waiting,
)
from workflows.actions.outcomes import Done


def went(run: Run) -> list[str]:
    """The steps that were done, besides the one that asked."""
    found = steps(run)
    return [key for key in found if found[key] == "succeeded" and key != "ask"]


def test_a_step_that_waits_lets_its_run_go(hand: Hand) -> None:
    run = waiting(hand, approvals(timeout="2h", details={"order": 7}))

    row, job = step(run, "ask"), Job.objects.get(run=run)
    assert (row.status, row.waiting_for) == ("waiting", "signal")
    assert job.lease_token is None
    assert job.due_at == row.due_at
    assert timedelta(minutes=119) < row.due_at - timezone.now() < timedelta(hours=2)
    kept = token(run)
    assert (kept.kind, kept.decision, kept.expires_at) == ("approval", "", row.due_at)
    assert kept.details == {
        "message": "Ship it?", "details": {"order": 7}, "approvers": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "way"), [(APPROVED, "approved"), (REJECTED, "rejected")]
)
def test_a_decision_takes_its_port(given: Any, way: str, hand: Hand) -> None:
    run = waiting(hand, approvals())

    assert answered(run, given) is True
    hand.claim()
    hand.finish()

    assert again(run).status == "succeeded"
    assert went(run) == [way]
    output = step(run, "ask").output
    assert output["decision"] == way
    assert output["by"] is None
    assert output["comment"] == given.comment
    assert output["decided_at"].endswith("Z")


def test_an_approval_takes_success_too_and_a_rejection_does_not(hand: Hand) -> None:
    flow = publish(ask(), done("go"))
    good, bad = waiting(hand, flow), waiting(hand, flow)
    answered(good)
    answered(bad, REJECTED)
    hand.claim()
    hand.finish()
    assert steps(good) == {"ask": "succeeded", "go": "succeeded"}
    assert steps(bad) == {"ask": "succeeded", "go": "skipped"}
    assert (again(bad).status, again(bad).stopped_by) == ("succeeded", ["ask"])


def test_a_webhook_s_data_is_the_step_s_output(hand: Hand) -> None:
    flow = publish(hook(), done("use", n="{{ steps.hook.payload.n }}"))
    run = waiting(hand, flow)
    answered(run, DATA, "hook")
    hand.claim()
    hand.finish()
    assert step(run, "use").output == {"n": 1}
    assert step(run, "hook").port == "received"
    assert bytes(token(run, "hook").body) == DATA.body


def test_what_an_answer_names_a_secret_is_hidden_in_what_follows(hand: Hand) -> None:
    """Shown to fail when only what the event itself named so is hidden."""
    flow = publish(hook(), given("use", v="{{ steps.hook.payload.password }}"))
    run = waiting(hand, flow)
    answered(run, replace(DATA, body=b'{"password": "hunter2-canary"}'), "hook")
    hand.claim()
    hand.finish()
    assert step(run, "use").output == {"v": "hunter2-canary"}
    assert "hunter2-canary" not in repr(step(run, "use").input)


def test_a_time_out_takes_its_port(hand: Hand) -> None:
    run = waiting(hand, approvals())
    make_due(run)
    hand.claim()
    hand.finish()
    assert again(run).status == "succeeded"
    assert went(run) == ["timeout"]
    assert step(run, "ask").output == {"timed_out": True}


def test_a_time_out_that_leads_nowhere_fails_the_step(hand: Hand) -> None:
    run = waiting(hand, publish(ask(), done("go")))
    make_due(run)
    hand.claim()
    assert again(run).status == "failed"
    assert again(run).error_class == "wait_timeout"
    assert "Nobody answered by" in again(run).error_message
    assert steps(run) == {"ask": "failed", "go": "skipped"}


def test_a_step_that_waits_uses_its_time_out_alone(hand: Hand) -> None:
    """Its own `timeout` of the node is for an attempt, not for the wait."""
    flow = publish({**ask(timeout="3d"), "timeout": 1}, run_timeout=7 * 86400)
    run = waiting(hand, flow)
    due = step(run, "ask").due_at
    assert due is not None
    assert due - timezone.now() > timedelta(days=2)


def test_no_wait_says_that_it_outlasts_its_run(hand: Hand) -> None:
    run = waiting(hand, publish(ask(timeout="3d"), run_timeout=3600))
    deadline = again(run).deadline
    assert step(run, "ask").due_at == token(run).expires_at == deadline
    Run.objects.update(deadline=timezone.now())
    make_due(run)
    hand.claim()
    assert again(run).error_class == "run_timeout"


def test_an_answer_before_the_wait_is_used_when_it_begins(hand: Hand) -> None:
    run = started(publish(done("first"), ask(), done("go")))
    hand.claim()
    assert answered(run) is False
    kept = token(run)
    assert (kept.decision, kept.expires_at) == ("approved", None)
    hand.finish()

    assert again(run).status == "succeeded"
    assert steps(run)["go"] == "succeeded"
    assert step(run, "ask").output["comment"] == "Fine."
    kept = token(run)
    assert kept.details["message"] == "Ship it?"
    assert kept.expires_at is not None
    assert "before the step waits; the answer is kept" in logged(run)


def test_an_answer_between_performing_and_recording_is_not_lost(hand: Hand) -> None:
    run = started(publish(ask(), done("go")))
    hand.claim()
    results = hand.perform()
    assert answered(run) is False
    hand.record(results)
    hand.finish()
    assert again(run).status == "succeeded"


def test_a_holder_that_works_on_learns_of_an_answer_with_its_next_record(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(monkeypatch, other=lambda _: Done())
    flow = publish(ask(), told("other", "other"), done("go"), connections=[
        edge("ask", "go"),
    ])  # fmt: skip
    run = started(flow)
    hand.claim()
    hand.record(hand.perform("ask"))
    assert step(run, "ask").status == "waiting"
    assert answered(run) is True
    hand.record(hand.perform("other"))
    hand.finish()
    assert again(run).status == "succeeded"
    assert steps(run)["go"] == "succeeded"


def test_an_answer_that_cannot_be_read_fails_its_run_alone(
    hand: Hand, settings: Any
) -> None:
    flow = publish(done("first"), hook())
    broken, fine = started(flow), started(flow)
    hand.claim()
    for run in (broken, fine):
        answered(run, DATA, "hook")
    stored = b"0badc0de:" + bytes(40)
    table = WaitToken._meta.db_table
    with connection.cursor() as cursor:
        key = broken.pk if connection.vendor == "postgresql" else broken.pk.hex
        cursor.execute(
            f"UPDATE {table} SET body = %s WHERE run_id = %s",
            [stored, key],
        )
    hand.finish()
    assert again(fine).status == "succeeded"
    assert again(broken).status == "failed"
    assert "0badc0de" in again(broken).error_message


def test_a_redrive_asks_anew(hand: Hand) -> None:
    from runs.services import redrive

    run = waiting(hand, approvals())
    answered(run)
    hand.claim()
    hand.finish()
    fresh = redrive(run, by=None)
    hand.claim()
    hand.finish()
    assert step(fresh, "ask").status == "waiting"
    assert token(fresh).decision == ""
    assert answered(fresh, REJECTED) is True


def test_a_run_without_waits_asks_for_no_tokens(hand: Hand) -> None:
    flow = publish(done("a"), done("b"))
    started(flow)
    hand.claim()
    hand.finish()  # what is prepared once a process
    started(flow)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        hand.claim()
        hand.finish()
    assert not [item for item in seen if "waittoken" in item["sql"]]


def test_runs_that_begin_to_wait_together_share_their_queries(hand: Hand) -> None:
    flow = publish(ask())
    counts = []
    for count in (1, 8):
        many(flow, count)
        hand.claim()
        with CaptureQueriesContext(connection) as seen:
            hand.record()
        counts.append(len([i for i in seen if "waittoken" in i["sql"].lower()]))
    assert counts == [2, 2]


def test_two_hundred_runs_that_wait_hold_nobody_up(engine: Any) -> None:
    many(publish(ask(), done("go")), 200)
    plain = publish(done("now"))
    with draining(threads=4) as drains:
        open_tokens = WaitToken.objects.filter(decision="")
        until(lambda: open_tokens.count() == 200, 60)
        until(lambda: not Job.objects.filter(lease_token__isnull=False).exists())
        assert drains[0].drain._busy == 0
        run = started(plain)
        until(lambda: again(run).status == "succeeded")
    assert open_tokens.count() == 200


def test_answers_and_time_outs_at_once_end_each_run_once(engine: Any) -> None:
    runs = many(approvals(), 6)
    drained(lambda: WaitToken.objects.count() == 6)
    make_due(*runs[:3])

    def answer(run: Run) -> str:
        from runs.services import RunServiceError

        try:
            answered(run, APPROVED)
        except RunServiceError as error:
            return error.code
        return "approved"

    with draining(2):
        said = together(*(lambda run=run: answer(run) for run in runs))
        until(lambda: not Job.objects.exists())
    for run, word in zip(runs, said, strict=True):
        assert again(run).status == "succeeded"
        way = "approved" if word == "approved" else "timeout"
        assert word in ("approved", "WAIT_OVER")
        assert went(run) == [way]


def test_a_graph_goes_on_beside_a_wait(hand: Hand) -> None:
    flow = publish(ask(), done("beside"), node("join", "set", {"values": {}}),
        connections=[edge("ask", "join"), edge("beside", "join")],
    )  # fmt: skip
    run = waiting(hand, flow)
    assert steps(run) == {"ask": "waiting", "beside": "succeeded"}
    answered(run)
    hand.claim()
    hand.finish()
    assert steps(run)["join"] == "succeeded"


def test_each_item_of_a_loop_is_asked_about_on_its_own(engine: Any) -> None:
    body = {
        "nodes": [given("tell", link="{{ run.urls.ask }}"), ask(), done("go")],
        "connections": [edge("tell", "ask"), edge("ask", "go")],
    }
    flow = publish(
        node("each", "for_each", {"items": [1, 2], "concurrency": 2, **body})
    )
    run = started(flow)
    drained(lambda: WaitToken.objects.count() == 2)
    items = list(Run.objects.filter(parent=run).order_by("item_index"))
    assert [steps(item)["ask"] for item in items] == ["waiting", "waiting"]
    links = [step(item, "tell").output["link"] for item in items]
    assert links == [address_of(item.pk, "ask") for item in items]

    for item, answer in zip(items, (APPROVED, REJECTED), strict=True):
        path = path_of(item, "ask")
        told = Client().post(path, {"decision": answer.decision}, "application/json")
        assert told.status_code == 200
    drained()
    assert again(run).status == "succeeded"
    assert [steps(item)["go"] for item in items] == ["succeeded", "skipped"]


def test_a_run_that_waits_for_a_person_leaves_its_slot_to_others(hand: Hand) -> None:
    flow = publish(ask(), done("go"), max_concurrent_runs=1)
    first = waiting(hand, flow)
    second = waiting(hand, flow)
    assert steps(first) == steps(second) == {"ask": "waiting"}
    assert not Job.objects.filter(holds_slot=True).exists()

"""A redriven run whose loop had failed: what was done stays, and keys in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Run, StepRun
from runs.services import redrive
from tests.runs.drains import drained
from tests.runs.flows import (
    again,
    calling,
    children,
    given,
    loop,
    publish,
    started,
)
from tests.runs.kinds import sent, teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome

pytestmark = pytest.mark.usefixtures("engine")


class Receiver:
    """Fails for the items in `bad`, with that outcome; notes each item and key."""

    def __init__(self) -> None:
        self.bad: dict[Any, Any] = {}
        self.seen: list[tuple[Any, str]] = []

    def __call__(self, context: Context) -> Outcome:
        item = context.config["item"]
        self.seen.append((item, context.idempotency_key))
        if item in self.bad:
            attempt = sent(outcome=self.bad[item], error_kind="none")
            return Fail(ErrorInfo("refused", "Refused."), attempt)
        return Done({"item": item}, sent())

    def items(self) -> list[Any]:
        """What was received since the last look."""
        found = [item for item, _ in self.seen]
        self.seen.clear()
        return sorted(found)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    found = Receiver()
    teach(monkeypatch, send=found)
    return found


SEND = told("send", "send", sends=True, config={"item": "{{ item }}"})


def after(run: Run, **changes: Any) -> Run:
    """The run that a redrive from what failed has become, when it has ended."""
    fresh = redrive(run, by=None, **{"start": "failed", **changes})
    drained(within=60)
    return again(fresh)


def test_items_that_succeeded_are_not_done_again(receiver: Receiver) -> None:
    receiver.bad = {2: "rejected"}
    flow = publish(
        loop("each", [1, 2, 3], SEND, concurrency=1), output="{{ steps.each }}"
    )
    run = started(flow)
    drained()
    assert receiver.items() == [1, 2]
    receiver.bad = {}
    fresh = after(run)
    assert receiver.items() == [2, 3]
    assert fresh.output["results"] == [{"item": 1}, {"item": 2}, {"item": 3}]
    assert [child.item_index for child in children(fresh)] == [1, 2]


def test_all_are_found_again_after_a_second_redrive(receiver: Receiver) -> None:
    receiver.bad = {2: "rejected", 3: "rejected"}
    flow = publish(
        loop("each", [1, 2, 3], SEND, concurrency=1), output="{{ steps.each }}"
    )
    run = started(flow)
    drained()
    receiver.bad = {3: "rejected"}
    second = after(run)
    receiver.seen.clear()
    receiver.bad = {}
    third = after(second)
    assert receiver.items() == [3]
    assert third.output["results"] == [{"item": 1}, {"item": 2}, {"item": 3}]


def test_a_loop_of_which_everything_was_done_asks_nobody_again(
    receiver: Receiver,
) -> None:
    """Its children had all succeeded when their parent was cancelled."""
    run = started(publish(loop("each", [1, 2], SEND), output="{{ steps.each.count }}"))
    drained()
    StepRun.objects.filter(run=run).update(status="failed")
    Run.objects.filter(pk=run.pk).update(status="failed")
    receiver.seen.clear()
    fresh = after(run)
    assert receiver.items() == []
    assert fresh.output == 2


@pytest.mark.parametrize(
    ("outcome", "keeps"), [("unknown", True), ("not_sent", True), ("rejected", False)]
)
def test_only_an_item_whose_outcome_is_in_doubt_keeps_its_key(
    receiver: Receiver, outcome: str, keeps: bool
) -> None:
    receiver.bad = {1: outcome}
    run = started(publish(loop("each", [1], SEND)))
    drained()
    before = dict(receiver.seen)
    receiver.bad = {}
    after(run)
    assert (dict(receiver.seen) == before) is keeps


def test_an_item_with_another_input_is_done_again(receiver: Receiver) -> None:
    run = started(publish(loop("each", [1, 2], SEND)))
    drained()
    StepRun.objects.filter(run=run).update(status="failed")
    Run.objects.filter(pk=run.pk).update(status="failed")
    Run.objects.filter(pk=children(run)[0].pk).update(body=b"7")
    receiver.seen.clear()
    after(run)
    assert receiver.items() == [1]


def test_from_the_start_every_item_is_done_again_under_new_keys(
    receiver: Receiver,
) -> None:
    run = started(publish(loop("each", [1, 2], SEND)))
    drained()
    before = {key for _, key in receiver.seen}
    assert receiver.items() == [1, 2]
    after(run, start="start")
    assert not before & {key for _, key in receiver.seen}
    assert receiver.items() == [1, 2]


def test_the_steps_that_an_item_had_finished_are_carried_over(
    receiver: Receiver,
) -> None:
    receiver.bad = {2: "rejected"}
    first = told("first", "send", sends=True, config={"item": "{{ item * 10 }}"})
    each = loop("each", [2], first, SEND, output="{{ steps.first.item }}")
    run = started(publish(each, output="{{ steps.each.results }}"))
    drained()
    assert receiver.items() == [2, 20]
    receiver.bad = {}
    fresh = after(run)
    assert receiver.items() == [2]
    assert fresh.output == [20]


def test_in_loops_within_loops_only_what_failed_is_done_again(
    receiver: Receiver,
) -> None:
    receiver.bad = {4: "rejected"}
    inner = loop("in", "{{ item }}", SEND, concurrency=1)
    flow = publish(
        loop("out", [[1, 2], [3, 4]], inner, concurrency=1), output="{{ steps.out }}"
    )
    run = started(flow)
    drained(within=60)
    assert receiver.items() == [1, 2, 3, 4]
    receiver.bad = {}
    fresh = after(run)
    assert receiver.items() == [4]
    found = [
        [item["item"] for item in part["results"]] for part in fresh.output["results"]
    ]
    assert found == [[1, 2], [3, 4]]


def test_a_called_run_goes_on_where_it_failed(receiver: Receiver) -> None:
    receiver.bad = {"b": "rejected"}
    one = told("one", "send", sends=True, config={"item": "a"})
    two = told("two", "send", sends=True, config={"item": "b"})
    callee = publish(one, two)
    run = started(publish(given("n", n=1), calling("call", callee.slug)))
    drained()
    assert receiver.items() == ["a", "b"]
    receiver.bad = {}
    fresh = after(run)
    assert receiver.items() == ["b"]
    assert fresh.status == "succeeded"

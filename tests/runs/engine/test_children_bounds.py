"""How many child runs at once, how many at all, how large, how deep."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pytest_django import Settings

from runs.engine import children as engine_children
from runs.engine import sql
from runs.models import Job, Run
from runs.services import cancel
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    again,
    calling,
    children,
    given,
    loop,
    publish,
    started,
    step,
)
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done

pytestmark = pytest.mark.usefixtures("engine")


class Watched:
    """Counts how many of the steps that it performs are under way at once."""

    def __init__(self, hold: float = 0.02) -> None:
        self._lock = threading.Lock()
        self._hold = threading.Event()
        self._seconds = hold
        self.now = self.most = self.total = 0

    def __call__(self, context: Context) -> Done:
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
        self._hold.wait(self._seconds)
        with self._lock:
            self.now -= 1
        return Done({"n": context.config.get("n")})


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watch = Watched()
    teach(monkeypatch, watched=watch)
    return watch


WATCHED = told("work", "watched", config={"n": "{{ index }}"})


class TestConcurrency:
    @pytest.mark.parametrize("most", [1, 3])
    def test_no_more_than_so_many_items_are_worked_on_at_once(
        self, most: int, watched: Watched
    ) -> None:
        run = started(publish(loop("each", list(range(20)), WATCHED, concurrency=most)))
        drained(count=2, threads=8)
        assert again(run).status == "succeeded"
        assert (watched.most, watched.total) == (most, 20)

    def test_the_others_are_held_and_go_in_order(self, hand: Hand) -> None:
        run = started(
            publish(loop("each", list("abcd"), given("n", n=1), concurrency=2))
        )
        hand.claim()
        hand.record()
        assert held(run) == [2, 3]
        hand.claim(want=1)
        hand.record()
        assert held(run) == [3]
        hand.claim(want=1)
        hand.record()
        assert held(run) == []

    def test_a_held_child_that_is_cancelled_gives_up_no_slot(self, hand: Hand) -> None:
        run = started(
            publish(
                loop(
                    "each",
                    [1, 2, 3],
                    given("n", n=1),
                    concurrency=1,
                    on_item_error="continue",
                )
            )
        )
        hand.claim()
        hand.record()
        cancel(children(run)[1], by=None)
        assert held(run) == [2]
        drained()
        assert step(run, "each").output["failed"][0]["index"] == 1

    def test_a_parent_that_waits_gives_up_its_slot(self) -> None:
        flow = publish(
            loop("each", [1, 2, 3], loop("in", [1], given("n", n=1))),
            max_concurrent_runs=1,
        )
        run = started(flow)
        drained(within=60)
        assert again(run).status == "succeeded"


def held(run: Run) -> list[int | None]:
    """The items whose children are held back."""
    rows = Job.objects.filter(run__parent=run, due_at=sql.FAR)
    return list(rows.order_by("id").values_list("run__item_index", flat=True))


class TestChunks:
    def test_a_large_loop_is_started_over_several_records(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_children, "CHUNK", 4)
        run = started(
            publish(loop("each", list(range(10)), given("n", n=1), concurrency=6))
        )
        hand.claim(want=1)
        found = [len(children(run))]
        hand.record()
        found.append(len(children(run)))
        while len(children(run)) < 10:
            hand.plan(run)
            found.append(len(children(run)))
        assert found == [0, 4, 8, 10]
        assert held(run) == [6, 7, 8, 9]
        drained()
        assert step(run, "each").output["count"] == 10

    def test_another_worker_goes_on_where_one_vanished(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_children, "CHUNK", 4)
        run = started(
            publish(
                loop("each", list(range(10)), given("n", n="{{ item }}"), concurrency=3)
            )
        )
        hand.claim(want=1)
        hand.record()
        Job.objects.filter(run=run).update(lease_token=None, lease_until=None)
        drained()
        assert [child.item_index for child in children(run)] == list(range(10))
        results = step(run, "each").output["results"]
        assert results == [{"n": n} for n in range(10)]

    def test_children_that_ended_meanwhile_leave_their_slots_to_the_next_chunk(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_children, "CHUNK", 2)
        run = started(
            publish(loop("each", list(range(5)), given("n", n=1), concurrency=2))
        )
        hand.claim(want=1)
        hand.record()
        hand.claim(want=2)
        hand.record()  # both children of the first chunk have ended; none was held
        hand.plan(run)
        assert held(run) == []
        hand.plan(run)
        assert held(run) == [4]


class TestBounds:
    def test_too_many_items_are_refused(self, settings: Settings) -> None:
        settings.MAX_ITEMS = 3
        run = started(
            publish(loop("each", "{{ trigger.payload }}", given("n", n=1))), [1] * 4
        )
        drained()
        assert again(run).error_message == (
            "Step each: items has 4 entries; AUTOMATE_MAX_ITEMS allows 3"
        )
        assert children(run) == []

    def test_an_item_that_is_too_large_is_named(self) -> None:
        flow = publish(loop("each", "{{ trigger.payload }}", given("n", n=1)))
        run = started(flow, [1, "x" * 300_000])
        drained()
        assert "items[1] has 300,002 bytes as JSON; an item may have 262,144" in (
            again(run).error_message
        )

    @pytest.mark.parametrize(
        ("payload", "what"), [("abc", "a text"), (7, "a number"), (None, "null")]
    )
    def test_what_is_no_list_is_refused(self, payload: Any, what: str) -> None:
        flow = publish(loop("each", "{{ trigger.payload.x }}", given("n", n=1)))
        run = started(flow, {"x": payload})
        drained()
        assert f"must be a list or an object, and this is {what}" in (
            again(run).error_message
        )

    def test_results_that_are_too_large_together_fail_the_step(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("runs.engine.gathering.MAX_RESULTS", 1000)
        flow = publish(loop("each", list(range(10)), given("n", n="x" * 200)))
        run = started(flow)
        drained()
        stored = again(run)
        assert stored.error_class == "too_large"
        assert "say in output what is needed" in stored.error_message

    def test_a_workflow_that_runs_itself_ends_at_the_tenth_level(self) -> None:
        flow = publish(given("n", n=1))
        publish(calling("again", flow.slug), workflow=flow)
        run = started(flow)
        drained(within=60)
        assert (
            Run.objects.filter(workflow=flow).count() == 1 + engine_children.MAX_DEPTH
        )
        deepest = Run.objects.filter(workflow=flow).order_by("-depth")[0]
        assert (deepest.depth, deepest.error_class) == (10, "too_deep")
        assert "the limit is 10. Does a workflow run itself?" in deepest.error_message
        assert again(run).status == "failed"

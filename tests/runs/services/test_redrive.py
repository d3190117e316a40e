"""redrive: a new run of the same event, under the right keys, or a clear no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from automate.accounts.models import AuditEntry
from runs.models import Job, Run, StepRun
from runs.services import RedriveRefused, cancel, redrive
from tests.automate.lib.net.servers import Server, always, answer, stall
from tests.makers import make_run, make_user
from tests.runs.drains import Hand, together
from tests.runs.flows import (
    accepted,
    again,
    attempts,
    call,
    edge,
    expire,
    given,
    logged,
    publish,
    started,
    step,
    steps,
)
from workflows.models import Workflow

ONCE = {"max_attempts": 1}
NOT_FOUND = answer(b"no", "404 Not Found")


@pytest.fixture
def refusing() -> Any:
    """Answers everything with 404, which no retry can mend."""
    with Server(always(NOT_FOUND)) as server:
        yield server


def run_to_its_end(hand: Hand, run: Run) -> Run:
    hand.claim()
    hand.finish()
    return again(run)


def failed(hand: Hand, url: str, **fields: Any) -> Run:
    """A run whose second step failed for good."""
    flow = publish(given("a", x="{{ trigger.payload.n }}"), call("b", url), **fields)
    return run_to_its_end(hand, started(flow, {"n": 7}))


def key(run: Run, node: str) -> str:
    return step(run, node).idempotency_key


def test_it_is_a_new_run_of_the_same_event(hand: Hand, refusing: Server) -> None:
    run = failed(hand, refusing.url)
    by = make_user("ann@example.com")

    fresh = redrive(run, by=by)

    assert fresh.pk != run.pk
    assert (fresh.replay_of, fresh.root_run) == (run, run)
    assert again(fresh).body == run.body
    assert again(run).status == "failed"
    assert Job.objects.filter(run=fresh).exists()
    assert f"Redriven by ann@example.com as {fresh.pk}" in logged(run)
    entry = AuditEntry.objects.get(action="run.redrive")
    assert entry.changes == {"from": "start", "version": 1, "run": str(fresh.pk)}


def test_from_the_start_everything_runs_again_under_new_keys(
    hand: Hand, refusing: Server
) -> None:
    run = failed(hand, refusing.url)
    fresh = redrive(run, by=None)
    run_to_its_end(hand, fresh)

    assert steps(fresh) == {"a": "succeeded", "b": "failed"}
    assert step(fresh, "a").carried_from is None
    assert key(fresh, "a") != key(run, "a")
    assert key(fresh, "b") != key(run, "b")


def test_from_failed_what_succeeded_is_carried_over(
    hand: Hand, refusing: Server
) -> None:
    flow = publish(
        given("a", x="{{ trigger.payload.n }}"),
        call("b", refusing.url, config={"body": {"x": "{{ steps.a.x }}"}}),
    )
    run = run_to_its_end(hand, started(flow, {"n": 7}))
    fresh = redrive(run, by=None, start="failed")
    run_to_its_end(hand, fresh)

    carried = step(fresh, "a")
    assert carried.carried_from == step(run, "a")
    assert (carried.output, carried.status) == ({"x": 7}, "succeeded")
    assert b'{"x":7}' in refusing.requests[-1].replace(b" ", b"")


def test_each_redrive_of_one_event_has_keys_of_its_own(
    hand: Hand, refusing: Server
) -> None:
    """Redriven twice from the first run, and once from a redrive: four effects.

    Shown to fail when the generation is counted from the run that is redriven.
    """
    run = failed(hand, refusing.url)
    family = [run]
    for parent in (run, run, None):
        family.append(redrive(parent or family[-1], by=None))
        run_to_its_end(hand, family[-1])

    assert len({key(item, "b") for item in family}) == 4
    assert {item.root_run_id for item in family[1:]} == {run.pk}


class TestKeys:
    """I4: the key stays while the effect may have happened, or surely has not."""

    def redriven(self, hand: Hand, run: Run, **options: Any) -> tuple[str, str]:
        fresh = redrive(run, by=None, start="failed", **options)
        hand.claim()
        return key(run, "b"), key(fresh, "b")

    def test_a_definite_answer_asks_for_a_new_one(
        self, hand: Hand, refusing: Server
    ) -> None:
        before, after = self.redriven(hand, failed(hand, refusing.url))
        assert after != before

    def test_an_unknown_outcome_keeps_it(self, hand: Hand) -> None:
        with Server(always(close=True)) as mute:
            flow = publish(given("a"), call("b", mute.url, retry=ONCE))
            run = run_to_its_end(hand, started(flow))
        assert [row.outcome for row in attempts(run)] == ["unknown"]

        before, after = self.redriven(hand, run)
        assert after == before

    def test_a_request_that_never_left_keeps_it(self, hand: Hand) -> None:
        flow = publish(given("a"), call("b", "http://127.0.0.1:1/", retry=ONCE))
        run = run_to_its_end(hand, started(flow))
        assert [row.outcome for row in attempts(run)] == ["not_sent"]

        before, after = self.redriven(hand, run)
        assert after == before

    def test_a_worker_that_vanished_keeps_it(self, hand: Hand) -> None:
        with Server(stall) as slow:
            flow = publish(given("a"), call("b", slow.url))
            run = started(flow)
            hand.claim()
            hand.record()
            for _ in range(4):
                hand.tasks.clear()
                from runs.engine.reap import reap

                reap(expire(run))
                hand.claim_suspect()
        assert again(run).error_class == "poison"

        before, after = self.redriven(hand, run)
        assert after == before

    def test_a_step_cancelled_in_flight_keeps_it(self, hand: Hand) -> None:
        """Shown to fail when only attempts that were written count as unknown."""
        run = started(publish(given("a"), call("b", "http://127.0.0.1:1/")))
        hand.claim()
        hand.record()
        cancel(run, by=None)

        before, after = self.redriven(hand, run)
        assert after == before

    def test_its_late_answer_asks_for_a_new_one_after_all(
        self, hand: Hand, receiver: Server
    ) -> None:
        run = started(publish(given("a"), call("b", receiver.url)))
        hand.claim()
        hand.record()
        results = hand.perform()
        cancel(run, by=None)
        hand.record(results)

        before, after = self.redriven(hand, run)
        assert after != before

    def test_a_changed_config_asks_for_a_new_one(self, hand: Hand) -> None:
        """Shown to fail when the configs are not compared."""
        flow = publish(given("a"), call("b", "http://127.0.0.1:1/", retry=ONCE))
        run = run_to_its_end(hand, started(flow))
        publish(given("a"), call("b", "http://127.0.0.1:2/"), workflow=flow)

        before, after = self.redriven(hand, run, version="latest")
        assert after != before

    def test_input_from_a_step_that_runs_again_asks_for_a_new_one(
        self, hand: Hand, refusing: Server
    ) -> None:
        reads = call(
            "b",
            "http://127.0.0.1:1/",
            retry=ONCE,
            config={"body": "{{ steps.a.status }}"},
        )
        flow = publish(call("a", refusing.url, on_error="continue"), reads)
        run = run_to_its_end(hand, started(flow))
        fresh = redrive(run, by=None, start="a")
        run_to_its_end(hand, fresh)

        assert key(fresh, "b") != key(run, "b")

    def test_it_is_kept_over_a_redrive_that_did_not_come_so_far(
        self, hand: Hand
    ) -> None:
        """Shown to fail when a key that was brought along unused is forgotten."""
        nodes = [
            call("a", "http://127.0.0.1:1/", retry=ONCE, on_error="continue"),
            call("b", "http://127.0.0.1:1/", retry=ONCE),
        ]
        run = run_to_its_end(hand, started(publish(*nodes)))
        second = redrive(run, by=None, start="failed")
        hand.claim()
        hand.tasks.clear()
        cancel(second, by=None)

        third = redrive(second, by=None, start="failed")
        run_to_its_end(hand, third)
        assert key(third, "b") == key(run, "b")

    def test_a_kept_key_waits_for_the_steps_before_it(self, hand: Hand) -> None:
        """Shown to fail when a pending step begins whatever leads to it."""
        nodes = [
            call("a", "http://127.0.0.1:1/", retry=ONCE, on_error="continue"),
            call("b", "http://127.0.0.1:1/", retry=ONCE),
        ]
        run = run_to_its_end(hand, started(publish(*nodes)))
        redrive(run, by=None, start="a")
        hand.claim()

        assert [task.node.id for task in hand.tasks] == ["a"]


class TestVersions:
    def test_pinned_is_the_version_it_ran_on(
        self, hand: Hand, refusing: Server
    ) -> None:
        run = failed(hand, refusing.url)
        publish(given("other"), workflow=run.workflow)

        assert redrive(run, by=None).version_id == run.version_id

    def test_latest_is_what_is_published_now(
        self, hand: Hand, refusing: Server
    ) -> None:
        run = failed(hand, refusing.url)
        flow = publish(given("a"), given("b"), workflow=run.workflow)

        fresh = redrive(run, by=None, version="latest")
        assert fresh.version_id == flow.published_id
        assert run_to_its_end(hand, fresh).status == "succeeded"

    def test_a_carried_step_must_exist_there(
        self, hand: Hand, refusing: Server
    ) -> None:
        run = failed(hand, refusing.url)
        publish(given("b"), workflow=run.workflow)

        with pytest.raises(RedriveRefused, match="Step a had finished and is not in"):
            redrive(run, by=None, start="failed", version="latest")
        assert Run.objects.count() == 1

    def test_the_step_it_began_with_must_exist_there(
        self, hand: Hand, refusing: Server
    ) -> None:
        """Otherwise the new run skips everything and calls that success."""
        flow = publish(call("a", refusing.url))
        run = run_to_its_end(hand, started(flow, start=["a"]))
        publish(given("b"), workflow=flow)

        with pytest.raises(RedriveRefused, match="began with step a"):
            redrive(run, by=None, version="latest")


class TestRefusals:
    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_what_has_not_ended(self, status: str) -> None:
        with pytest.raises(RedriveRefused, match=f"still {status}"):
            redrive(make_run(status=status), by=None)

    def test_while_a_redrive_of_the_event_is_under_way(
        self, hand: Hand, refusing: Server
    ) -> None:
        run = failed(hand, refusing.url)
        second = redrive(run, by=None)
        run_to_its_end(hand, second)
        third = redrive(second, by=None)

        for item in (run, second):
            with pytest.raises(RedriveRefused, match=f"{third.pk}.* still under way"):
                redrive(item, by=None)

    def test_of_two_at_once_one_is_refused(self, hand: Hand, refusing: Server) -> None:
        """Shown to fail when the family's first run is not locked."""
        run = failed(hand, refusing.url)
        second = redrive(run, by=None)
        run_to_its_end(hand, second)

        def attempt(item: Run) -> Callable[[], bool]:
            def work() -> bool:
                try:
                    redrive(item, by=None)
                except RedriveRefused:
                    return False
                return True

            return work

        answers = together(*[attempt(run), attempt(second)] * 2)
        assert sorted(answers) == [False, False, False, True]

    def test_a_success_from_failed(self, hand: Hand) -> None:
        run = run_to_its_end(hand, started(publish(given("a"))))
        with pytest.raises(RedriveRefused, match="succeeded; redrive it from the sta"):
            redrive(run, by=None, start="failed")
        assert redrive(run, by=None).pk

    def test_of_an_archived_workflow(self) -> None:
        run = make_run(status="failed")
        Workflow.objects.update(status="archived")
        with pytest.raises(RedriveRefused, match="archived"):
            redrive(run, by=None)

    @pytest.mark.parametrize(
        "options", [{"start": "middle"}, {"version": "newest"}], ids=str
    )
    def test_unknown_words(self, options: dict[str, str]) -> None:
        with pytest.raises(RedriveRefused) as refusal:
            redrive(make_run(status="failed"), by=None, **options)
        assert refusal.value.code == "REDRIVE_REFUSED"

    def test_a_payload_whose_key_is_missing(self, settings: Settings) -> None:
        run = make_run(status="failed", payload={"n": 1})
        settings.FIELD_ENCRYPTION_KEYS = ["another-key-" + "0" * 40]
        with pytest.raises(RedriveRefused, match="body is unreadable"):
            redrive(run, by=None)

    def test_a_carried_output_whose_key_is_missing(
        self, hand: Hand, refusing: Server, settings: Settings
    ) -> None:
        run = failed(hand, refusing.url)
        old = settings.FIELD_ENCRYPTION_KEYS
        settings.FIELD_ENCRYPTION_KEYS = ["another-key-" + "0" * 40]
        StepRun.objects.filter(node_id="a").update(output={"x": 1})
        settings.FIELD_ENCRYPTION_KEYS = old
        with pytest.raises(RedriveRefused, match="output of step a is unreadable"):
            redrive(run, by=None, start="failed")


def test_branches_are_decided_again_from_the_failed_step(
    hand: Hand, refusing: Server
) -> None:
    nodes = [given("a"), call("b", refusing.url), given("c"), given("d")]
    links = [edge("a", "b"), edge("b", "c"), edge("b", "d", "failure")]
    flow = publish(*nodes, connections=links)
    run = run_to_its_end(hand, started(flow))
    assert steps(run) == {
        "a": "succeeded", "b": "failed", "c": "skipped", "d": "skipped",
    }  # fmt: skip
    publish(nodes[0], given("b"), *nodes[2:], connections=links, workflow=flow)

    fresh = redrive(run, by=None, start="failed", version="latest")

    assert run_to_its_end(hand, fresh).status == "succeeded"
    assert steps(fresh) == {
        "a": "succeeded", "b": "succeeded", "c": "succeeded", "d": "skipped",
    }  # fmt: skip


def test_a_redrive_carries_no_dedupe_key(hand: Hand, refusing: Server) -> None:
    from runs.models import IdempotencyKey
    from runs.services import Dedupe

    flow = publish(call("b", refusing.url))
    event = Dedupe("trigger:1", "evt-1", "hash")
    run = Run.objects.get(pk=accepted(flow, dedupe=event).run_id)
    run_to_its_end(hand, run)
    redrive(run, by=None)

    assert IdempotencyKey.objects.count() == 1
    assert accepted(flow, dedupe=event).run_id == run.pk

"""A state machine over the engine: workers, people and accidents in any order.

Two workers are moved by hand, a step at a time, so that any of their transactions can
come before or after anything else. A worker that stalled until its leases ran out goes
on later, with all that it had in hand: its results are late.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from runs import services
from runs.engine import exclusive, orphans
from runs.engine.reap import reap
from runs.engine.task import Result
from runs.models import Campaign, FinishedRun, Job, Run
from runs.services import campaigning, campaigns, followers
from runs.services.errors import RunServiceError
from runs.services.events import target_of
from runs.states import FINAL_RUN, RunStatus
from tests.runs.drains import Hand
from tests.runs.engine.hands import forget, held_runs, record, snapshot
from tests.runs.engine.invariants import Memory, Rows
from tests.runs.engine.stories import CALLEE, GRAPHS, WEATHER, World, called
from tests.runs.flows import expire, given, make_due, publish
from workflows.models import Trigger, Workflow

Decision = services.Decision
STARTS = ("start", "failed", "failed", "a", "b", "loop", "call")
MOST = 8  # unfinished runs, those in loops included
BACK = "roll back"
EXCLUSIVE = "{{ trigger.payload.k }}"
graphs = st.sampled_from(sorted(GRAPHS))
workers = st.integers(0, 1)
weathers = st.sampled_from(["fine", *WEATHER])


class Engine(RuleBasedStateMachine):
    """The engine's invariants (docs/architecture.md) after each step of any story."""

    world: World
    graph: str  # of the first version

    def __init__(self) -> None:
        super().__init__()
        forget()
        self.world = type(self).world
        self.world.begin_again()
        self.memory = Memory(self.world)
        self.rows = Rows.read()
        self.hands = [Hand(), Hand()]
        self.done: list[list[Result]] = [[], []]
        self.stalled: list[tuple[Hand, list[Result]]] = []

    def teardown(self) -> None:
        """I8: with a kind world, every run ends; nothing waits that nobody wakes."""
        self.world.weather = "fine"
        self._settle()
        self._repair()
        self._settle()
        left = list(Job.objects.values("run", "due_at", "lease_token", "expiries"))
        for hand in [*self.hands, *(hand for hand, _ in self.stalled)]:
            hand.close()
        assert left == [], "these runs never end"
        assert self.memory.numbers.keys() <= set(
            Run.objects.values_list("pk", flat=True)
        )
        self.check()
        self._check_followers()
        self.world.ended.add(self.graph)

    def _settle(self) -> None:
        for _ in range(300):  # a limit lets few begin in each
            if not (Job.objects.exists() or FinishedRun.objects.exists()):
                break
            self._calm()

    def _repair(self) -> None:
        """Redrive what did not succeed, from where it stopped."""
        for run in Run.objects.exclude(status=RunStatus.SUCCEEDED):
            with contextlib.suppress(
                RunServiceError
            ):  # another one of its event goes on
                services.redrive(run, by=None, start="failed")

    def _calm(self) -> None:
        """A while in which all goes well: answers come, time passes, workers work."""
        reap(expire(*Run.objects.filter(job__lease_token__isnull=False)))
        for step in Rows.read().asking:
            self._answer(step.run_id, step.node_id, step.kind, Decision.APPROVED)
        self.time_passes()
        hand = Hand()
        while hand.claim().claimed or hand.claim_suspect().claimed:
            while hand.tasks:
                hand.record()
                hand.plan(*held_runs(hand))
        hand.close()

    def _check_followers(self) -> None:
        """Each end of a run that is no part of another's was told once."""
        told = [
            run.caused_by_id
            for run in self.rows.runs.values()
            if run.workflow_id == self.follower.pk and run.replay_of_id is None
        ]
        ends = [
            run.pk
            for run in self.rows.runs.values()
            if run.workflow_id != self.follower.pk and run.item_index is None
        ]
        assert sorted(map(str, told)) == sorted(map(str, ends))

    # --- people -------------------------------------------------------------------

    @initialize(
        limit=st.sampled_from([None, None, 1, 2]),
        keyed=st.booleans(),
        runs=st.integers(1, 3),
    )
    def begin(self, limit: int | None, keyed: bool, runs: int) -> None:
        publish(*called(), slug=CALLEE)
        self.follower = publish(given("note", status="{{ trigger.payload.status }}"))
        Trigger.objects.create(workflow=self.follower, kind="run_finished", config={})
        self.workflow = self._publish(
            self.graph, max_concurrent_runs=limit, exclusive=EXCLUSIVE if keyed else ""
        )
        for number in range(runs):
            self.accept(key=1 + number % 2, priority=2)

    @rule(graph=st.one_of(graphs, st.just(BACK)))
    def publish_another_version(self, graph: str) -> None:
        """A new one, or the first one again."""
        if graph == BACK:
            self.workflow.published = self.workflow.versions.get(number=1)
            self.workflow.save(update_fields=["published"])
        else:
            self._publish(graph, workflow=self.workflow)

    @staticmethod
    def _publish(name: str, **options: Any) -> Workflow:
        graph = GRAPHS[name]()
        return publish(*graph["nodes"], connections=graph.get("connections"), **options)

    @precondition(lambda self: len(self.rows.jobs) < MOST)
    @rule(key=st.integers(1, 2), priority=st.integers(0, 3))
    def accept(self, key: int, priority: int) -> None:
        number = 100 + len(self.memory.numbers)
        body = json.dumps({"n": number, "k": key}).encode()
        event = services.Event(body=body, content_type="application/json")
        target = target_of(self.workflow, event, priority=priority)
        self.memory.numbers[services.accept(target, event).run_id] = number

    @precondition(lambda self: self.rows.runs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Whatever the run is doing, also when it has ended."""
        runs = list(self.rows.runs.values())
        if data.draw(st.booleans()) and self.rows.jobs:
            runs = [self.rows.runs[key] for key in self.rows.jobs]
        run = self._drawn(data, runs)
        assert services.cancel(run, by=None) == (run.status not in FINAL_RUN)

    @precondition(lambda self: self.memory.ended)
    @rule(
        data=st.data(),
        start=st.sampled_from(STARTS),
        version=st.sampled_from(["pinned", "pinned", "latest"]),
    )
    def redrive(self, data: st.DataObject, start: str, version: str) -> None:
        ended = [run for run in self.rows.runs.values() if run.status in FINAL_RUN]
        failed = [run for run in ended if run.status != RunStatus.SUCCEEDED]
        run = self._drawn(data, failed if start == "failed" and failed else ended)
        with contextlib.suppress(RunServiceError):  # a refusal is an answer too
            services.redrive(run, by=None, start=start, version=version)

    @precondition(lambda self: self.memory.ended)
    @rule(start=st.sampled_from(["start", "failed"]))
    def start_a_campaign(self, start: str) -> None:
        with contextlib.suppress(services.errors.CampaignRefused):
            campaigns.start_campaign({}, by=None, start=start, check_after=0)

    @precondition(lambda self: self.rows.asking)
    @rule(data=st.data(), decision=st.sampled_from(["approved", "rejected"]))
    def answer(self, data: st.DataObject, decision: str) -> None:
        asking = self.rows.asking
        step = asking[data.draw(st.integers(0, len(asking) - 1))]
        self._answer(step.run_id, step.node_id, step.kind, Decision(decision))

    @precondition(lambda self: self.rows.jobs)
    @rule(data=st.data(), node_id=st.sampled_from(["hook", "inner"]))
    def answer_before_it_waits(self, data: st.DataObject, node_id: str) -> None:
        runs = [self.rows.runs[key] for key in self.rows.jobs]
        runs = [run for run in runs if node_id in self.rows.level(run).nodes]
        if runs:
            self._answer(self._drawn(data, runs).pk, node_id, "wait_for_webhook")

    def _answer(
        self,
        run_id: UUID,
        node_id: str,
        kind: str,
        decision: services.Decision = Decision.RECEIVED,
    ) -> None:
        if kind == "wait_for_webhook":
            decision = Decision.RECEIVED
        with contextlib.suppress(RunServiceError):  # a refusal is an answer too
            services.resume(run_id, node_id, services.Given(decision))
            taken = self.memory.answers.setdefault((run_id, node_id), decision)
            assert taken is decision, "two answers were taken"

    @staticmethod
    def _drawn(data: st.DataObject, runs: list[Run]) -> Run:
        runs.sort(key=lambda run: (run.created_at, run.item_index or 0))
        return runs[data.draw(st.integers(0, len(runs) - 1))]

    # --- the world ----------------------------------------------------------------

    @rule()
    def time_passes(self) -> None:
        """All that waits for a moment is due; what is held back stays so.

        What was due keeps its place in the queue. Drains do their chores.
        """
        later = Run.objects.filter(job__due_at__gt=Now())
        make_due(*later.filter(job__due_at__year__lt=9999))
        Campaign.objects.update(next_at=Now())
        campaigning.advance()
        followers.start_followers()
        orphans.sweep()
        sweep = exclusive.Sweep()
        sweep.look()
        sweep.look()

    # --- workers ------------------------------------------------------------------

    @precondition(lambda self: self.rows.jobs)
    @rule(number=workers, want=st.integers(1, 4), free=st.integers(1, 3))
    def claim(self, number: int, want: int, free: int) -> None:
        hand = self.hands[number]
        if not hand.claim(want, free).claimed:
            hand.claim_suspect()

    @precondition(lambda self: any(hand.tasks for hand in self.hands))
    @rule(data=st.data(), count=st.integers(1, 3), weather=weathers)
    def perform(self, data: st.DataObject, count: int, weather: str) -> None:
        self.world.weather = weather
        number = data.draw(st.sampled_from([n for n in (0, 1) if self.hands[n].tasks]))
        hand = self.hands[number]
        for _ in range(min(count, len(hand.tasks))):
            task = hand.tasks.pop(data.draw(st.integers(0, len(hand.tasks) - 1)))
            self.done[number].append(hand.performer.perform(task))

    @precondition(lambda self: any(self.done))
    @rule(data=st.data(), free=st.integers(0, 3))
    def record(self, data: st.DataObject, free: int) -> None:
        number = data.draw(st.sampled_from([n for n in (0, 1) if self.done[n]]))
        results, self.done[number] = self.done[number], []
        record(self.hands[number], results, free)

    @precondition(lambda self: self.rows.jobs)
    @rule(
        number=workers, turns=st.integers(1, 3), weather=weathers, later=st.booleans()
    )
    def a_worker_works(
        self, number: int, turns: int, weather: str, *, later: bool
    ) -> None:
        """A few turns without an accident, at once or when all is due."""
        if later:
            self.time_passes()
        self.world.weather = weather
        hand = self.hands[number]
        for _ in range(turns):
            hand.claim()
            results, self.done[number] = self.done[number] + hand.perform(), []
            if results:
                record(hand, results, 32)

    @precondition(lambda self: self.rows.jobs)
    @rule(number=workers, decision=st.sampled_from(["approved", "rejected"]))
    def answers_come_while_a_worker_works(self, number: int, decision: str) -> None:
        """What waits is answered after each step of its run, under the lease."""
        hand = self.hands[number]
        hand.claim()
        for _ in range(5):
            if not hand.tasks:
                return
            record(hand, [hand.performer.perform(hand.tasks.pop(0))], 32)
            for step in Rows.read().asking:
                self._answer(step.run_id, step.node_id, step.kind, Decision(decision))

    @precondition(lambda self: any(hand.held for hand in self.hands))
    @rule(number=workers, free=st.integers(0, 3))
    def look_at_what_is_held(self, number: int, free: int) -> None:
        hand = self.hands[number]
        runs = held_runs(hand)
        if runs:
            hand.plan(*runs, free=free)

    # --- accidents ----------------------------------------------------------------

    @precondition(lambda self: self.rows.jobs or any(hand.tasks for hand in self.hands))
    @rule(number=workers)
    def a_worker_stalls_and_is_reaped(self, number: int) -> None:
        hand = self.hands[number]
        if not (hand.tasks or self.done[number]):
            hand.claim()
        leases = expire(*held_runs(hand))
        self.stalled.append((hand, self.done[number]))
        self.hands[number], self.done[number] = Hand(), []
        if leases:
            reap(leases)

    @precondition(lambda self: self.stalled)
    @rule()
    def a_stalled_worker_goes_on(self) -> None:
        """I3: whatever it does now is late, and changes no state."""
        hand, results = self.stalled.pop()
        results += hand.perform()
        before = snapshot()
        if results:
            hand.record(results)
        lost = [run for key, run in self.rows.runs.items() if key in hand.held]
        if lost:
            hand.plan(*lost)
        assert snapshot() == before, "a late result changed the state"
        hand.close()

    # --- invariants ---------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        """What may never be seen, whatever came before."""
        self.rows = Rows.read()
        self.memory.check(self.rows)

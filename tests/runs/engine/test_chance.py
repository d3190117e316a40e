"""Drains that claim, vanish, come late and meet cancels in any order, by dice.

Whatever happens: a final state stays, a finished step is not begun again, every step
keeps one key, and in the end every run has ended (I2, I3, I4, I8).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from runs.engine.handback import hand_back
from runs.engine.reap import reap
from runs.engine.task import Result
from runs.models import DeliveryAttempt, Job, Run, StepRun
from runs.services import cancel
from runs.states import FINAL_RUN, FINAL_STEP, StepStatus
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.runs.drains import Hand
from tests.runs.flows import call, edge, expire, given, make_due, node, publish, started

pytestmark = pytest.mark.usefixtures("engine")


class World:
    """A few drains and runs, and what has been seen of them."""

    def __init__(self, seed: int, url: str) -> None:
        self.dice = random.Random(seed)
        self.hands = [Hand() for _ in range(3)]
        self.late: dict[Hand, list[Result]] = defaultdict(list)
        nodes = [
            call("a", url),
            call(
                "b", url, on_error="continue", retry={"max_attempts": 2, "initial": 0}
            ),
            node("pause", "delay", {"duration": 30}),
            given("end", a="{{ steps.a.status }}"),
        ]
        links = [edge("a", "b"), edge("a", "pause"), edge("b", "end")]
        links.append(edge("pause", "end"))
        flow = publish(*nodes, connections=links)
        self.runs = [started(flow, {"n": n}) for n in range(6)]
        self.final: dict[Any, str] = {}
        self.done: dict[int, int] = {}
        self.keys: dict[tuple[Any, str], str] = {}

    def close(self) -> None:
        for hand in self.hands:
            hand.close()

    def go(self, steps: int) -> None:
        moves: list[Callable[[], None]] = [
            self.claim, self.claim, self.suspect, self.perform, self.record,
            self.record, self.vanish, self.expire, self.come_late, self.wake,
            self.stop,
        ]  # fmt: skip
        for number in range(steps):
            self.dice.choice(moves)()
            if number == steps // 2:
                cancel(self.dice.choice(self.runs), by=None)
            self.look()

    def some(self) -> Hand:
        return self.dice.choice(self.hands)

    def claim(self) -> None:
        self.some().claim(self.dice.randint(1, 4), self.dice.randint(1, 5))

    def suspect(self) -> None:
        self.some().claim_suspect()

    def perform(self) -> None:
        hand = self.some()
        if hand.tasks:
            task = self.dice.choice(hand.tasks)
            hand.tasks.remove(task)
            self.late[hand].append(hand.performer.perform(task))

    def record(self) -> None:
        hand = self.some()
        self.dice.shuffle(self.late[hand])
        count = self.dice.randint(0, len(self.late[hand]))
        results = [self.late[hand].pop() for _ in range(count)]
        if results:
            hand.record(results, free=self.dice.randint(0, 4))

    def vanish(self) -> None:
        """A process is killed: what it had in hand is forgotten."""
        self._forget(self.some())

    def expire(self) -> None:
        """Some leases run out, whether or not their holder lives."""
        reap(expire(*self.dice.sample(self.runs, 2)))

    def come_late(self) -> None:
        """A stall: everything that a drain has is performed and recorded at once."""
        hand = self.some()
        results = self.late.pop(hand, []) + hand.perform()
        if results:
            hand.record(results)

    def wake(self) -> None:
        make_due(*self.runs)

    def stop(self) -> None:
        hand = self.some()
        hand_back(list(hand.held.values()), hand.ledger)
        self._forget(hand)

    def _forget(self, hand: Hand) -> None:
        hand.tasks.clear()
        self.late.pop(hand, None)
        hand.held.clear()

    def look(self) -> None:
        """What must hold at every moment."""
        for run in Run.objects.all():
            if run.pk in self.final:
                assert run.status == self.final[run.pk], "a final state changed"
            if run.status in FINAL_RUN:
                self.final[run.pk] = run.status
                assert not Job.objects.filter(run=run).exists()
            else:
                assert Job.objects.filter(run=run).exists()
        for step in StepRun.objects.all():
            place = (step.run_id, step.node_id)
            assert self.keys.setdefault(place, step.idempotency_key) == (
                step.idempotency_key
            ), "a key changed"
            if step.pk in self.done:
                assert step.attempt == self.done[step.pk], "begun again"
                assert step.status in FINAL_STEP
            elif step.status == StepStatus.SUCCEEDED:
                self.done[step.pk] = step.attempt


@pytest.fixture
def flaky() -> Iterator[Server]:
    """Answers 200, 503, 404, or nothing at all; the same for the same number."""

    def handle(sock: Any, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            turn = len(server.requests) % 7
            if turn == 3:
                return
            status = {2: "503 Busy", 5: "503 Busy", 6: "404 No"}.get(turn, "200 OK")
            sock.sendall(answer(b"", status))

    with Server(handle) as server:
        yield server


@pytest.mark.parametrize("seed", range(12))
def test_every_run_ends_whatever_happens(
    flaky: Server, seed: int, engine: Settings
) -> None:
    """Shown to fail when `reap` forgets the steps that were running, when `lock` calls
    every job held, and when a claim takes what is leased."""
    engine.POLL = 0.02
    world = World(seed, flaky.url)
    try:
        world.go(60)
        reap(expire(*world.runs))
        for _ in range(200):
            if not Job.objects.exists():
                break
            world.wake()
            hand = world.hands[0]
            hand.claim()
            hand.claim_suspect()
            hand.finish()
            reap(expire(*world.runs))
            world.look()
    finally:
        world.close()

    assert {run.status for run in Run.objects.all()} <= FINAL_RUN
    assert not Job.objects.exists()
    assert not StepRun.objects.exclude(status__in=FINAL_STEP).exists()
    pairs = DeliveryAttempt.objects.values_list("step_run", "number")
    assert len(pairs) == len(set(pairs))

"""Exclusive keys under load: many claimers, bursts, arrivals out of order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from runs.engine.claim import Claim, Claimer
from runs.models import Job, Run
from tests.runs.drains import in_thread, together
from tests.runs.engine.test_claim import claim, crowd, owners
from tests.runs.engine.test_exclusive import A, B, Witness, finish, keyed, taken
from tests.runs.flows import given, publish, started
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def flow() -> Workflow:
    return publish(given("a"))


class TestUnderLoad:
    @pytest.mark.slow
    def test_fifty_rounds_of_eight_claimers_never_overlap(self, flow: Workflow) -> None:
        """Arrivals are committed out of order, and every claimer takes what it gets.

        Shown to fail without the workflow's lock.
        """
        witness = Witness()
        rounds = 50 if connection.vendor == "postgresql" else 5  # it has one writer
        for number in range(rounds):
            keys = [f"{number}-{letter}" for letter in "aab"]
            ready = threading.Event()

            def arrives(key: str, ready: threading.Event = ready) -> None:
                with transaction.atomic():
                    run = keyed(flow, key)
                    witness.keys[str(run.pk)] = key
                    if connection.vendor == "postgresql":
                        ready.wait(0.02)  # others commit first

            arrivals = [in_thread(lambda key=key: arrives(key)) for key in keys]  # type: ignore[misc]
            for key in keys:
                witness.keys[str(keyed(flow, key).pk)] = key
            together(*[working(witness)] * 8)
            ready.set()
            for thread in arrivals:
                thread.join(60)
        together(*[working(witness)] * 2)

        assert not Job.objects.exists()
        assert len(witness.order) == 6 * rounds
        assert set(witness.most.values()) == {1}

    def test_a_burst_of_one_key_starves_nobody_and_is_parked_once(
        self, flow: Workflow, settings: Settings
    ) -> None:
        """The claims of a burst, not its ends: how many, and what they write."""
        crowd(flow, 5000, exclusive_key=A)
        last = keyed(flow, B)
        elsewhere = started(publish(given("a")))
        claimer, parks = Claimer(), 0
        found: list[Claim] = []
        with CaptureQueriesContext(connection) as queries:
            while not found or found[-1].parked:
                found.append(claim(32, claimer))
                parks += found[-1].parked

        assert len(found) <= 12
        assert parks == 4999, "each once"
        assert owners(*found) == {flow.pk: 2, elsewhere.workflow_id: 1}
        assert Job.objects.get(run=last).holds_key
        assert len(queries) < 200, "a few a claim, however many jobs there are"
        assert claim(32, claimer).jobs == ()

    def test_the_oldest_is_found_behind_a_window_of_younger_ones(
        self, flow: Workflow
    ) -> None:
        """Shown to fail when only jobs of a key that is held are parked: the younger
        ones fill every claim, and their turn never comes."""
        first = keyed(flow)
        crowd(flow, 100, exclusive_key=A, due_at=Now() - timedelta(hours=1))
        claimer = Claimer()

        assert claim(8, claimer).parked == 100
        assert taken(claim(8, claimer)) == [first.pk]


def working(witness: Witness) -> Callable[[], None]:
    """Claims and ends runs until none is left."""

    def work() -> None:
        claimer = Claimer()
        while Job.objects.exists():
            claimed = claim(4, claimer)
            for job in claimed.jobs:
                witness.begins(str(job.run_id))
            for job in claimed.jobs:
                witness.ends(str(job.run_id))
                finish(Run.objects.get(pk=job.run_id))

    return work

"""An external store is never awaited while a transaction is open (I1, I6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from automate.lib import payloads
from automate.lib.database import write_transaction
from automate.lib.payloads import get_ring, opened, ring
from automate.lib.payloads.memory import MemoryStore
from automate.rotation import rotate
from runs import maintenance
from runs.models import PayloadUse, Run
from runs.services import execute_manually, redrive
from tests.runs.drains import drained
from tests.runs.flows import accepted, again, given, publish, started, step
from tests.runs.payloads.stored import BIG, is_moved

pytestmark = pytest.mark.usefixtures("engine", "limits")


class Watchful(MemoryStore):
    """Remembers what was asked of it while the asking thread had a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.inside: list[str] = []

    def _note(self, what: str) -> None:
        self.calls.append(what)
        if connection.in_atomic_block:
            self.inside.append(what)

    def write(self, reference: UUID, data: bytes) -> None:
        self._note("write")
        super().write(reference, data)

    def get(self, reference: UUID) -> bytes:
        self._note("get")
        return super().get(reference)

    def delete(self, references: Iterable[UUID]) -> None:
        self._note("delete")
        super().delete(references)


@pytest.fixture
def watchful(settings: Settings) -> Iterator[Watchful]:
    """The store that is written to."""
    before = ring._factories["memory"]
    payloads.register("memory", lambda _: Watchful())
    settings.PAYLOAD_STORES = ["memory"]
    store = get_ring().writer
    assert isinstance(store, Watchful)
    yield store
    payloads.register("memory", before)


def test_no_call_happens_inside_a_transaction(
    watchful: Watchful, settings: Settings
) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        given("bad", x="{{ steps.first.copy.nothing.there }}"),
    )
    good = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        output="{{ steps.first.copy }}",
    )
    run = started(workflow, {"text": BIG})
    execute_manually(good, {"text": BIG}, None)
    drained()
    redrive(again(run), by=None, start="failed")
    drained()
    settings.FIELD_ENCRYPTION_KEYS = ["another", *settings.FIELD_ENCRYPTION_KEYS]
    list(rotate(batch=10))
    maintenance.purge(now=timezone.now() + timedelta(days=60))

    assert {"write", "get", "delete"} == set(watchful.calls)
    assert watchful.inside == []
    assert not Run.objects.exists()


def test_in_the_callers_transaction_a_large_body_stays_in_its_row(
    watchful: Watchful,
) -> None:
    workflow = publish(given("a", copy="{{ trigger.payload.text }}"))

    with write_transaction():
        accepted(workflow, {"text": BIG})

    assert watchful.calls == []
    run = Run.objects.get()
    assert not is_moved(run, "body")
    drained()
    assert opened(step(run, "a").output) == {"copy": BIG}


def test_the_store_is_durable_before_the_row_is(watchful: Watchful) -> None:
    """At the moment of the put nobody sees a run that would need it."""
    seen: list[bool] = []
    write = watchful.write

    def watched(reference: UUID, data: bytes) -> None:
        seen.append(Run.objects.exists())
        write(reference, data)

    watchful.write = watched  # type: ignore[method-assign]

    started(publish(given("a", n=1)), {"text": BIG})

    assert seen == [False]


def test_a_small_event_takes_no_further_query(
    watchful: Watchful,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
    is_sqlite: bool,
) -> None:
    workflow = publish(given("a", n=1))
    statements = 4 if is_sqlite else 1  # with BEGIN

    with django_assert_num_queries(statements):
        accepted(workflow, {"text": "small"})

    assert watchful.calls == []
    assert not PayloadUse.objects.exists()


def test_runs_without_large_values_are_worked_off_without_a_look_at_payloads(
    watchful: Watchful, caplog: pytest.LogCaptureFixture
) -> None:
    from django.test.utils import CaptureQueriesContext

    from tests.runs.drains import Hand

    run = started(publish(given("a", n=1), given("b", n="{{ steps.a.n }}")), {"n": 1})
    hand = Hand()
    with CaptureQueriesContext(connection) as queries:
        hand.claim()
        hand.finish()
    hand.close()

    assert again(run).status == "succeeded"
    assert not [one for one in queries if "runs_payload" in one["sql"]]

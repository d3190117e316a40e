"""accept: an event becomes a run once, and the run is on disk."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from automate.accounts.models import AuditEntry
from runs import services
from runs.models import IdempotencyKey, Job, Run
from runs.services import Dedupe, Event, NotRunnable, Target, accept, execute_manually
from runs.services.store import key_hash
from runs.states import RunStatus
from tests.makers import make_user
from tests.runs.drains import together
from tests.runs.flows import accepted, given, publish, started
from workflows.models import Workflow


@pytest.fixture
def workflow() -> Workflow:
    return publish(given("a"))


def dedupe(key: str = "evt-1", body: str = "b1", **changes: object) -> Dedupe:
    fields: dict[str, object] = {"scope": "trigger:1", "key": key, "body_hash": body}
    return Dedupe(**{**fields, **changes})  # type: ignore[arg-type]


class TestDurability:
    """I1: a 2xx means that the run is committed."""

    def test_a_commit_reaches_the_disk_before_it_is_answered(self) -> None:
        """Shown to fail with `synchronous=NORMAL` in the settings of SQLite, and with
        `ALTER DATABASE ... SET synchronous_commit = off` on PostgreSQL."""
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA journal_mode")
                assert cursor.fetchone()[0] == "wal"
                cursor.execute("PRAGMA synchronous")
                assert cursor.fetchone()[0] == 2  # FULL
                return
            for name in ("synchronous_commit", "fsync", "full_page_writes"):
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone()[0] == "on"

    def test_a_run_is_committed_when_accept_returns(self, workflow: Workflow) -> None:
        """Shown to fail when `accept` leaves a transaction open."""
        run_id = accepted(workflow).run_id
        assert not connection.in_atomic_block

        (seen,) = together(lambda: Run.objects.filter(pk=run_id, job__seq=0).exists())

        assert seen

    def test_a_failed_accept_leaves_nothing(self, workflow: Workflow) -> None:
        key = dedupe(scope="s" * 200) if connection.vendor != "sqlite" else dedupe()
        target = Target(workflow.pk, uuid4())  # no such version
        with pytest.raises(DatabaseError):
            accept(target, Event(), key)

        assert not Run.objects.exists()
        assert not Job.objects.exists()
        assert not IdempotencyKey.objects.exists()


class TestTheRun:
    def test_it_is_queued_due_now_and_pinned(self, workflow: Workflow) -> None:
        before = timezone.now()
        run = started(workflow, {"n": 1})

        assert run.status == RunStatus.QUEUED
        assert run.version_id == workflow.published_id
        assert run.deadline is not None
        lasts = run.deadline - run.created_at
        assert lasts == timedelta(seconds=workflow.run_timeout)
        assert abs(run.created_at - before) < timedelta(seconds=30)
        job = Job.objects.get(run=run)
        assert (job.priority, job.seq, job.lease_token) == (2, 0, None)
        assert Job.objects.filter(pk=job.pk, due_at__lte=Now()).exists()

    def test_the_event_is_kept_exactly(self, workflow: Workflow) -> None:
        assert workflow.published_id is not None
        event = Event(
            body=b'\x00\xff{"a": "\\u0000"} ',
            content_type="application/octet-stream",
            headers={"x-github-event": "push"},
            query={"a": ["1", "2"]},
            event_id="evt-1",
            source_ip="2001:db8::1",
            traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        )
        target = Target(workflow.pk, workflow.published_id, 60, start=["a"])
        run = Run.objects.get(
            pk=accept(
                target, event, variables={"v": 1}, search_keys={"order": "7"}
            ).run_id
        )

        assert (run.body, run.content_type) == (event.body, event.content_type)
        assert (run.headers, run.query) == (event.headers, event.query)
        assert (run.event_id, run.source_ip) == ("evt-1", "2001:db8::1")
        assert run.traceparent == event.traceparent
        assert (run.start, run.variables) == (["a"], {"v": 1})
        assert run.search_keys == {"order": "7"}

    def test_what_was_sent_is_encrypted_at_rest(self, workflow: Workflow) -> None:
        assert workflow.published_id is not None
        canary = "canary-4711"
        event = Event(
            body=canary.encode(), headers={"x-a": canary}, query={"q": canary}
        )
        target = Target(workflow.pk, workflow.published_id)
        accept(target, event, variables={"v": canary})

        with connection.cursor() as cursor:
            cursor.execute("SELECT body, headers, query, variables FROM runs_run")
            stored = b"".join(bytes(value) for value in cursor.fetchone())
        assert canary.encode() not in stored


class TestIdempotency:
    def test_the_same_event_again_is_the_first_run(self, workflow: Workflow) -> None:
        first = accepted(workflow, dedupe=dedupe())
        second = accepted(workflow, dedupe=dedupe())

        assert (first.duplicate, second.duplicate) == (False, True)
        assert second.run_id == first.run_id
        assert not second.conflict
        assert Run.objects.count() == Job.objects.count() == 1

    def test_the_same_key_with_another_body_is_a_conflict(
        self, workflow: Workflow
    ) -> None:
        first = accepted(workflow, dedupe=dedupe())
        second = accepted(workflow, dedupe=dedupe(body="b2"))

        assert (second.conflict, second.duplicate) == (True, False)
        assert second.run_id == first.run_id
        assert Run.objects.count() == 1

    def test_another_scope_is_another_event(self, workflow: Workflow) -> None:
        first = accepted(workflow, dedupe=dedupe())
        second = accepted(workflow, dedupe=dedupe(scope="trigger:2"))

        assert second.run_id != first.run_id
        assert not second.duplicate

    def test_an_expired_key_is_taken_anew(self, workflow: Workflow) -> None:
        first = accepted(workflow, dedupe=dedupe())
        IdempotencyKey.objects.update(expires_at=Now() - timedelta(seconds=1))
        second = accepted(workflow, dedupe=dedupe(body="b2"))
        third = accepted(workflow, dedupe=dedupe(body="b2"))

        assert second.run_id != first.run_id
        assert (third.run_id, third.duplicate) == (second.run_id, True)
        key = IdempotencyKey.objects.get()
        assert (key.run_id, key.body_hash) == (second.run_id, "b2")
        assert key.expires_at > timezone.now() + timedelta(days=29)

    def test_a_key_outlives_its_run(self, workflow: Workflow) -> None:
        first = accepted(workflow, dedupe=dedupe())
        Run.objects.all().delete()

        assert accepted(workflow, dedupe=dedupe()).run_id == first.run_id

    def test_a_key_purged_between_two_looks_starts_a_run(
        self, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        accepted(workflow, dedupe=dedupe())
        real = services.accept.__globals__["_first_run"]

        def purged_before(key: Dedupe) -> object:
            IdempotencyKey.objects.all().delete()
            return real(key)

        monkeypatch.setitem(services.accept.__globals__, "_first_run", purged_before)

        assert not accepted(workflow, dedupe=dedupe()).duplicate
        assert Run.objects.count() == 2

    def test_senders_keys_are_stored_as_hashes(self, workflow: Workflow) -> None:
        accepted(workflow, dedupe=dedupe(key="x" * 5000 + "\ud800"))

        assert IdempotencyKey.objects.get().key_hash == key_hash("x" * 5000 + "\ud800")

    def test_a_scope_is_never_null(self) -> None:
        """NULLs never conflict: with them every event would be the first."""
        with pytest.raises(IntegrityError), transaction.atomic():
            IdempotencyKey.objects.create(
                scope=None,  # type: ignore[misc]
                key_hash="k",
                body_hash="b",
                run_id=uuid4(),
                expires_at=timezone.now(),
            )

    def test_of_many_at_once_one_starts_a_run(self, workflow: Workflow) -> None:
        """Shown to fail when `accept` looks for the key first and inserts then."""
        for number in range(5):
            key = dedupe(key=f"evt-{number}")
            answers = together(*[lambda key=key: accepted(workflow, dedupe=key)] * 8)

            assert sum(not item.duplicate for item in answers) == 1
            assert len({item.run_id for item in answers}) == 1
        assert Run.objects.count() == Job.objects.count() == 5

    def test_of_many_at_once_one_takes_an_expired_key(self, workflow: Workflow) -> None:
        accepted(workflow, dedupe=dedupe())
        IdempotencyKey.objects.update(expires_at=Now() - timedelta(seconds=1))

        answers = together(*[lambda: accepted(workflow, dedupe=dedupe())] * 8)

        assert sum(not item.duplicate for item in answers) == 1
        assert Run.objects.count() == 2


class TestManually:
    def test_it_starts_the_published_version_and_says_who(self) -> None:
        workflow = publish(given("a"), variables={"v": 1})
        by = make_user()
        run_id = execute_manually(workflow, {"n": 1}, by, {"v": 2}).run_id

        run = Run.objects.get(pk=run_id)
        assert services.trigger_payload(run) == {"n": 1}
        assert run.variables == {"v": 2}
        entry = AuditEntry.objects.get(action="run.start")
        assert entry.changes == {"run": str(run_id)}

    @pytest.mark.parametrize("status", ["inactive", "archived"])
    def test_only_an_active_workflow_starts(
        self, workflow: Workflow, status: str
    ) -> None:
        workflow.status = status
        with pytest.raises(NotRunnable, match=status) as refusal:
            execute_manually(workflow, None, None)
        assert refusal.value.code == "WORKFLOW_NOT_RUNNABLE"
        assert not Run.objects.exists()

    def test_nothing_published_cannot_start(self) -> None:
        draft = Workflow.objects.create(slug="d", name="D")
        with pytest.raises(NotRunnable, match="publish it first"):
            execute_manually(draft, None, None)

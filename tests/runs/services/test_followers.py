"""Each end of a run starts what asks for it: once, never in circles, within a team."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automate.accounts.models import Team
from runs.engine.payload import trigger_payload
from runs.models import FinishedRun, Job, Run, RunLog
from runs.services import cancel, followers, redrive
from runs.services.followers import MOST_CAUSES, start_followers
from tests.makers import make_run, make_step, make_workflow
from tests.runs.drains import drained, together
from tests.runs.flows import given, node, publish, started
from workflows.models import Trigger, Workflow


def listening(
    workflow: Workflow | None = None, /, **config: Any
) -> tuple[Workflow, Trigger]:
    """A workflow that starts at the ends that this config lets through."""
    workflow = workflow or publish(given("note", status="{{ trigger.payload.status }}"))
    trigger = Trigger.objects.create(
        workflow=workflow, kind="run_finished", config=config
    )
    return workflow, trigger


def ended(
    workflow: Workflow | None = None, status: str = "succeeded", **fields: Any
) -> Run:
    """A run that has ended, and the note of it."""
    run = make_run(workflow, status=status, **fields)
    FinishedRun.objects.create(run=run)
    return run


def runs_of(workflow: Workflow) -> list[Run]:
    return list(Run.objects.filter(workflow=workflow).order_by("id"))


@pytest.fixture
def source(db: None) -> Workflow:
    return make_workflow(slug="orders", name="Orders")


def test_the_end_of_a_run_starts_what_asks_for_it(source: Workflow) -> None:
    listener, trigger = listening()
    first = ended(source)
    start_followers()
    [run] = runs_of(listener)
    assert (run.trigger, run.caused_by, run.status) == (trigger, first, "queued")
    assert run.event_id == str(first.pk)
    assert Job.objects.filter(run=run).exists()
    assert not FinishedRun.objects.exists()


def test_the_payload_tells_of_the_run_and_holds_none_of_its_data(
    source: Workflow,
) -> None:
    listener, _ = listening()
    began = timezone.now() - timedelta(seconds=8)
    run = ended(
        source,
        "failed",
        payload={"canary": "in the body"},
        variables={"canary": 1},
        output={"canary": 2},
        headers={"canary": "3"},
        search_keys={"order": "17"},
        started_at=began,
        finished_at=began + timedelta(seconds=2.5),
        error_class="wait_timeout",
        error_message="Nobody came.",
        error_fingerprint="0123",
        stopped_by=["only-large"],
    )
    start_followers()
    [follower] = runs_of(listener)
    assert b"canary" not in follower.body
    assert trigger_payload(follower) == {
        "type": "workflow.completed",
        "run_id": str(run.pk),
        "workflow": "orders",
        "workflow_name": "Orders",
        "version": 1,
        "status": "failed",
        "trigger": None,
        "search_keys": {"order": "17"},
        "created_at": run.created_at.isoformat(),
        "started_at": began.isoformat(),
        "finished_at": (began + timedelta(seconds=2.5)).isoformat(),
        "duration": 2.5,
        "stopped_by": ["only-large"],
        "error": {
            "class": "wait_timeout",
            "message": "Nobody came.",
            "fingerprint": "0123",
        },
    }


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({}, 1),
        ({"workflows": ["orders"], "statuses": ["succeeded"]}, 1),
        ({"workflows": ["other"]}, 0),
        ({"statuses": ["failed", "cancelled"]}, 0),
        ({"condition": "{{ trigger.payload.workflow }} == 'orders'"}, 1),
        ({"condition": "{{ trigger.payload.error.class }} == 'x'"}, 0),
        ({"condition": "{{ trigger.payload.nothing }}"}, 0),
    ],
)
def test_ends_are_filtered(source: Workflow, config: Any, count: int) -> None:
    listener, _ = listening(None, **config)
    ended(source)
    start_followers()
    assert len(runs_of(listener)) == count
    assert not FinishedRun.objects.exists()


@pytest.mark.parametrize(
    ("of_run", "of_trigger", "told"),
    [
        (None, None, True),
        (None, "a", True),
        ("a", "a", True),
        ("a", "b", False),
        ("a", None, False),
    ],
)
@pytest.mark.django_db
def test_a_teams_runs_are_told_within_the_team(
    of_run: str | None, of_trigger: str | None, told: bool
) -> None:
    teams = {name: Team.objects.create(name=name, slug=name) for name in "ab"}
    listener, _ = listening(
        publish(given("note", a=1), team=teams.get(of_trigger or ""))
    )
    ended(make_workflow(team=teams.get(of_run or "")))
    start_followers()
    assert len(runs_of(listener)) == int(told)


def test_each_trigger_that_asks_gets_a_run_of_its_own(source: Workflow) -> None:
    listener, _ = listening()
    listening(listener, statuses=["succeeded"])
    other, _ = listening()
    ended(source)
    ended(source)
    start_followers()
    assert (len(runs_of(listener)), len(runs_of(other))) == (4, 2)


@pytest.mark.parametrize("status", ["inactive", "archived", "draft"])
def test_what_takes_no_events_is_not_started(source: Workflow, status: str) -> None:
    listener, _ = listening()
    Workflow.objects.filter(pk=listener.pk).update(status=status)
    off, trigger = listening()
    Trigger.objects.filter(pk=trigger.pk).update(is_active=False)
    ended(source)
    start_followers()
    assert runs_of(listener) == runs_of(off) == []


def test_a_workflow_does_not_follow_its_own_runs(db: None) -> None:
    listener, _ = listening()
    ended(listener)
    start_followers()
    assert len(runs_of(listener)) == 1


def test_what_a_workflow_caused_does_not_start_it_again(source: Workflow) -> None:
    one, _ = listening()
    two, _ = listening()
    first = ended(one)
    second = ended(two, caused_by=first)
    # Through whatever it was started: a redrive, and a child run of that.
    third = ended(two, replay_of=second)
    child = ended(source, parent=third, parent_node="call")
    start_followers()
    assert [run.caused_by for run in runs_of(one)[1:]] == []
    causes = {run.caused_by_id for run in runs_of(two)}
    assert causes == {None, first.pk}, "only the end that it had no part in"
    assert child.pk not in causes


def test_a_chain_of_ends_stops_at_its_limit(source: Workflow) -> None:
    listener, _ = listening()
    run = make_run(source, status="succeeded")
    for _ in range(MOST_CAUSES - 1):
        run = make_run(make_workflow(), status="succeeded", caused_by=run)
    FinishedRun.objects.create(run=run)
    last = make_run(make_workflow(), status="succeeded", caused_by=run)
    start_followers()
    assert len(runs_of(listener)) == 1
    FinishedRun.objects.create(run=last)
    start_followers()
    assert len(runs_of(listener)) == 1


def test_items_of_a_loop_are_not_told_and_called_workflows_are(
    source: Workflow,
) -> None:
    listener, _ = listening()
    parent = make_run(source, status="running")
    make_step(parent, "each", kind="for_each", status="running")
    make_step(parent, "call", kind="run_workflow", status="running")
    ended(source, parent=parent, parent_node="each", item_index=0)
    called = ended(make_workflow(), parent=parent, parent_node="call", item_index=0)
    start_followers()
    assert [run.caused_by for run in runs_of(listener)] == [called]
    assert not FinishedRun.objects.exists()


def test_a_trigger_that_cannot_start_disturbs_no_other(
    source: Workflow, caplog: pytest.LogCaptureFixture
) -> None:
    broken, _ = listening(publish(given("a", b=1), exclusive="{{ 1 / 0 }}"))
    sound, _ = listening()
    run = ended(source)
    with caplog.at_level(logging.ERROR, "runs"):
        start_followers()
    assert (len(runs_of(broken)), len(runs_of(sound))) == (0, 1)
    assert "did not start" in caplog.text
    assert "could not start after this run" in RunLog.objects.get(run=run).message
    assert not FinishedRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_crash_before_the_commit_repeats_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = make_workflow()
    listener, _ = listening()
    ended(source)

    class Killed(BaseException):
        """As if the process had ended here."""

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "on_commit", killed)  # after the run is written
        with pytest.raises(Killed):
            start_followers()
    assert runs_of(listener) == []
    assert FinishedRun.objects.count() == 1
    start_followers()
    start_followers()
    assert len(runs_of(listener)) == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_tell_each_end_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "BATCH", 3)
    source = make_workflow()
    listener, _ = listening()
    runs = {ended(source).pk for _ in range(40)}

    def work() -> None:
        while FinishedRun.objects.exists():
            start_followers()

    together(*[work] * 5)
    causes = [run.caused_by_id for run in runs_of(listener)]
    assert len(causes) == 40
    assert set(causes) == runs


def test_ends_are_noted_only_where_a_trigger_asks(engine: Any) -> None:
    workflow = publish(given("a", b=1))
    started(workflow)
    drained()
    assert not FinishedRun.objects.exists()
    _, trigger = listening()
    run = started(workflow)
    drained()
    assert FinishedRun.objects.get().run == run
    Trigger.objects.filter(pk=trigger.pk).update(is_active=False)
    started(workflow)
    drained()
    assert FinishedRun.objects.count() == 1


def test_whichever_way_a_run_ends_it_is_told_once(engine: Any) -> None:
    listener, _ = listening()
    good = publish(given("a", b=1))
    bad = publish(given("a", b="{{ trigger.payload.missing }}"))
    waits = publish(node("wait", "delay", {"duration": "1h"}))
    ends = {
        started(good).pk: "succeeded",
        started(bad, {}).pk: "failed",
    }
    cancelled = started(waits)
    assert cancel(cancelled, by=None)
    ends[cancelled.pk] = "cancelled"
    drained(
        lambda: Run.objects.filter(workflow=listener, status="succeeded").count() == 3,
        count=2,
        within=60,
        chores=(start_followers,),
    )
    told = {
        run.caused_by_id: trigger_payload(run)["status"] for run in runs_of(listener)
    }
    assert told == ends
    # A redrive is a run of its own, and tells of its end too.
    again = redrive(Run.objects.get(pk=cancelled.pk), by=None)
    assert cancel(again, by=None)
    start_followers()
    assert runs_of(listener)[-1].caused_by == again


class TestCost:
    def test_more_ends_take_only_what_storing_their_runs_takes(
        self, source: Workflow
    ) -> None:
        """A savepoint and the run's own statements; nothing is read once for each."""
        listening()

        def asked(count: int) -> int:
            parent = make_run(source, status="succeeded")
            for _ in range(count):
                ended(source, caused_by=parent, root_run=parent)
            with CaptureQueriesContext(connection) as queries:
                start_followers()
            reads = [
                query["sql"]
                for query in queries
                if query["sql"].lstrip().startswith(("SELECT", "WITH RECURSIVE"))
            ]
            return len(reads)

        asked(1)
        assert asked(10) == asked(1)

    def test_payloads_of_ended_runs_are_not_loaded(self, source: Workflow) -> None:
        listening()
        ended(source, body=b"x" * 1000, output={"y": 1})
        with CaptureQueriesContext(connection) as queries:
            start_followers()
        reads = [q["sql"] for q in queries if q["sql"].startswith("SELECT")]
        runs = [sql for sql in reads if 'FROM "runs_run"' in sql]
        assert runs
        for name in ("body", "headers", "output", "variables"):
            assert not any(f'"runs_run"."{name}"' in sql for sql in runs), name
        assert not any('"workflows_workflowversion"."definition"' in s for s in runs)

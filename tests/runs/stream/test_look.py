"""The statement that asks for all viewers, on the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.models import Job, Run, RunLog
from runs.stream.look import NEWEST, NEWEST_RUNS, Known, Row, look
from tests.makers import make_attempt, make_job, make_run, make_step, make_workflow

pytestmark = pytest.mark.django_db
LATE = 10.0


def parts(rows: list[Row]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda row: row.number):
        found.setdefault(row.part, []).append(row.data)
    return found


def stamp_of(run: Run) -> str:
    (row,) = [one for one in look({run.pk: Known()}, [], LATE) if one.part == "run"]
    return str(row.data["stamp"])


def test_a_run_is_told_with_all_that_belongs_to_it() -> None:
    run = make_run(status="running")
    make_job(run, due_in=-60, lease_token=None)
    step = make_step(run, "send", due_at=timezone.now())
    attempt = make_attempt(step)
    line = RunLog.objects.create(run=run, node_id="send", message="a secret word")

    rows = look({run.pk: Known()}, [], LATE)

    assert {row.topic for row in rows} == {run.pk}
    told = parts(rows)
    shown = told["run"][0]
    assert (shown["id"], shown["status"], shown["error"]) == (
        str(run.pk),
        "running",
        None,
    )
    assert shown["created_at"].endswith("Z")
    assert shown["stopped_by"] == []
    (sent,) = told["step"]
    assert (sent["id"], sent["status"], sent["attempt"]) == ("send", "succeeded", 1)
    assert sent["due_at"].endswith("Z")
    assert told["attempt"][0]["id"] == attempt.pk
    assert told["attempt"][0]["response_status"] == 200
    assert told["log"] == [
        {"id": line.pk, "at": told["log"][0]["at"], "level": "info", "step": "send"}
    ]
    # Texts would have to be redacted, and are not here.
    assert "secret" not in str(rows)
    assert "crm.example.com" not in str(rows)


def test_errors_are_told_by_class_and_fingerprint() -> None:
    run = make_run(
        status="failed",
        error_class="http_500",
        error_message="no",
        error_fingerprint="f0",
    )
    make_step(run, status="failed", error_class="http_500", error_message="no")

    told = parts(look({run.pk: Known()}, [], LATE))

    assert told["run"][0]["error"] == {"class": "http_500", "fingerprint": "f0"}
    assert told["step"][0]["error"] == {"class": "http_500"}


def test_a_run_that_is_as_it_was_is_not_told() -> None:
    run = make_run(status="running")
    make_job(run)
    make_step(run)

    assert look({run.pk: Known(stamp_of(run))}, [], LATE) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 1}, {"signal_count": 1}, {"due_at": None},
        {"lease_token": UUID(int=7), "lease_until": timezone.now()},
    ],
    ids=["a record", "an answer", "a wait", "a claim"],
)  # fmt: skip
def test_whatever_the_engine_does_changes_the_stamp(change: dict[str, Any]) -> None:
    run = make_run(status="running")
    job = make_job(run, due_in=-1)
    before = stamp_of(run)
    if "due_at" in change:
        change = {"due_at": timezone.now() + timedelta(hours=1)}
    Job.objects.filter(pk=job.pk).update(**change)

    assert stamp_of(run) != before


def test_a_heartbeat_changes_nothing() -> None:
    run = make_run(status="running")
    job = make_job(run, lease_token=UUID(int=7), lease_until=timezone.now())
    before = stamp_of(run)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())

    assert stamp_of(run) == before


def test_a_run_that_waits_is_told_as_waiting() -> None:
    run = make_run(status="running")
    make_job(run, due_in=3600)

    assert parts(look({run.pk: Known()}, [], LATE))["run"][0]["status"] == "waiting"


def test_attempts_and_lines_are_told_from_where_one_was_and_the_newest() -> None:
    run = make_run(status="running")
    step = make_step(run)
    attempts = [make_attempt(step, number).pk for number in range(1, 5)]
    RunLog.objects.bulk_create(RunLog(run=run, message="x") for _ in range(NEWEST + 20))
    lines = list(RunLog.objects.order_by("pk").values_list("pk", flat=True))

    told = parts(look({run.pk: Known("", attempts[1])}, [], LATE))

    assert [row["id"] for row in told["attempt"]] == attempts[2:]
    assert [row["id"] for row in told["log"]] == lines[-NEWEST:]
    told = parts(look({run.pk: Known("", 0, lines[-3])}, [], LATE))
    assert [row["id"] for row in told["log"]] == lines[-2:]


def test_a_workflow_is_told_by_its_newest_runs_and_those_that_ended() -> None:
    workflow, other = make_workflow(), make_workflow()
    old = make_run(workflow, status="running")
    long_ago = make_run(workflow, status="succeeded")
    past = timezone.now() - timedelta(hours=1)
    Run.objects.filter(pk=long_ago.pk).update(finished_at=past)
    newest = [make_run(workflow) for _ in range(NEWEST_RUNS)]
    make_run(other)

    def told() -> set[str]:
        rows = look({}, [workflow.pk], LATE)
        assert {(row.topic, row.part) for row in rows} == {(workflow.pk, "run")}
        return {row.data["id"] for row in rows}

    assert told() == {str(run.pk) for run in newest}
    Run.objects.filter(pk=old.pk).update(status="failed", finished_at=timezone.now())
    assert told() == {str(run.pk) for run in [old, *newest]}


def test_everything_is_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    flows = [make_workflow() for _ in range(3)]
    runs = [make_run(flow, status="running") for flow in flows for _ in range(20)]
    for run in runs:
        make_attempt(make_step(run))

    with django_assert_num_queries(1):
        rows = look(
            {run.pk: Known() for run in runs}, [flow.pk for flow in flows], LATE
        )

    assert {row.topic for row in rows} == {one.pk for one in [*runs, *flows]}

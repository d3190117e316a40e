"""What is known of a run's answer."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from automate.lib.ids import uuid7
from runs.models import Run, StepRun
from runs.services.answer import Answer, answer_of, answered
from runs.services.errors import AnswerUnreadable
from runs.states import FINAL_RUN, RunStatus
from tests.makers import make_run, make_step

pytestmark = pytest.mark.django_db

SAID = {"status": 201, "headers": {"X-A": "1"}, "body": {"ok": True}}


def said(run: Run, output: Any = SAID, **fields: Any) -> StepRun:
    fields = {"kind": "respond", "status": "succeeded", **fields}
    return make_step(run, output=output, **fields)


def test_nothing_is_known_of_a_run_that_was_purged() -> None:
    assert answer_of(uuid7()) is None


@pytest.mark.parametrize("status", sorted(set(RunStatus) - FINAL_RUN))
def test_a_run_under_way_has_no_answer(status: RunStatus) -> None:
    run = make_run(status=status)
    make_step(run, kind="set", status="succeeded", output={"status": 200})
    said(run, None, node_id="r", status="running")
    assert answer_of(run.pk) == Answer(run.pk, status)
    assert answered([run.pk]) == []


def test_a_respond_step_answers_while_the_run_goes_on() -> None:
    run = make_run(status="running")
    said(run)
    found = answer_of(run.pk)
    assert found == Answer(run.pk, RunStatus.RUNNING, SAID)
    assert found is not None
    assert found.is_there
    assert not found.has_ended
    assert answered([run.pk]) == [run.pk]


def test_of_several_the_first_counts() -> None:
    run = make_run(status="running")
    said(run, {**SAID, "body": 2}, node_id="b", finished_at="2026-01-01T00:00:02Z")
    said(run, {**SAID, "body": 1}, node_id="a", finished_at="2026-01-01T00:00:01Z")
    found = answer_of(run.pk)
    assert found is not None
    assert found.said == {**SAID, "body": 1}


@pytest.mark.parametrize("status", sorted(FINAL_RUN))
def test_a_run_that_has_ended_answers_with_its_output(status: RunStatus) -> None:
    run = make_run(status=status, output={"n": 1})
    assert answer_of(run.pk) == Answer(run.pk, status, None, {"n": 1})
    assert answered([run.pk, uuid7()]) == [run.pk]


def test_what_cannot_be_decrypted_is_an_error_that_names_the_run(
    settings: Settings,
) -> None:
    run = make_run(status="succeeded")
    said(run)
    settings.FIELD_ENCRYPTION_KEYS = ["another ring that never wrote anything"]
    with pytest.raises(AnswerUnreadable, match=f"{run.pk}.*unreadable") as caught:
        answer_of(run.pk)
    assert caught.value.run_id == run.pk


def test_an_answer_that_is_no_object_is_an_error() -> None:
    run = make_run(status="running")
    said(run, "no object")
    with pytest.raises(AnswerUnreadable, match="no object"):
        answer_of(run.pk)


def test_many_are_asked_for_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    runs = [make_run(status="running") for _ in range(20)]
    said(runs[3])
    with django_assert_num_queries(1):
        assert answered([run.pk for run in runs]) == [runs[3].pk]
    with django_assert_num_queries(0):
        assert answered([]) == []


def test_a_run_without_an_answer_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    run = make_run(status="running")
    with django_assert_num_queries(1):
        found = answer_of(run.pk)
    assert found == Answer(run.pk, RunStatus.RUNNING)

"""What waits is said in words: for whom or what, and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse

from runs.engine.sql import FAR
from runs.models import Job, Run, StepRun
from runs.services.holdups import run_waits, step_waits
from tests.admin_world import boss, flow, signed_in
from tests.makers import make_job, make_run, make_step, make_workflow
from tests.runs.flows import call, given, loop, publish

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def page(run: Run) -> str:
    response = signed_in(boss()).get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert response.status_code == 200
    return str(response.content.decode())


def waiting(waiting_for: str, **fields: Any) -> StepRun:
    return StepRun(status="waiting", waiting_for=waiting_for, due_at=AT, **fields)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            waiting("retry", attempt=2),
            "Waits to try again at 2026-03-01 12:30:00 UTC; that will be attempt 3.",
        ),
        (
            waiting("retry", attempt=1, interrupted=True),
            "Nobody knows what became of its request. Looks again at 2026-03-01 "
            "12:30:00 UTC: it is verified, or sent again under the same key.",
        ),
        (
            waiting("breaker"),
            "Held back, because its connection has failed too often: its breaker is "
            "open. Looks again at 2026-03-01 12:30:00 UTC; that uses up no attempt.",
        ),
        (
            waiting("signal", kind="http_request", error_message="It is not known"),
            "Waits until 2026-03-01 12:30:00 UTC for somebody to say what became of "
            "its request.",
        ),
        (waiting("time"), "Waits until 2026-03-01 12:30:00 UTC."),
        (
            waiting("signal", kind="approval"),
            "Waits for a decision until 2026-03-01 12:30:00 UTC, then it times out.",
        ),
        (
            waiting("signal", kind="wait_for_webhook"),
            "Waits for a call of its address until 2026-03-01 12:30:00 UTC, then it "
            "times out.",
        ),
        (
            waiting("permit"),
            "Waits for a permit of its connection, whose rate is limited, until "
            "2026-03-01 12:30:00 UTC.",
        ),
        (
            waiting("children", children_left=3),
            "Waits for its child runs: 3 have not ended.",
        ),
        (StepRun(status="running", due_at=AT), ""),
        (StepRun(status="succeeded", waiting_for="time", due_at=AT), ""),
    ],
)
def test_a_step_says_what_it_waits_for(step: StepRun, words: str) -> None:
    assert step_waits(step) == words


def test_a_limited_connection_is_named() -> None:
    config = {"connection": "crm", "url": "/in"}
    run = make_run(publish(call("tell", "", config=config)), status="running")
    make_step(run, "tell", status="waiting", waiting_for="permit", due_at=AT)
    assert "Waits for a permit of connection crm, whose rate is limited" in page(run)


def test_a_loop_says_how_many_of_its_items_have_ended() -> None:
    flow = publish(loop("each", [1, 2, 3], given("a", x=1)))
    run = make_run(flow, status="running")
    make_step(
        run, "each", kind="for_each", status="waiting", waiting_for="children",
        children_left=2,
    )  # fmt: skip
    for index in range(3):
        status = "succeeded" if index == 0 else "running"
        make_run(flow, parent=run, parent_node="each", item_index=index, status=status)
    text = page(run)
    assert "Waits for its child runs: 1 of 3 have ended." in text
    assert "1 succeeded</a>" in text
    assert "2 under way</a>" in text


def test_the_steps_of_a_body_have_their_names_on_the_pages_of_items() -> None:
    body = {**given("a", x=1), "name": "Tell them"}
    run = make_run(publish(loop("each", [1], body)), status="running")
    make_step(run, "a", kind="set")
    assert ">Tell them</a>" in page(run)


class TestARunInALine:
    def parked(self) -> tuple[Run, Run]:
        flow = make_workflow()
        ahead, behind = make_run(flow, status="running"), make_run(flow)
        make_job(ahead, exclusive_key="k", holds_key=True)
        make_job(behind, exclusive_key="k")
        Job.objects.filter(run=behind).update(due_at=FAR)
        behind.refresh_from_db()
        return ahead, behind

    def test_behind_another_of_the_same_exclusive_value_names_that(self) -> None:
        ahead, behind = self.parked()
        text = page(behind)
        assert "Stands behind another run with the same exclusive value" in text
        assert reverse("admin:runs_run_change", args=(ahead.pk,)) in text
        assert "9999" not in text
        assert run_waits(ahead) is None

    def test_while_nobody_holds_the_value_there_is_none_to_name(self) -> None:
        ahead, behind = self.parked()
        Job.objects.filter(run=ahead).delete()
        waits = run_waits(behind)
        assert waits is not None
        assert waits.run_id is None

    def test_a_held_back_item_says_so(self) -> None:
        parent = make_run(status="running")
        item = make_run(
            parent.workflow, parent=parent, parent_node="each", item_index=0
        )
        make_job(item)
        Job.objects.filter(run=item).update(due_at=FAR)
        assert "its loop runs only so many items at once" in page(item)

    def test_where_all_places_are_taken_it_waits_for_its_turn(self) -> None:
        flow = make_workflow(max_concurrent_runs=1)
        busy, queued = make_run(flow, status="running"), make_run(flow)
        make_job(busy, holds_slot=True)
        make_job(queued)
        assert "the workflow runs at most 1 at once, and 1 are under way." in page(
            queued
        )
        Job.objects.filter(run=busy).update(holds_slot=False)
        assert run_waits(Run.objects.get(pk=queued.pk)) is None

    def test_one_that_ended_or_runs_waits_for_nothing(self) -> None:
        assert run_waits(make_run(status="failed")) is None
        run = make_run()
        make_job(run)
        assert run_waits(run) is None


def test_what_stopped_a_run_is_said_by_its_name() -> None:
    node = {**given("big", x=1), "name": "Only big orders"}
    run = make_run(publish(node), status="succeeded", stopped_by=["big"])
    assert "Only big orders did not let it pass" in page(run)


def test_a_run_that_another_one_s_end_started_links_it() -> None:
    cause = make_run(flow(), status="failed")
    run = make_run(cause.workflow, caused_by=cause)
    text = page(run)
    assert "because of the end of" in text
    assert reverse("admin:runs_run_change", args=(cause.pk,)) in text

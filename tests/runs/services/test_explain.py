"""Why a run is there, what it waits for, how it ended, and what did not run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from automate.accounts.models import ApiKey
from runs import services
from runs.models import Campaign, CampaignRun, Firing, Job, Run, Worker
from runs.services.explain import explain
from runs.services.explained import Explanation, Finding, Part, as_data, as_text
from tests.makers import (
    make_job,
    make_key,
    make_run,
    make_step,
    make_user,
    make_workflow,
)
from tests.runs.flows import call, given, loop, publish
from workflows.models import Trigger, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db


def explained(run: Run) -> Explanation:
    return explain(Run.objects.get(pk=run.pk))


def part(run: Run, title: str) -> dict[str, str]:
    """What each thing that decided said, in this part."""
    for found in explained(run).parts:
        if found.title == title:
            return {item.by: item.why for item in found.findings}
    return {}


def answer(run: Run) -> str:
    return explained(run).answer


class TestOrigin:
    def test_a_person_who_pressed_run_now(self) -> None:
        ann = make_user("ann@example.com")
        accepted = services.execute_manually(make_workflow(), {}, ann)
        run = Run.objects.get(pk=accepted.run_id)
        assert answer(run).startswith("ann@example.com, at ")
        assert answer(run).endswith("started it.")

    def test_a_program_is_named_by_its_key(self) -> None:
        make_key(make_user("bob@example.com"))
        key = ApiKey.objects.get()
        accepted = services.execute_manually(make_workflow(), {}, key)
        run = Run.objects.get(pk=accepted.run_id)
        assert f"bob@example.com with the API key {key.name}" in answer(run)

    def test_a_schedule_with_the_moment_that_it_fired_for(self) -> None:
        flow = make_workflow()
        trigger = Trigger.objects.create(workflow=flow, kind="schedule")
        run = make_run(flow, trigger=trigger)
        moment = timezone.now()
        Firing.objects.create(
            trigger=trigger, slot="2026-10-25T02:30 Europe/Berlin", run=run,
            scheduled_for=moment - timedelta(seconds=30), fired_at=moment,
        )  # fmt: skip
        assert "fired for 2026-10-25T02:30 Europe/Berlin" in answer(run)
        assert "30 seconds late" in answer(run)

    def test_the_end_of_another_run(self) -> None:
        cause = make_run(status="failed")
        run = make_run(cause.workflow, caused_by=cause)
        assert f"The end of run {cause.pk} started it" in answer(run)

    def test_a_step_of_another_run(self) -> None:
        parent = make_run(status="running")
        item = make_run(
            parent.workflow, parent=parent, parent_node="each", item_index=4
        )
        assert f"Step each of run {parent.pk} started it for item 4" in answer(item)

    def test_a_redrive_by_a_person_and_by_a_campaign(self) -> None:
        ann = make_user("ann@example.com")
        old = make_run(status="failed")
        fresh = services.redrive(old, by=ann)
        assert answer(fresh).startswith("ann@example.com, at ")
        assert f"from start, redrove run {old.pk}" in answer(fresh)
        campaign = Campaign.objects.create(created_by=ann, total=1)
        CampaignRun.objects.create(campaign=campaign, run=old, fresh=fresh)
        assert f"Campaign {campaign.pk} of ann@example.com" in answer(fresh)

    def test_what_is_not_known_any_more_is_said(self) -> None:
        assert "is not known any more" in answer(make_run())

    def test_a_newer_version_is_told(self) -> None:
        run = make_run()
        assert part(run, "Why it ran")["version"] == "It runs version 1, the latest."
        newer = WorkflowVersion.objects.create(
            workflow=run.workflow, number=2, definition={"nodes": []}, sha256="1" * 64
        )
        Workflow.objects.update(published=newer)
        assert (
            "another version has been published" in part(run, "Why it ran")["version"]
        )


class TestWaiting:
    def due(self, flow: Workflow | None = None, **fields: Any) -> Run:
        run = make_run(flow)
        make_job(run, due_in=fields.pop("due_in", -1), **fields)
        return run

    def test_its_status_is_the_one_that_its_page_shows(self) -> None:
        run = make_run(status="running")
        make_job(run, due_in=60)
        assert explained(run).subject.endswith(": waiting")
        Job.objects.filter(run=run).update(due_at=run.created_at)
        assert explained(run).subject.endswith(": running")

    def test_its_place_in_the_queue(self) -> None:
        first, second = self.due(due_in=-10), self.due(due_in=-5)
        urgent = self.due(priority=0, due_in=-1)
        place = "It is due, with {} other(s) before it in the queue."
        assert part(urgent, "Where it stands")["queue"].endswith("next to be taken.")
        assert part(first, "Where it stands")["queue"] == place.format(1)
        assert part(second, "Where it stands")["queue"] == place.format(2)

    def test_nobody_is_there_to_take_it(self) -> None:
        run = self.due()
        assert "No worker" in part(run, "Where it stands")["workers"]
        Worker.objects.create(kind="drain", host="h", pid=1)
        assert "workers" not in part(run, "Where it stands")

    def test_it_is_due_later(self) -> None:
        assert "due again at" in part(self.due(due_in=60), "Where it stands")["queue"]

    def test_a_limit_of_its_workflow(self) -> None:
        flow = make_workflow(max_concurrent_runs=1)
        self.due(flow, holds_slot=True)
        run = self.due(flow)
        assert "at most 1 at once" in part(run, "Where it stands")["queue"]

    def test_a_worker_has_it_and_others_have_vanished(self) -> None:
        run = self.due(expiries=2)
        Job.objects.update(lease_token=run.pk, lease_until=timezone.now())
        found = part(run, "Where it stands")
        assert "A worker has it" in found["worker"]
        assert "vanished 2 time(s)" in found["suspect"]

    def test_a_step_that_waits_names_its_connection(self) -> None:
        node = call("tell", "", config={"connection": "crm", "url": "/in"})
        run = make_run(publish(node), status="running")
        make_job(run, due_in=60)
        make_step(
            run, "tell", status="waiting", waiting_for="permit", due_at=timezone.now()
        )
        assert "connection crm" in part(run, "Where it stands")["tell"]


class TestEnded:
    def test_a_success_and_the_filter_that_ended_a_branch(self) -> None:
        run = make_run(status="succeeded", stopped_by=["big"])
        found = part(run, "How it ended")
        assert "succeeded" in found["end"]
        assert "did not let it pass" in found["big"]

    def test_a_failure_and_its_redrive(self) -> None:
        run = make_run(status="failed", error_class="HTTP 404", error_message="gone")
        again = services.redrive(run, by=None)
        found = part(run, "How it ended")
        assert "HTTP 404: gone" in found["end"]
        assert str(again.pk) in found["redrive"]

    def test_who_cancelled_it_and_why(self) -> None:
        run = make_run()
        make_job(run)
        services.cancel(run, by=make_user("ann@example.com"), reason="a mistake")
        end = part(run, "How it ended")["end"]
        assert end.startswith("ann@example.com, at ")
        assert end.endswith("cancelled it: a mistake.")


class TestStepsThatDidNotRun:
    def test_a_connection_that_was_not_taken_is_named(self) -> None:
        nodes = [given("check", x=1), given("yes", x=1), given("after", x=1)]
        flow = publish(
            *nodes,
            connections=[
                {"from": "check", "to": "yes", "on": "failure"},
                {"from": "yes", "to": "after"},
            ],
        )
        run = make_run(flow, status="succeeded")
        make_step(run, "check", kind="set")
        make_step(run, "yes", kind="set", status="skipped")
        make_step(run, "after", kind="set", status="skipped")
        found = part(run, "Steps that did not run")
        assert found["yes"] == (
            'Skipped: "failure" of check was not taken: it took "success".'
        )
        assert found["after"] == "Skipped: yes was skipped itself."

    def test_a_step_of_a_loop_s_item(self) -> None:
        flow = publish(loop("each", [1], given("a", x=1)))
        parent = make_run(flow, status="succeeded")
        item = make_run(
            flow, parent=parent, parent_node="each", item_index=0, status="failed"
        )
        make_step(item, "a", kind="set", status="failed", error_message="no")
        assert part(item, "Steps that did not run")["a"] == "Failed: no"

    def test_a_version_that_cannot_be_read_any_more_is_no_hindrance(self) -> None:
        flow = make_workflow()
        version = flow.published
        assert version is not None
        node = {"id": "a", "type": "gone_kind", "config": {}}
        type(version).objects.filter(pk=version.pk).update(definition={"nodes": [node]})
        run = make_run(flow, status="failed")
        make_step(run, "a", status="skipped")
        assert part(run, "Steps that did not run")["a"] == "Skipped."


def test_an_explanation_as_text_and_as_data() -> None:
    finding = Finding("condition", "It held. " * 20, {"a.b": {"c": 1}}, stopped=True)
    found = Explanation("run", "1", "Run 1", "Because.", [Part("Why", [finding])])
    lines = as_text(found).splitlines()
    assert lines[:4] == ["Run 1", "Because.", "", "Why"]
    assert lines[4].startswith("x condition        It held.")
    assert lines[-1].strip() == 'a.b = {"c": 1}'
    assert max(map(len, lines)) <= 88
    (told,) = as_data(found)["parts"][0]["findings"]
    assert told == {
        "by": "condition",
        "why": finding.why,
        "saw": {"a.b": {"c": 1}},
        "stopped": True,
        "runs": [],
    }

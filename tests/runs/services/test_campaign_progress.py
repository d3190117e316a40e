"""How a campaign goes on: at its rate, asked again, and no further than is good."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from runs.models import Campaign, CampaignRun, Job, Run
from runs.services import campaigning, campaigns, redrive
from runs.services.campaigning import advance
from runs.services.errors import RedriveRefused
from runs.services.redrive import redrive_here
from tests.makers import make_job, make_run
from tests.runs.drains import Hand, drained, together
from tests.runs.flows import again, given, many, publish
from tests.runs.services.redriving import (
    BROKEN,
    again_at,
    end,
    failed_runs,
    go_on,
    redriven,
)
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")


class TestGoingOn:
    def test_all_are_redriven_and_it_finishes(self) -> None:
        runs = failed_runs(5)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        go_on(10)
        drained()

        campaign.refresh_from_db()
        assert campaign.status == "finished"
        assert campaign.finished_at is not None
        done = campaigns.progress(campaign)
        assert (done.redriven, done.ended, done.failed, done.left) == (5, 5, 0, 0)
        assert all(again(run).replays.get().status == "succeeded" for run in runs)

    def test_at_its_rate(self) -> None:
        """Shown to fail when `next_at` is not moved on."""
        failed_runs(5)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=0.5)
        for _ in range(5):
            advance()

        assert redriven(campaign) == 1

    def test_by_a_drain_as_a_chore(self) -> None:
        failed_runs(4)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        drained(
            lambda: (
                Campaign.objects.filter(status="finished").exists()
                and not Job.objects.exists()
            ),
            chores=[advance],
        )

        assert campaigns.progress(campaign).ended == 4

    def test_what_cannot_be_redriven_stops_no_campaign(self) -> None:
        """Shown to fail without the `except RedriveRefused`."""
        runs = failed_runs(3)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        redrive(runs[1], by=None, version="latest")
        go_on(10)

        done = campaigns.progress(campaign)
        assert (done.redriven, done.refused, done.left) == (2, 1, 0)
        item = CampaignRun.objects.get(run=runs[1])
        assert "redriven already" in item.refused

    def test_two_workers_at_once_redrive_each_run_once(self) -> None:
        runs = failed_runs(12)
        campaigns.start_campaign({}, by=None, version="latest", rate=100)

        def work() -> None:
            for _ in range(8):
                Campaign.objects.filter(status="running").update(next_at=Now())
                advance()
            connections.close_all()

        together(work, work)
        go_on(20)

        assert all(run.replays.count() == 1 for run in runs)


class TestAskingAgain:
    """Reasons that pass by themselves: here a child run that still has to be ended."""

    @pytest.fixture(autouse=True)
    def _passing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is under way will not be for ever: the refusal says so."""

        def told(*args: Any, **options: Any) -> Run:
            try:
                return redrive_here(*args, **options)
            except RedriveRefused as error:
                error.transient = "still under way" in error.message
                raise

        monkeypatch.setattr(campaigning, "redrive_here", told)

    def busy(self, run: Run) -> Job:
        """The run's loop has failed, and one of its items is still there."""
        child = make_run(parent=run, parent_node="a", item_index=0, status="running")
        return make_job(run=child)

    def later(self, campaign: Campaign) -> None:
        CampaignRun.objects.filter(campaign=campaign).update(again_at=Now())
        go_on(3)

    def test_the_others_go_on_and_it_follows_when_the_reason_has_passed(self) -> None:
        runs = failed_runs(3)
        job = self.busy(runs[0])
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        go_on(5)

        item = CampaignRun.objects.get(campaign=campaign, run=runs[0])
        assert (item.refused, item.tries, item.fresh) == ("", 1, None)
        assert redriven(campaign) == 2
        campaign.refresh_from_db()
        assert campaign.status == "running"
        assert item.again_at is not None
        assert campaigns.progress(campaign).left == 1

        job.delete()
        Run.objects.filter(parent=runs[0]).update(status="cancelled", finished_at=Now())
        self.later(campaign)
        campaign.refresh_from_db()
        assert (campaign.status, redriven(campaign)) == ("finished", 3)

    def test_it_waits_before_it_asks_again(self) -> None:
        (run,) = failed_runs(1)
        self.busy(run)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        go_on(1)
        item = CampaignRun.objects.get()
        advance()

        assert again_at(campaign) >= item.again_at
        item.refresh_from_db()
        assert item.tries == 1

    def test_a_reason_that_does_not_pass_is_taken_after_some_tries(self) -> None:
        (run,) = failed_runs(1)
        self.busy(run)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        for _ in range(campaigning.TRIES + 1):
            self.later(campaign)

        item = CampaignRun.objects.get()
        assert "is still under way" in item.refused
        assert item.tries == campaigning.TRIES
        campaign.refresh_from_db()
        assert campaign.status == "finished"

    def test_a_reason_that_stays_is_taken_at_once(self) -> None:
        (run,) = failed_runs(1)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        Workflow.objects.filter(pk=run.workflow_id).update(status="archived")
        go_on(2)

        item = CampaignRun.objects.get(campaign=campaign)
        assert "is archived" in item.refused


class TestStopping:
    def test_it_waits_for_the_first_ones_before_it_goes_on(self) -> None:
        failed_runs(5)
        campaign = campaigns.start_campaign(
            {}, by=None, version="latest", rate=100, check_after=2
        )
        go_on(10)
        assert redriven(campaign) == 2

        drained()
        go_on(10)
        assert redriven(campaign) == 5

    def test_more_failures_than_allowed_stop_it_with_the_reason(self) -> None:
        """Shown to fail without the comparison with `max_failed`."""
        failed_runs(6)
        campaign = campaigns.start_campaign({}, by=None, rate=100, check_after=2)
        go_on(5)
        drained()
        go_on(5)

        campaign.refresh_from_db()
        assert campaign.status == "stopped"
        assert "2 of 2 redrives have failed, more than 20%" in campaign.reason
        assert redriven(campaign) == 2

    @pytest.mark.parametrize(("failed", "total"), [(4, 21), (5, 20)])
    def test_unless_told_otherwise_twenty_are_looked_at_and_a_fifth_may_fail(
        self, failed: int, total: int
    ) -> None:
        """Shown to fail with a default of 19, of 21, and with shares of 0.19, 0.25."""
        flow = publish(given("a"))
        for _ in range(21):
            make_run(flow, status="failed")
        campaign = campaigns.start_campaign({}, by=None, start="start", rate=100)
        go_on(25)
        assert redriven(campaign) == 20

        made = CampaignRun.objects.filter(campaign=campaign).values("fresh")
        fresh = Run.objects.filter(pk__in=made)
        end(fresh, "succeeded")
        end(fresh.order_by("pk")[:failed], "failed")
        go_on(2)

        campaign.refresh_from_db()
        assert redriven(campaign) == total
        assert (campaign.status == "stopped") == (total == 20)
        untold = Campaign()
        assert (untold.check_after, untold.max_failed) == (20, 0.2)

    def test_as_many_as_allowed_do_not(self, hand: Hand) -> None:
        failed_runs(6)
        campaign = campaigns.start_campaign(
            {}, by=None, rate=100, check_after=2, max_failed=1.0
        )
        for _ in range(6):
            go_on(2)
            drained()

        campaign.refresh_from_db()
        assert campaign.status == "finished"
        assert campaigns.progress(campaign).failed == 6

    def test_without_a_check_it_never_looks(self) -> None:
        failed_runs(3)
        campaign = campaigns.start_campaign({}, by=None, rate=100, check_after=0)
        go_on(10)

        campaign.refresh_from_db()
        assert (campaign.status, redriven(campaign)) == ("finished", 3)

    def test_resumed_it_looks_at_what_follows(self) -> None:
        """Shown to fail when the failures before the resume still count."""
        flow = publish(given("a", x=BROKEN))
        many(flow, 6)
        drained()
        campaign = campaigns.start_campaign(
            {}, by=None, version="latest", rate=100, check_after=2
        )
        go_on(5)
        drained()
        go_on(1)
        campaign.refresh_from_db()
        assert campaign.status == "stopped"

        publish(given("a", x=1), workflow=flow)
        assert campaigns.resume(campaign, by=None)
        for _ in range(4):
            go_on(5)
            drained()

        campaign.refresh_from_db()
        assert (campaign.status, campaign.reason) == ("finished", "")
        assert redriven(campaign) == 6

"""Campaigns: what matches, at their rate, and no further than is good."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry
from automate.lib.ids import uuid7
from runs.models import Campaign, CampaignRun, Job, Run
from runs.services import campaigning, campaigns, redrive
from runs.services.campaigning import advance
from runs.services.errors import CampaignRefused, RedriveRefused
from runs.services.redrive import redrive_here
from tests.makers import make_job, make_run, make_user, make_workflow
from tests.runs.drains import Hand, drained, together
from tests.runs.flows import again, given, many, publish
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")

BROKEN = "{{ trigger.payload.no_such_key }}"


def failed_runs(count: int, **fields: Any) -> list[Run]:
    """Runs that failed, of a workflow whose next version would succeed."""
    flow = publish(given("a", x=BROKEN), **fields)
    runs = many(flow, count)
    drained()
    publish(given("a", x=1), workflow=flow)
    return [again(run) for run in runs]


def go_on(times: int = 50) -> None:
    """So many looks, as if the clock had moved on between them."""
    for _ in range(times):
        Campaign.objects.update(next_at=Now())
        advance()


def redriven(campaign: Campaign) -> int:
    return CampaignRun.objects.filter(campaign=campaign, fresh__isnull=False).count()


class TestWhatIsMeant:
    def test_ended_runs_that_did_not_succeed(self) -> None:
        meant = [
            make_run(status=status) for status in ("failed", "dead_letter", "cancelled")
        ]
        for status in ("succeeded", "running", "queued"):
            make_run(status=status)

        assert list(campaigns.matching({}, None)) == meant
        assert campaigns.count({}, by=None) == 3

    def test_of_this_filter(self) -> None:
        first = make_run(status="failed", error_fingerprint="abc")
        make_run(status="failed")

        wanted = {"workflow": first.workflow.slug, "error_fingerprint": "abc"}
        assert list(campaigns.matching(wanted, None)) == [first]

    def test_not_what_was_redriven_already(self) -> None:
        run, other = failed_runs(2)
        redrive(run, by=None)

        assert list(campaigns.matching({}, None)) == [other]

    def test_not_a_failed_redrive_beside_one_that_succeeded(self) -> None:
        """Its effects would be sent once more, under new keys."""
        run, other = failed_runs(2)
        first = redrive(run, by=None)
        drained()
        second = redrive(run, by=None, version="latest")
        drained()

        assert [again(one).status for one in (first, second)] == ["failed", "succeeded"]
        assert list(campaigns.matching({}, None)) == [other]
        named = {"status": ["failed", "succeeded"]}
        assert list(campaigns.matching(named, None)) == [other, second]

    def test_one_that_was_redriven_since_it_was_written_down_is_let_be(self) -> None:
        run, _other = failed_runs(2)
        first = redrive(run, by=None)
        drained()
        campaign = campaigns.start_campaign({}, by=None, version="latest")
        second = redrive(run, by=None, version="latest")
        drained()
        go_on()

        item = CampaignRun.objects.get(campaign=campaign, run=first)
        assert item.fresh is None
        assert item.refused == f"It was redriven already, as {second.pk}."

    def test_not_the_child_of_a_run(self) -> None:
        parent = make_run(status="failed")
        make_run(status="failed", parent=parent, parent_node="loop", item_index=0)

        assert list(campaigns.matching({}, None)) == [parent]

    def test_only_what_its_author_may_see(self) -> None:
        ann = make_user("ann@example.com")
        mine = make_run(workflow=make_workflow(owner=ann, team=None), status="failed")
        foreign = make_workflow()
        make_run(workflow=foreign, status="failed")
        foreign.team = foreign.team or _team()
        foreign.save()

        assert list(campaigns.matching({}, ann)) == [mine]

    def test_an_unknown_filter_is_refused_by_name(self) -> None:
        with pytest.raises(CampaignRefused, match="Unknown filter colour"):
            campaigns.count({"colour": "red"}, by=None)

    def test_the_children_of_a_run_are_refused_instead_of_matching_nothing(
        self,
    ) -> None:
        parent = make_run(status="failed")
        make_run(parent.workflow, status="failed", parent=parent)
        for ask in (campaigns.count, campaigns.start_campaign):
            with pytest.raises(CampaignRefused, match="Redrive that one"):
                ask({"parent": str(parent.pk)}, by=None)

    def test_an_unknown_workflow_is_refused_with_names_that_are_near(self) -> None:
        flow = make_workflow(slug="order-intake")
        for ask in (campaigns.count, campaigns.start_campaign):
            with pytest.raises(CampaignRefused) as refused:
                ask({"workflow": "ordr-intake"}, by=None)
            assert str(refused.value) == (
                'There is no workflow "ordr-intake". Did you mean order-intake?'
            )
        with pytest.raises(CampaignRefused, match="There is no workflow"):
            campaigns.count({"workflow": str(uuid7())}, by=None)
        for name in ("order-intake", str(flow.pk)):
            assert campaigns.count({"workflow": name}, by=None) == 0

    def test_another_team_s_workflow_is_none_and_not_named(self) -> None:
        make_workflow(slug="order-intake", team=_team())
        for name in ("order-intake", "order-intak"):
            with pytest.raises(CampaignRefused) as refused:
                campaigns.count({"workflow": name}, by=make_user())
            assert str(refused.value) == f'There is no workflow "{name}".'

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ({"status": "failed"}, 'status must be a list of statuses, such as ["fa'),
            ({"status": None}, "status must be a list of statuses"),
            ({"status": []}, "status must be a list of statuses"),
            ({"status": ["faild"]}, "status: unknown 'faild'. Known: queued, running"),
            ({"status": [["failed"]]}, "status: unknown ['failed']. Known: queued"),
            ({"workflow": 5}, "workflow must be the id or the slug of a workflow, not"),
            (
                {"workflow": ""},
                "workflow must be the id or the slug of a workflow, not",
            ),
            ({"workflow": None}, "workflow must be the id or the slug"),
            ({"trigger": "x"}, "trigger must be the id of a trigger, not 'x'."),
            ({"trigger": 7}, "trigger must be the id of a trigger, not 7."),
            ({"parent": []}, "parent must be the id of a run, not []."),
            ({"version": "3"}, "version must be the number of a version, such as 3"),
            ({"version": True}, "version must be the number of a version"),
            ({"version": 2**40}, "version must be the number of a version"),
            (
                {"created_after": "garbage"},
                "created_after must be a moment in ISO 8601",
            ),
            ({"created_after": 5}, "created_after must be a moment in ISO 8601"),
            ({"created_before": "2026-02-31"}, "created_before must be a moment in"),
            ({"created_before": "0001-01-01T00:00+23:00"}, "created_before must be a"),
            ({"error_class": {}}, "error_class must be a text"),
            ({"event_id": "a\x00"}, "event_id must be the id of an event, a text"),
            ({"error_fingerprint": 5}, "error_fingerprint must be the fingerprint"),
            ([], 'A filter is an object: {"workflow": "orders"}.'),
            ({5: 6}, "Unknown filter 5. Known: created_after,"),
        ],
    )
    def test_a_value_that_fits_no_filter_is_refused_by_name(
        self, wanted: Any, said: str
    ) -> None:
        make_run(status="failed")
        for ask in (campaigns.count, campaigns.start_campaign):
            with pytest.raises(CampaignRefused) as caught:
                ask(wanted, by=None)
            assert said in caught.value.message
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize("word", ["failed", "Failed", "error"])
    def test_a_status_by_its_other_names(self, word: str) -> None:
        run = make_run(status="failed")
        make_run(status="dead_letter")

        assert list(campaigns.matching({"status": [word]}, None)) == [run]
        started = campaigns.start_campaign({"status": [word]}, by=None)
        assert started.filter == {"status": ["failed"]}

    @pytest.mark.parametrize(
        "moment", ["2020-01-01", "2020-01-01T00:00:00", "2020-01-01T00:00:00+02:00"]
    )
    def test_dates_as_text(self, moment: str) -> None:
        run = make_run(status="failed")

        assert list(campaigns.matching({"created_after": moment}, None)) == [run]
        assert campaigns.count({"created_before": moment}, by=None) == 0


def _team() -> Any:
    from automate.accounts.models import Team

    return Team.objects.create(name="Others")


class TestBeginning:
    def test_it_writes_down_its_runs_oldest_first(self) -> None:
        runs = [make_run(status="failed") for _ in range(3)]
        ann = make_user("ann@example.com", is_superuser=True)

        campaign = campaigns.start_campaign({}, by=ann)

        listed = CampaignRun.objects.filter(campaign=campaign).order_by("pk")
        assert [item.run for item in listed] == runs
        assert (campaign.total, campaign.status) == (3, "running")
        entry = AuditEntry.objects.get(action="campaign.start")
        assert (entry.changes["total"], entry.user) == (3, ann)

    def test_with_as_many_queries_for_many_runs_as_for_few(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(30):
            make_run(status="failed")

        with django_assert_max_num_queries(7):
            campaign = campaigns.start_campaign({}, by=None)
        assert campaign.total == 30

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"rate": 0}, "The rate must be above 0"),
            ({"rate": 1000}, "at most 100"),
            ({"max_failed": 1.5}, "from 0 to 1"),
            ({"version": "newest"}, "pinned or the latest"),
            ({"start": ""}, "from a step"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, options: dict[str, Any], reason: str
    ) -> None:
        make_run(status="failed")

        with pytest.raises(CampaignRefused, match=reason):
            campaigns.start_campaign({}, by=None, **options)
        assert not Campaign.objects.exists()

    def test_what_failed_in_runs_that_succeeded_is_refused(self) -> None:
        make_run(status="succeeded")
        wanted = {"status": ["succeeded"]}
        with pytest.raises(CampaignRefused, match="nothing failed"):
            campaigns.start_campaign(wanted, by=None)
        assert campaigns.start_campaign(wanted, by=None, start="start").total == 1

    def test_nothing_to_do_is_refused(self) -> None:
        with pytest.raises(CampaignRefused, match="No run matches"):
            campaigns.start_campaign({}, by=None)
        assert not Campaign.objects.exists()

    def test_more_than_a_campaign_takes_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            make_run(status="failed")
        monkeypatch.setattr(campaigns, "MOST", 2)

        with pytest.raises(CampaignRefused, match=r"3 runs match; .* at most 2"):
            campaigns.start_campaign({}, by=None)
        assert not CampaignRun.objects.exists()


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


def again_at(campaign: Campaign) -> Any:
    campaign.refresh_from_db()
    return campaign.next_at


def end(runs: QuerySet[Run], status: str) -> None:
    """As a drain would, without what it does for that."""
    ids = list(runs.values_list("pk", flat=True))
    Job.objects.filter(run__in=ids).delete()
    Run.objects.filter(pk__in=ids).update(status=status, finished_at=Now())


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


class TestByPeople:
    def test_a_paused_one_does_nothing_until_it_is_resumed(self) -> None:
        failed_runs(3)
        campaign = campaigns.start_campaign({}, by=None, version="latest", rate=100)
        assert campaigns.pause(campaign, by=None)
        go_on(5)
        assert redriven(campaign) == 0

        assert campaigns.resume(campaign, by=None)
        go_on(5)
        assert redriven(campaign) == 3

    def test_a_stopped_one_keeps_what_it_did(self) -> None:
        failed_runs(3)
        ann = make_user("ann@example.com", is_superuser=True)
        campaign = campaigns.start_campaign({}, by=ann, version="latest", rate=0.5)
        go_on(1)

        assert campaigns.stop(campaign, by=ann)
        assert campaign.reason == "Stopped by ann@example.com."
        go_on(3)
        assert redriven(campaign) == 1
        actions = AuditEntry.objects.filter(action__startswith="campaign.")
        assert {item.action for item in actions} == {"campaign.start", "campaign.stop"}

    def test_a_move_that_does_not_apply_is_said(self) -> None:
        make_run(status="failed")
        campaign = campaigns.start_campaign({}, by=None)

        assert not campaigns.resume(campaign, by=None)
        assert campaigns.stop(campaign, by=None)
        assert not campaigns.pause(campaign, by=None)
        assert not campaigns.stop(campaign, by=None)

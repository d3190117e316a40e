"""Campaigns: what is meant, how they begin, and who steers them."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry
from automate.lib.ids import uuid7
from runs.models import Campaign, CampaignRun
from runs.services import campaigns, redrive
from runs.services.errors import CampaignRefused
from tests.makers import make_run, make_user, make_workflow
from tests.runs.drains import drained
from tests.runs.flows import again
from tests.runs.services.redriving import (
    failed_runs,
    go_on,
    redriven,
)

pytestmark = pytest.mark.usefixtures("engine")


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

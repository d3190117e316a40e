"""Campaigns in the admin: the list's filters, the count first, and the buttons."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, Team, User
from automate.lib.ids import uuid7
from runs.admin.campaign_filter import in_words, wanted_of
from runs.admin.progress import bar_of
from runs.models import Campaign, CampaignRun, Run
from runs.services import campaigns
from runs.services.campaigns import Progress
from tests.admin_world import boss, broken_run, flow, operator, signed_in
from tests.makers import make_run

pytestmark = pytest.mark.django_db
LIST = "admin:runs_run_changelist"
CHIEF = User(is_superuser=True)
RIGHTS = ("runs.view_run", "runs.redrive_run")
FORM = {
    "start": "failed", "version": "pinned", "rate": "5", "check_after": "20",
    "max_failed": "20",
}  # fmt: skip


def start_page(**filters: Any) -> str:
    return reverse("admin:runs_run_redrive_all", query=filters)


def page(campaign: Campaign) -> str:
    return reverse("admin:runs_campaign_change", args=(campaign.pk,))


def steer(user: User, campaign: Campaign, verb: str) -> Any:
    address = reverse("admin:runs_campaign_steer", args=(campaign.pk, verb))
    return signed_in(user).post(address, follow=True)


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def told(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def begun(**fields: Any) -> Campaign:
    campaign = Campaign.objects.create(**{"total": 1, **fields})
    CampaignRun.objects.create(campaign=campaign, run=broken_run(flow("begun")))
    return campaign


class TestWhatIsMeant:
    def test_the_list_leads_to_the_page_with_its_own_filters(self) -> None:
        broken_run(flow())
        shown = signed_in(operator(*RIGHTS)).get(reverse(LIST), {"status": "broken"})
        assert f"{start_page()}?status=broken" in text(shown)
        viewer = signed_in(operator("runs.view_run")).get(reverse(LIST))
        assert "Redrive all" not in text(viewer)

    def test_the_filters_mean_the_same_as_in_the_list(self) -> None:
        workflow = flow("orders")
        trigger, version = workflow.triggers.get(), workflow.published
        assert version is not None
        shown = {
            "status": "unrepaired",
            "workflow__id__exact": str(workflow.pk),
            "trigger__id__exact": str(trigger.pk),
            "error_fingerprint": "f00d",
            "redriven": "no",
            "p": "2",
        }
        assert wanted_of(shown, CHIEF) == (
            {
                "status": ["failed", "dead_letter"],
                "workflow": "orders",
                "trigger": str(trigger.pk),
                "error_fingerprint": "f00d",
            },
            [],
        )
        number = {"workflow": "orders", "version": 1}
        assert wanted_of({"version__id__exact": str(version.pk)}, CHIEF) == (number, [])

    @pytest.mark.parametrize(
        ("given", "first", "last"),
        [
            ({"year": 2026}, "2026-01-01", "2027-01-01"),
            ({"year": 2026, "month": 12}, "2026-12-01", "2027-01-01"),
            ({"year": 2024, "month": 2, "day": 29}, "2024-02-29", "2024-03-01"),
        ],
    )
    def test_dates_become_a_range(
        self, given: dict[str, int], first: str, last: str
    ) -> None:
        shown = {f"created_at__{part}": str(value) for part, value in given.items()}
        wanted, problems = wanted_of(shown, CHIEF)
        assert problems == []
        assert f"{wanted['created_after']:%Y-%m-%d}" == first
        assert f"{wanted['created_before']:%Y-%m-%d}" == last

    def test_the_search_is_by_what_it_finds(self) -> None:
        broken_run(flow("orders"), error_fingerprint="f00d")
        assert wanted_of({"q": "orders"}, CHIEF) == ({"workflow": "orders"}, [])
        assert wanted_of({"q": " f00d "}, CHIEF) == ({"error_fingerprint": "f00d"}, [])
        make_run(event_id="delivery-7")
        assert wanted_of({"q": "delivery-7"}, CHIEF) == ({"event_id": "delivery-7"}, [])

    def test_a_search_for_a_mistyped_workflow_names_the_near_one(self) -> None:
        broken_run(flow("orders"))
        said = text(signed_in(boss()).get(start_page(q="ordres")))
        assert "called “ordres”. Did you mean orders?" in said
        assert "run match" not in said

    @pytest.mark.parametrize(
        "shown",
        [
            {"status": "succeeded"},
            {"status": "waiting"},
            {"redriven": "yes"},
            {"q": str(uuid7())},
            {"q": "zzz"},
            {"parent": str(uuid7())},
            {"parent_node": "each"},
            {"workflow__id__exact": "nonsense"},
            {"workflow__id__exact": str(uuid7())},
            {"version__id__exact": str(uuid7())},
            {"trigger__id__exact": "'; drop table runs_run"},
            {"replay_of__isnull": "True"},
            {"created_at__day": "3"},
            {"created_at__year": "x"},
            {"created_at__year": "9999"},
            {"created_at__year": "99999"},
            {"created_at__year": "2026", "created_at__week": "1"},
        ],
    )
    def test_what_a_campaign_cannot_mean_starts_none(
        self, shown: dict[str, str]
    ) -> None:
        """To leave the filter out would redrive more than was looked at."""
        broken_run(flow())
        _, problems = wanted_of(shown, CHIEF)
        assert len(problems) == 1
        client = signed_in(boss())
        assert problems[0] in html.unescape(text(client.get(start_page(**shown))))
        client.post(start_page(**shown), FORM)
        assert not Campaign.objects.exists()

    def test_another_team_s_names_are_not_there(self) -> None:
        """Neither told nor confirmed to who knows or guesses an id or a slug."""
        team = Team.objects.create(name="Sales", slug="sales")
        workflow = flow(team=team)
        broken_run(workflow, error_fingerprint="f00d")
        other = operator(*RIGHTS)
        for name, pk in (
            ("workflow__id__exact", str(workflow.pk)),
            ("version__id__exact", str(workflow.published_id)),
        ):
            wanted, problems = wanted_of({name: pk}, other)
            assert wanted == {}
            assert problems[0].startswith("There is no such ")
            page = signed_in(other).get(
                reverse("admin:runs_run_redrive_all"), {name: pk}
            )
            assert "orders" not in page.content.decode()
        for term in ("orders", "f00d", "ordres"):
            said = [f"No workflow, event or error is called “{term}”."]
            assert wanted_of({"q": term}, other) == ({}, said)

    def test_two_filters_that_differ_are_told(self) -> None:
        first, _ = flow("a"), flow("b")
        shown = {"workflow__id__exact": str(first.pk), "q": "b"}
        assert wanted_of(shown, CHIEF)[1] == ["Two filters on workflow differ."]

    def test_a_filter_reads_as_words(self) -> None:
        words = dict(in_words({"workflow": "orders", "error_fingerprint": "f00d"}))
        assert words == {
            "workflow": "orders",
            "error": "f00d",
            "status": "failed, dead letter, cancelled",
        }


class TestStarting:
    def test_the_count_comes_first_and_nothing_is_started(self) -> None:
        workflow = flow()
        for _ in range(3):
            broken_run(workflow)
        make_run(workflow, status="succeeded")
        shown = signed_in(operator(*RIGHTS)).get(start_page(status="broken"))
        assert "<strong>3</strong> runs match" in text(shown)
        assert not Campaign.objects.exists()
        assert Run.objects.filter(replay_of__isnull=False).count() == 0

    def test_it_starts_as_it_was_asked_for_and_shows_the_campaign(self) -> None:
        run = broken_run(flow())
        other = broken_run(flow("other"))
        user = operator(*RIGHTS)
        asked = {
            **FORM, "version": "latest", "rate": "0.5", "check_after": "3",
            "max_failed": "50", "start": "notify",
        }  # fmt: skip
        here = start_page(workflow__id__exact=str(run.workflow_id))
        response = signed_in(user).post(here, asked, follow=True)
        campaign = Campaign.objects.get()
        assert response.redirect_chain == [(page(campaign), 302)]
        assert "The campaign has begun: 1 run(s)." in told(response)
        assert (campaign.start, campaign.version) == ("notify", "latest")
        assert (campaign.rate, campaign.check_after) == (0.5, 3)
        assert (campaign.max_failed, campaign.created_by) == (0.5, user)
        assert [item.run for item in campaign.runs.all()] == [run]
        assert not campaign.runs.filter(run=other).exists()
        assert AuditEntry.objects.get(action="campaign.start").user == user

    @pytest.mark.parametrize(
        "wrong",
        [
            {"rate": "0"},
            {"rate": "1000"},
            {"rate": "nan"},
            {"max_failed": "101"},
            {"check_after": "-1"},
            {"version": "other"},
            {"start": "no-such-step"},
        ],
    )
    def test_what_makes_no_sense_is_told_at_its_field(
        self, wrong: dict[str, str]
    ) -> None:
        run = broken_run(flow())
        here = start_page(workflow__id__exact=str(run.workflow_id))
        response = signed_in(boss()).post(here, {**FORM, **wrong})
        assert list(response.context["form"].errors) == list(wrong)
        assert "errorlist" in text(response)
        assert not Campaign.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_when_nothing_matches_there_is_no_button(self) -> None:
        flow()
        response = signed_in(boss()).get(start_page())
        assert "<strong>0</strong> runs match" in text(response)
        assert 'type="submit"' not in text(response).partition("</header>")[2]
        refused = signed_in(boss()).post(start_page(), FORM)
        assert refused.context["form"].non_field_errors() == [
            "No run matches that could be redriven."
        ]

    def test_it_needs_the_right_to_redrive(self) -> None:
        broken_run(flow())
        for user in (operator("runs.view_run"), operator("runs.redrive_run")):
            client = signed_in(user)
            assert client.get(start_page()).status_code == 403
            assert client.post(start_page(), FORM).status_code == 403
        assert not Campaign.objects.exists()

    def test_another_team_s_runs_are_neither_counted_nor_redriven(self) -> None:
        team = Team.objects.create(name="Sales", slug="sales")
        broken_run(flow("theirs", team=team))
        mine = broken_run(flow("mine"))
        client = signed_in(operator(*RIGHTS))
        assert "<strong>1</strong> run matches" in text(client.get(start_page()))
        client.post(start_page(), FORM)
        assert [item.run for item in CampaignRun.objects.all()] == [mine]


class TestSteering:
    def test_it_is_paused_resumed_and_stopped(self) -> None:
        campaign = begun()
        user = operator(*RIGHTS)
        for verb, status in (
            ("pause", "paused"), ("resume", "running"), ("stop", "stopped"),
        ):  # fmt: skip
            assert f"The campaign is {status.replace('running', 'resumed')}." in told(
                steer(user, campaign, verb)
            )
            campaign.refresh_from_db()
            assert campaign.status == status
        shown = text(signed_in(user).get(page(campaign)))
        assert f"Stopped by {user}" in shown
        assert ">Resume</button>" in shown
        assert ">Pause</button>" not in shown

    def test_a_verb_that_comes_too_late_says_so(self) -> None:
        campaign = begun(status="finished")
        response = steer(boss(), campaign, "pause")
        assert "The campaign is finished: it cannot be paused." in told(response)

    def test_it_needs_the_right_to_redrive_and_a_post(self) -> None:
        campaign = begun()
        viewer = operator("runs.view_campaign")
        assert steer(viewer, campaign, "stop").status_code == 403
        assert (
            "</button>"
            not in text(signed_in(viewer).get(page(campaign))).partition(
                'class="run-title"'
            )[2]
        )
        address = reverse("admin:runs_campaign_steer", args=(campaign.pk, "stop"))
        assert signed_in(boss()).get(address).status_code == 405
        assert steer(boss(), campaign, "destroy").status_code == 404
        campaign.refresh_from_db()
        assert campaign.status == "running"


class TestThePage:
    def test_it_shows_what_became_of_each_run(self) -> None:
        campaign = begun(status="stopped", reason="3 of 20 have failed.")
        workflow = Run.objects.get().workflow
        mended, fresh = broken_run(workflow), make_run(workflow, status="succeeded")
        unfit = broken_run(workflow)
        CampaignRun.objects.create(campaign=campaign, run=mended, fresh=fresh)
        CampaignRun.objects.create(campaign=campaign, run=unfit, refused="It is gone.")
        Campaign.objects.update(total=3)
        shown = text(signed_in(operator(*RIGHTS)).get(page(campaign)))
        for piece in (
            "3 of 20 have failed.", "1 succeeded</a>", "0 failed<", "1 refused</a>",
            "1 left</a>", "of 3 runs", str(mended.pk), str(fresh.pk), "It is gone.",
        ):  # fmt: skip
            assert piece in shown, piece

    @pytest.mark.parametrize(
        "fate", ["succeeded", "failed", "running", "refused", "left"]
    )
    def test_each_part_of_the_bar_leads_to_its_runs(self, fate: str) -> None:
        campaign = begun()
        workflow = Run.objects.get().workflow
        for status in ("succeeded", "failed", "running"):
            item = {"run": broken_run(workflow), "fresh": make_run(workflow)}
            if status != "running":
                item["fresh"] = make_run(workflow, status=status)
            CampaignRun.objects.create(campaign=campaign, **item)
        CampaignRun.objects.create(
            campaign=campaign, run=broken_run(workflow), refused="No."
        )
        campaign.total = 5
        done = {part.kind: part.count for part in bar_of(campaigns.progress(campaign))}
        assert done[fate] == 1
        response = signed_in(boss()).get(
            reverse("admin:runs_campaignrun_changelist"),
            {"campaign__id__exact": str(campaign.pk), "fate": fate},
        )
        assert len(response.context["cl"].result_list) == 1

    def test_the_parts_of_the_bar_make_its_whole(self) -> None:
        parts = bar_of(Progress(total=7, redriven=5, refused=1, ended=4, failed=1))
        assert [part.count for part in parts] == [3, 1, 1, 1, 1]
        assert sum(float(part.width) for part in parts) == pytest.approx(100, abs=0.01)
        assert float(parts[-1].x) + float(parts[-1].width) == pytest.approx(
            100, abs=0.01
        )
        assert bar_of(Progress(0, 0, 0, 0, 0))[0].width == "0.000"

    def test_it_takes_as_many_queries_for_many_runs_as_for_few(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        campaign = begun()
        workflow = Run.objects.get().workflow
        for _ in range(30):
            CampaignRun.objects.create(
                campaign=campaign,
                run=make_run(workflow, status="failed"),
                fresh=make_run(workflow),
            )
        client = signed_in(boss())
        with django_assert_max_num_queries(6):
            shown = text(client.get(page(campaign)))
        assert "30 under way" in shown
        assert shown.count("→") == 30


class TestWhoSeesIt:
    def test_who_began_it_and_who_may_see_all_of_its_runs(self) -> None:
        team = Team.objects.create(name="Sales", slug="sales")
        ours, theirs = broken_run(flow("ours")), broken_run(flow("theirs", team=team))
        rights = (*RIGHTS, "runs.view_campaign")
        author, stranger = operator(*rights), operator(*rights)
        member = operator(*rights, team=team)
        campaign = Campaign.objects.create(created_by=author, total=2)
        for run in (ours, theirs):
            CampaignRun.objects.create(campaign=campaign, run=run)
        listed = reverse("admin:runs_campaign_changelist")
        for user, sees in ((author, True), (member, True), (stranger, False)):
            client = signed_in(user)
            assert (client.get(page(campaign)).status_code == 200) is sees
            assert (str(campaign.pk) in text(client.get(listed))) is sees
        assert steer(stranger, campaign, "stop").status_code == 404
        items = reverse("admin:runs_campaignrun_changelist")
        seen = signed_in(author).get(items).context["cl"].result_list
        assert [item.run for item in seen] == [ours]

    def test_one_without_runs_is_seen_by_its_author_alone(self) -> None:
        """What is left of it may name another team's workflow."""
        author = operator(*RIGHTS)
        campaign = Campaign.objects.create(created_by=author, total=1)
        assert signed_in(author).get(page(campaign)).status_code == 200
        assert signed_in(operator(*RIGHTS)).get(page(campaign)).status_code == 404

    @pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-7000-8000-000000000000"])
    def test_an_unknown_id_is_not_found(self, pk: str) -> None:
        address = reverse("admin:runs_campaign_change", args=(pk,))
        assert signed_in(boss()).get(address).status_code == 404

    def test_nobody_changes_one_by_hand(self) -> None:
        campaign = begun()
        assert signed_in(boss()).post(page(campaign), {"rate": 99}).status_code == 405
        delete = reverse("admin:runs_campaign_delete", args=(campaign.pk,))
        assert signed_in(boss()).post(delete, {"post": "yes"}).status_code == 403

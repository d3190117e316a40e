"""The overview: what to do next, and figures that stay cheap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from automate import next_steps
from automate.accounts.audit import record
from automate.accounts.models import Team, User
from runs.models import Campaign, Run, WaitToken, Worker
from tests.admin_world import (
    asking_run,
    boss,
    broken_run,
    flow,
    operator,
    signed_in,
    waiting_run,
)
from tests.makers import make_job, make_run
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def overview(user: User | None = None) -> str:
    response = signed_in(user or boss()).get(reverse("admin:index"))
    assert response.status_code == 200
    return str(response.content.decode())


def figures(user: User | None = None) -> dict[str, str]:
    return {one.label: one.value for one in next_steps.figures(user or boss())}


def shown_by_the_figure() -> list[Run]:
    """The list behind "failed in 24 h"."""
    (url,) = (one.url for one in next_steps.figures(boss()) if "failed" in one.label)
    return list(signed_in(boss()).get(url).context["cl"].result_list)


def alive(**fields: Any) -> Worker:
    return Worker.objects.create(kind="drain", host="h", pid=1, **fields)


def test_an_empty_site_leads_to_the_first_workflow() -> None:
    text = overview()
    assert "There is no workflow yet." in text
    assert reverse("admin:workflows_workflow_add") in text
    assert "python manage.py qcluster" in text


def test_what_is_urgent_stands_first() -> None:
    alive()
    Workflow.objects.create(slug="d", name="Nightly")
    asking_run(flow())
    broken_run(flow("more"))
    steps = next_steps.of(boss())
    assert [step.urgent for step in steps] == [True, False, False]
    assert "failed" in steps[0].text
    assert "decision" in steps[1].text


def test_a_silent_worker_is_none() -> None:
    alive(beat_at=timezone.now() - timedelta(minutes=5))
    assert "No worker gives a sign of life" in overview()
    alive()
    assert "No worker gives a sign of life" not in overview()


def test_a_draft_and_a_first_event_are_told() -> None:
    alive()
    Workflow.objects.create(slug="d", name="Nightly")
    flow("orders")
    text = overview()
    assert "“Nightly” is a draft" in text
    assert "“Orders” waits for its first event." in text
    make_run(Workflow.objects.get(slug="orders"))
    assert "waits for its first event" not in overview()


def test_a_failure_that_a_redrive_has_mended_is_not_told() -> None:
    failed = broken_run(flow())
    again = make_run(
        failed.workflow, status="failed", replay_of=failed, root_run=failed
    )
    assert "1 run has failed in the last 24 hours" in overview()
    assert figures()["failed in 24 h"] == "1"
    assert shown_by_the_figure() == [again]

    make_run(failed.workflow, status="succeeded", replay_of=again, root_run=failed)
    assert "failed in the last 24 hours" not in overview()
    assert figures()["failed in 24 h"] == "0"
    assert shown_by_the_figure() == []


def test_failures_of_a_day_are_told_until_they_are_old() -> None:
    alive()
    run = broken_run(flow())
    assert "1 run has failed in the last 24 hours" in overview()
    old = timezone.now() - timedelta(days=2)
    Run.objects.filter(pk=run.pk).update(finished_at=old)
    assert "Nothing: the workers are alive" in overview()


def test_decisions_that_are_open_are_told_to_those_who_may_take_them() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    asking_run(flow(team=team))
    rights = ("runs.view_waittoken", "runs.answer_waittoken")
    assert "1 run waits for a decision." in overview(operator(*rights, team=team))
    assert "for a decision." not in overview(operator(*rights))
    assert "for a decision." not in overview(operator(rights[0], team=team))
    asking_run(flow("more"))
    assert "2 runs wait for a decision." in overview(operator(*rights, team=team))
    WaitToken.objects.filter(run__workflow__slug="more").update(kind="unknown")
    assert "2 runs wait for a decision." in overview(operator(*rights, team=team))


def test_a_campaign_that_stopped_is_told_to_who_began_it() -> None:
    user, other = operator("runs.redrive_run"), operator("runs.redrive_run")
    campaign = Campaign.objects.create(
        created_by=user, status="stopped", reason="3 of 20 have failed."
    )
    text = overview(user)
    assert "Your campaign has stopped. 3 of 20 have failed." in text
    assert reverse("admin:runs_campaign_change", args=(campaign.pk,)) in text
    assert "Your campaign" not in overview(other)
    Campaign.objects.create(created_by=user)
    assert "Your campaign" not in overview(user)


def test_the_figures() -> None:
    workflow = flow()
    make_job(make_run(workflow))
    waiting_run(workflow)
    broken_run(workflow)
    make_run(workflow, status="succeeded")
    assert figures() == {
        "due": "1",
        "running": "0",
        "waiting": "1",
        "succeeded in 24 h": "1",
        "failed in 24 h": "1",
    }


def test_a_figure_stops_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_steps, "MOST", 1)
    workflow = flow()
    for _ in range(3):
        make_run(workflow, status="succeeded")
    assert figures()["succeeded in 24 h"] == "1+"


def test_nobody_is_told_of_another_team_s_work() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = flow("orders", team=team)
    broken_run(workflow)
    waiting_run(workflow)
    Workflow.objects.create(slug="d", name="Nightly", team=team)
    rights = ("runs.view_run", "workflows.view_workflow")
    stranger = operator(*rights)
    assert set(figures(stranger).values()) == {"0"}
    assert "Nightly" not in overview(stranger)
    member = operator(*rights, team=team)
    assert figures(member)["failed in 24 h"] == "1"
    assert "Nightly" in overview(member)


def test_who_may_see_nothing_is_told_nothing() -> None:
    broken_run(flow())
    newcomer = operator()
    assert next_steps.of(newcomer) == []
    assert next_steps.figures(newcomer) == []
    assert "Latest changes" not in overview(newcomer)


def test_the_latest_changes_and_the_audit_are_in_words() -> None:
    by = boss()
    workflow = flow("orders")
    entry = record("workflow.publish", workflow, by=by)
    record("run.start", make_run(workflow), by=by)
    client = signed_in(by)
    shown = client.get(reverse("admin:index")).content.decode()
    listed = client.get(reverse("admin:accounts_auditentry_changelist"))
    page = reverse("admin:accounts_auditentry_change", args=(entry.pk,))

    assert f"Workflow published: {workflow}</a>" in shown
    assert "Run started: " in shown
    for text in (shown, listed.content.decode()):
        assert "Run started" in text
        assert "run.start<" not in text
        assert "workflow.publish" not in text
    alone = client.get(page).content.decode()
    assert "Workflow published" in alone
    assert "workflow.publish" in alone  # what one searches for


def test_the_top_bar_leads_where_one_may_go() -> None:
    viewer = overview(operator("runs.view_run"))
    assert reverse("admin:runs_run_changelist") in viewer
    assert reverse("admin:workflows_secret_changelist") not in viewer
    assert 'aria-current="page">Overview' in viewer
    everything = overview()
    for name in ("Workflows", "Runs", "Requests", "Secrets", "Audit"):
        assert f">{name}</a>" in everything

"""The page that says why a run ran, and the pages that lead to it and from it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automate.accounts.models import Team
from runs.models import Run
from tests.admin_world import boss, flow, operator, signed_in
from tests.makers import make_run, make_step
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db


def page(run: Run, name: str = "why") -> str:
    return reverse(f"admin:runs_run_{name}", args=(run.pk,))


def text(run: Run, name: str = "why") -> str:
    response = signed_in(boss()).get(page(run, name))
    assert response.status_code == 200
    return str(response.content.decode())


def arrived(**fields: object) -> Run:
    workflow = flow()
    decisions = {
        "scheme": "github",
        "signed_with": "previous",
        "condition": "trigger.payload.total > 100",
        "by": "delivery",
    }
    return make_run(
        workflow,
        {"total": 150, "card": {"password": "canary"}},
        trigger=workflow.triggers.get(),
        decisions=decisions,
        event_id="evt-1",
        source_ip="203.0.113.7",
        **fields,
    )


def test_it_tells_what_let_the_event_pass_and_what_the_condition_saw() -> None:
    run = arrived(status="succeeded")
    shown = text(run)
    assert "by the scheme github, with the previous secret" in shown
    assert "trigger.payload.total = 150" in shown
    assert "canary" not in shown
    assert page(run) in text(run, "change")


def test_a_run_tells_how_often_its_event_came_again() -> None:
    run = arrived(status="succeeded")
    assert "Came again" not in text(run, "change")
    for _ in range(2):
        InboundEvent.objects.create(
            trigger=run.trigger, reason="duplicate", status=200, first_run_id=run.pk
        )
    shown = text(run, "change")
    assert "2 times" in shown
    assert f"{reverse('admin:webhooks_inboundevent_changelist')}?q={run.pk}" in shown
    assert "came 2 more time(s)" in text(run)


def test_texts_of_the_sender_are_escaped() -> None:
    run = arrived(status="failed", error_message="<script>alert(1)</script>")
    make_step(run, "notify", status="skipped")
    assert "<script>alert" not in text(run)
    assert "&lt;script&gt;alert" in text(run)


def test_only_those_who_see_the_run_see_why() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    run = make_run(flow("ours", team=team))
    right = "runs.view_run"
    assert signed_in(operator()).get(page(run)).status_code == 403
    assert signed_in(operator(right)).get(page(run)).status_code == 404
    assert signed_in(operator(right, team=team)).get(page(run)).status_code == 200
    assert signed_in(boss()).post(page(run)).status_code == 405

"""Redriving, cancelling and reading exact payloads from the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team, User
from runs.admin.run import RunAdmin
from runs.admin.run_verbs import AT_ONCE, REASON
from runs.models import Run
from tests.admin_world import (
    CANARY,
    boss,
    broken_run,
    flow,
    operator,
    signed_in,
    waiting_run,
)
from tests.makers import make_run

pytestmark = pytest.mark.django_db
LIST = "admin:runs_run_changelist"
VIEWER = ("runs.view_run",)


def page(run: Run, verb: str = "change") -> str:
    return reverse(f"admin:runs_run_{verb}", args=(run.pk,))


def act(user: User, action: str, *runs: Run, **more: Any) -> Any:
    """Choose an action in the list for these runs."""
    data = {"action": action, "_selected_action": [run.pk for run in runs], **more}
    return signed_in(user).post(reverse(LIST), data)


def texts(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


@pytest.mark.parametrize("start", ["start", "failed"])
def test_a_redrive_is_asked_for_and_then_done(start: str) -> None:
    run = broken_run(flow())
    user = operator(*VIEWER, "runs.redrive_run")
    client = signed_in(user)
    question = client.get(page(run, "redrive"), {"start": start})
    assert f'value="{start}" selected' in question.content.decode()
    assert Run.objects.filter(replay_of=run).count() == 0

    done = client.post(page(run, "redrive"), {"start": start, "version": "pinned"})
    new = Run.objects.get(replay_of=run)
    assert done["Location"] == page(new)
    entry = AuditEntry.objects.get(action="run.redrive")
    assert (entry.user, entry.changes["from"]) == (user, start)
    shown = client.get(page(new)).content.decode()
    assert str(run.pk) in shown
    assert str(new.pk) in client.get(page(run)).content.decode()


def test_a_waiting_run_is_cancelled() -> None:
    run = waiting_run(flow())
    client = signed_in(operator(*VIEWER, "runs.cancel_run"))
    assert (
        "Nothing more will be started"
        in client.get(page(run, "cancel")).content.decode()
    )
    run.refresh_from_db()
    assert run.status == "running"
    response = client.post(page(run, "cancel"), follow=True)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert "The run is cancelled." in texts(response)


def test_the_reason_of_a_cancel_stands_in_the_run_and_in_the_audit() -> None:
    run, other = waiting_run(flow()), waiting_run(flow("other"))
    client = signed_in(boss())
    assert 'name="reason"' in client.get(page(run, "cancel")).content.decode()
    client.post(page(run, "cancel"), {"reason": " The order was withdrawn. "})
    run.refresh_from_db()
    assert run.error_message == "The order was withdrawn."
    entry = AuditEntry.objects.get(action="run.cancel")
    assert entry.changes == {"reason": "The order was withdrawn."}

    assert 'name="reason"' in act(boss(), "cancel_runs", other).content.decode()
    act(boss(), "cancel_runs", other, confirmed="1", reason="x" * 600)
    other.refresh_from_db()
    assert other.error_message == "x" * REASON


def test_a_second_cancel_says_that_the_run_had_ended() -> None:
    run = broken_run(flow())
    response = signed_in(boss()).post(page(run, "cancel"), follow=True)
    assert "The run had ended already." in texts(response)
    run.refresh_from_db()
    assert run.status == "dead_letter"


@pytest.mark.django_db(transaction=True)
def test_what_the_service_refuses_is_told_where_it_was_asked_for() -> None:
    run = waiting_run(flow())
    chosen = {"start": "start", "version": "pinned"}
    response = signed_in(boss()).post(page(run, "redrive"), chosen)
    assert response.status_code == 200
    assert "is still running" in response.content.decode()
    assert 'value="start" selected' in response.content.decode()


@pytest.mark.parametrize("verb", ["redrive", "cancel", "payload"])
def test_a_viewer_repairs_nothing(verb: str) -> None:
    run = broken_run(flow())
    client = signed_in(operator(*VIEWER))
    shown = client.get(page(run)).content.decode()
    assert "Redrive" not in shown
    assert "exact payload" not in shown
    assert client.post(page(run, verb)).status_code == 403
    assert Run.objects.count() == 1
    assert not AuditEntry.objects.filter(action__startswith="run.").exists()


@pytest.mark.parametrize("verb", ["redrive", "cancel", "payload"])
def test_a_verb_without_the_right_to_see_runs_is_refused(verb: str) -> None:
    run = broken_run(flow())
    user = operator("runs.redrive_run", "runs.cancel_run", "runs.read_payloads")
    assert signed_in(user).post(page(run, verb)).status_code == 403


@pytest.mark.parametrize("verb", ["change", "redrive", "cancel", "payload"])
def test_another_team_s_run_is_not_there(verb: str) -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    run = broken_run(flow(team=team))
    rights = ("runs.redrive_run", "runs.cancel_run", "runs.read_payloads")
    stranger = signed_in(operator(*VIEWER, *rights))
    answer = stranger.get if verb == "change" else stranger.post
    assert answer(page(run, verb)).status_code == 404
    assert str(run.pk) not in stranger.get(reverse(LIST)).content.decode()

    member = signed_in(operator(*VIEWER, team=team))
    assert member.get(page(run)).status_code == 200
    assert str(run.pk) in member.get(reverse(LIST)).content.decode()


def test_every_list_action_carries_a_permission() -> None:
    """In Django 5.2 whoever may view can run an action without one."""
    assert len(RunAdmin.actions) == 3
    for name in RunAdmin.actions:
        assert getattr(RunAdmin, name).allowed_permissions, name


@pytest.mark.parametrize(
    "action", ["redrive_from_start", "redrive_from_failed", "cancel_runs"]
)
def test_a_viewer_is_offered_no_action(action: str) -> None:
    run = waiting_run(flow())
    ended = broken_run(run.workflow)
    viewer = operator(*VIEWER)
    assert action not in signed_in(viewer).get(reverse(LIST)).content.decode()
    act(viewer, action, run, ended, confirmed="1")
    run.refresh_from_db()
    assert run.status == "running"
    assert not Run.objects.filter(replay_of=ended).exists()


def test_selected_runs_are_redriven_after_a_question() -> None:
    workflow = flow()
    first, second = broken_run(workflow), broken_run(workflow)
    user = operator(*VIEWER, "runs.redrive_run")
    question = act(user, "redrive_from_failed", first, second).content.decode()
    assert str(first.pk) in question
    assert 'name="confirmed"' in question
    assert Run.objects.count() == 2
    act(user, "redrive_from_failed", first, second, confirmed="1", version="pinned")
    assert Run.objects.filter(replay_of__in=(first, second)).count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_refusal_does_not_keep_the_others_from_being_redriven() -> None:
    workflow = flow()
    succeeded = make_run(workflow, status="succeeded")
    broken = broken_run(workflow)
    response = signed_in(boss()).post(
        reverse(LIST),
        {
            "action": "redrive_from_failed",
            "_selected_action": [succeeded.pk, broken.pk],
            "confirmed": "1",
        },
        follow=True,
    )
    assert "1 run(s) redriven." in texts(response)
    assert "succeeded; redrive it from the start" in texts(response)
    assert Run.objects.get(replay_of__isnull=False).replay_of == broken


def test_selected_runs_that_cannot_be_cancelled_are_counted() -> None:
    workflow = flow()
    waiting, ended = waiting_run(workflow), broken_run(workflow)
    response = signed_in(boss()).post(
        reverse(LIST),
        {
            "action": "cancel_runs",
            "_selected_action": [waiting.pk, ended.pk],
            "confirmed": "1",
        },
        follow=True,
    )
    assert "1 run(s) cancelled." in texts(response)
    assert "1 run(s) left as they were." in texts(response)


def test_too_many_at_once_are_refused() -> None:
    workflow = flow()
    runs = [make_run(workflow) for _ in range(AT_ONCE + 1)]
    response = signed_in(boss()).post(
        reverse(LIST),
        {
            "action": "cancel_runs",
            "_selected_action": [runs[0].pk],
            "select_across": "1",
            "confirmed": "1",
        },
        follow=True,
    )
    assert f"Select at most {AT_ONCE} runs at once." in texts(response)
    assert not Run.objects.filter(status="cancelled").exists()


def test_the_exact_payload_needs_its_permission_and_leaves_an_entry() -> None:
    run = broken_run(flow())
    user = operator(*VIEWER, "runs.read_payloads")
    client = signed_in(user)
    assert CANARY not in client.get(page(run)).content.decode()
    response = client.post(page(run, "payload"))
    text = response.content.decode()
    assert f"{CANARY}-payload" in text
    assert f"{CANARY}-output" in text
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    entry = AuditEntry.objects.get(action="run.read_payload")
    assert (entry.user, entry.object_id) == (user, str(run.pk))
    assert CANARY not in str(entry.changes)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"start": "<script>", "version": "pinned"},
        {"start": "gone", "version": "pinned"},
        {"start": "start", "version": "../../"},
    ],
)
def test_what_the_page_does_not_offer_does_nothing(given: dict[str, str]) -> None:
    run = broken_run(flow())
    response = signed_in(boss()).post(page(run, "redrive"), given)
    assert response.status_code == 200
    assert "<script>" not in response.content.decode().partition("<form")[2]
    assert not AuditEntry.objects.filter(action="run.redrive").exists()
    assert not Run.objects.filter(replay_of=run).exists()

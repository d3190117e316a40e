"""The lists and pages of steps, attempts, log lines and workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone

from automate.accounts.models import Team
from automate.lib.ids import uuid7
from runs.admin.history import id_rule
from runs.admin.worker import is_alive
from runs.models import DeliveryAttempt, RunLog, StepRun, Worker
from tests.admin_world import boss, broken_run, flow, operator, signed_in, waiting_run

pytestmark = pytest.mark.django_db
MODELS = ("steprun", "deliveryattempt", "runlog")


def listed(model: str, user: Any = None, **filters: Any) -> list[Any]:
    response = signed_in(user or boss()).get(
        reverse(f"admin:runs_{model}_changelist"), filters
    )
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


@pytest.mark.parametrize("model", MODELS)
def test_history_belongs_to_its_run_and_its_team(model: str) -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    ours, shared = broken_run(flow("ours", team=team)), broken_run(flow("shared"))
    assert {row.run_id for row in listed(model)} == {ours.pk, shared.pk}
    stranger = operator(f"runs.view_{model}")
    assert {row.run_id for row in listed(model, stranger)} == {shared.pk}
    member = operator(f"runs.view_{model}", team=team)
    assert {row.run_id for row in listed(model, member)} == {ours.pk, shared.pk}
    row = listed(model, boss(), q=str(ours.pk))[0]
    page = reverse(f"admin:runs_{model}_change", args=(row.pk,))
    assert signed_in(stranger).get(page).status_code == 302  # to the index: not there
    assert signed_in(member).get(page).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_history_is_found_by_its_run(model: str) -> None:
    run, other = broken_run(flow("a")), broken_run(flow("b"))
    assert {row.run_id for row in listed(model, q=str(run.pk))} == {run.pk}
    assert {row.run_id for row in listed(model, run__id__exact=str(other.pk))} == {
        other.pk
    }
    assert listed(model, q="no such thing") == []


@pytest.mark.parametrize("model", [*MODELS, "worker", "run"])
@pytest.mark.parametrize("page", ["add", "delete"])
def test_nobody_adds_or_deletes_history(model: str, page: str) -> None:
    broken_run(flow())
    Worker.objects.create(kind="drain", host="h", pid=1)
    row = listed(model)[0]
    args = () if page == "add" else (row.pk,)
    address = reverse(f"admin:runs_{model}_{page}", args=args)
    assert signed_in(boss()).post(address, {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


def test_nobody_changes_history() -> None:
    broken_run(flow())
    for model, kind in (
        ("steprun", StepRun),
        ("deliveryattempt", DeliveryAttempt),
        ("runlog", RunLog),
    ):
        row: Any = kind._default_manager.latest("id")
        address = reverse(f"admin:runs_{model}_change", args=(row.pk,))
        assert signed_in(boss()).post(address, {"_save": "1"}).status_code == 403


def test_an_attempt_shows_request_and_answer() -> None:
    broken_run(flow())
    attempt = DeliveryAttempt.objects.latest("id")
    DeliveryAttempt.objects.filter(pk=attempt.pk).update(
        response_body='{"why":"<b>busy</b>"}', response_truncated=True
    )
    page = reverse("admin:runs_deliveryattempt_change", args=(attempt.pk,))
    text = signed_in(boss()).get(page).content.decode()
    for piece in ("503", "&lt;b&gt;busy", "… (cut here)", "&quot;order&quot;: 1"):
        assert piece in text, piece


def test_steps_are_filtered_by_what_they_wait_for() -> None:
    run = waiting_run(flow())
    broken_run(run.workflow)
    assert {row.run_id for row in listed("steprun", waiting_for="time")} == {run.pk}
    assert listed("steprun", waiting_for="retry") == []
    assert listed("deliveryattempt", method="GET") == []
    assert len(listed("deliveryattempt", method="POST")) == 2


def test_a_worker_is_silent_after_three_heartbeats() -> None:
    now = timezone.now()
    alive = Worker(kind="drain", host="a", pid=1, beat_at=now)
    silent = Worker(kind="drain", host="b", pid=2, beat_at=now - timedelta(minutes=1))
    assert is_alive(alive)
    assert not is_alive(silent)
    Worker.objects.bulk_create([alive, silent])
    page = signed_in(boss()).get(reverse("admin:runs_worker_changelist"))
    assert "alive</span>" in page.content.decode()
    assert "silent</span>" in page.content.decode()


@pytest.mark.parametrize("cut", [8, 12, 32, 36])
def test_the_beginning_of_an_id_is_a_range(cut: int) -> None:
    given = uuid7()
    rule = id_rule(str(given)[:cut])
    assert rule is not None
    low, high = (UUID(str(value)) for _name, value in rule.children)  # type: ignore[misc]
    assert low <= given <= high


@pytest.mark.parametrize(
    "term", ["", "0123456", "not-an-id", "g" * 32, "0" * 33, "%", "_______"]
)
def test_what_is_no_id_makes_no_rule(term: str) -> None:
    assert id_rule(term) is None

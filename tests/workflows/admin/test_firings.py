"""The latest firings on a trigger's page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Firing
from tests.admin_world import boss, flow, signed_in
from tests.makers import make_run
from tests.workflows.admin.test_schedule import scheduled
from workflows.admin.firings import LATEST, latest_firings
from workflows.models import Trigger

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def page(trigger: Trigger) -> str:
    address = reverse("admin:workflows_trigger_change", args=(trigger.pk,))
    response = signed_in(boss()).get(address)
    assert response.status_code == 200
    return str(response.content.decode())


def fired(trigger: Trigger, slot: str, **fields: object) -> Firing:
    return Firing.objects.create(
        trigger=trigger, slot=slot, scheduled_for=AT, fired_at=AT, **fields
    )


def test_each_names_its_minute_and_its_run() -> None:
    trigger = scheduled().triggers.get()
    run = make_run(trigger.workflow, status="failed")
    fired(trigger, "2026-03-01T13:30 Europe/Berlin", run=run)
    fired(trigger, "2026-03-01T13:31 Europe/Berlin")
    text = page(trigger)
    assert "2026-03-01 13:30 Europe/Berlin" in text
    assert reverse("admin:runs_run_change", args=(run.pk,)) in text
    assert '<span class="pill pill-failed">failed</span>' in text
    assert "passed over" in text


def test_of_many_the_latest_are_shown_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    trigger = scheduled().triggers.get()
    for number in range(LATEST + 5):
        fired(trigger, f"minute-{number:02}", run=make_run(trigger.workflow))
    with django_assert_num_queries(1):
        text = latest_firings(trigger)
    assert text.count("<li>") == LATEST
    assert "minute-04" not in text
    assert text.index("minute-24") < text.index("minute-05")


def test_one_that_has_never_fired_shows_a_dash() -> None:
    trigger = flow().triggers.get()
    assert latest_firings(trigger) == "–"  # noqa: RUF001
    assert "Latest firings" not in page(trigger)
    assert "Latest firings" in page(scheduled().triggers.get())
    assert latest_firings(Trigger()) == "–"  # noqa: RUF001


def test_another_trigger_s_firings_are_not_shown() -> None:
    trigger, other = scheduled().triggers.get(), flow().triggers.get()
    fired(other, "another minute")
    assert "another minute" not in page(trigger)

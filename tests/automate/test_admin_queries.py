"""Lists and pages take as many queries for many rows as for few."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from automate.admin import site
from tests.admin_world import boss, broken_run, flow, operator, signed_in, world
from tests.makers import make_attempt, make_step

pytestmark = pytest.mark.django_db
LABELS = sorted(model._meta.label_lower for model in site._registry)
VIEWS = [f"{label.split('.')[0]}.view_{label.split('.')[1]}" for label in LABELS]


def list_page(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def test_every_list_with_fifty_rows(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Session, person, two looks for dates, count, rows, and what filters offer."""
    world(55)
    client = signed_in(boss())
    for label in LABELS:
        model = apps.get_model(label)
        assert model._default_manager.count() >= 50, label
        with django_assert_max_num_queries(10):
            response = client.get(list_page(label))
        assert len(response.context["cl"].result_list) == 50, label


def test_every_list_for_a_person_of_a_team(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Permissions cost two more, and rows by team nothing."""
    world(20)
    client = signed_in(operator(*VIEWS))
    for label in LABELS:
        with django_assert_max_num_queries(14):
            assert client.get(list_page(label)).status_code == 200


def test_a_run_with_many_steps_and_attempts(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    run = broken_run(flow())
    for number in range(60):
        step = make_step(run, f"step-{number}")
        for attempt in (1, 2):
            make_attempt(step, attempt)
    client = signed_in(boss())
    with django_assert_max_num_queries(9):
        page = client.get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert page.content.decode().count("Attempt 2") == 61


def test_the_overview(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    world(20)
    client = signed_in(boss())
    with django_assert_max_num_queries(16):
        page = client.get(reverse("admin:index"))
    assert page.status_code == 200


def statements(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in caught.captured_queries]


def test_a_list_never_counts_its_whole_table() -> None:
    """Each count has a limit within; a million rows would take it seconds."""
    broken_run(flow())
    client = signed_in(boss())
    for label in ("runs.run", "runs.steprun", "runs.deliveryattempt", "runs.runlog"):
        for sql in statements(client, list_page(label)):
            if "COUNT(" in sql:
                assert "LIMIT 10001" in sql, sql


def test_dates_are_offered_without_reading_every_row() -> None:
    broken_run(flow())
    client = signed_in(boss())
    for label in ("runs.run", "runs.deliveryattempt", "webhooks.inboundevent"):
        for sql in statements(client, list_page(label)):
            assert "DISTINCT" not in sql, sql
            assert "MIN(" not in sql, sql


def test_lists_of_runs_decrypt_nothing() -> None:
    broken_run(flow())
    client = signed_in(boss())
    for label in ("runs.run", "runs.steprun", "runs.deliveryattempt", "runs.runlog"):
        for sql in statements(client, list_page(label)):
            assert '"body"' not in sql, sql
            assert '"output"' not in sql, sql

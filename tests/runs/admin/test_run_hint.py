"""What the list of runs says when a search finds nothing."""

from __future__ import annotations

import html

import pytest
from django.urls import reverse

from automate.accounts.models import Team, User
from tests.admin_world import boss, flow, operator, signed_in
from tests.makers import make_run

pytestmark = pytest.mark.django_db


def said(term: str, user: User | None = None) -> str:
    page = reverse("admin:runs_run_changelist")
    response = signed_in(user or boss()).get(page, {"q": term})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_mistyped_workflow_is_told_with_those_that_are_near() -> None:
    make_run(flow("orders"))
    text = said("ordres")
    assert "No workflow, event or error is called “ordres”." in text
    assert 'Did you mean <a href="?q=orders">orders</a>?' in text
    assert "Nothing matches." in text
    assert "Did you mean" not in said("zzzzzz")


def test_a_workflow_without_runs_is_no_mistake() -> None:
    flow("orders")
    assert "The workflow “orders” has no such run." in said("orders")


def test_an_id_that_no_run_has() -> None:
    make_run(flow("orders"))
    assert "No run has an id that begins like this." in said("deadbeef")


def test_nothing_is_said_where_something_is_found() -> None:
    make_run(flow("orders"))
    text = said("orders")
    assert "Nothing matches." not in text
    assert "Did you mean" not in text


def test_another_team_s_workflows_are_not_named() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    flow("orders", team=team)
    stranger = operator("runs.view_run", "workflows.view_workflow")
    assert "orders</a>" not in said("ordres", stranger)
    assert "has no such run" not in said("orders", stranger)

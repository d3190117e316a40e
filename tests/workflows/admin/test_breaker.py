"""A breaker in the admin: who sees why steps wait, and who may close it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from automate.accounts.models import AuditEntry, Team
from tests.admin_world import boss, operator, signed_in
from tests.workflows.admin.test_write_only import address
from workflows.models import Breaker, Connection

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 20, 12, 3, 10, tzinfo=UTC)


@pytest.fixture
def link() -> Connection:
    team = Team.objects.create(name="Mine", slug="mine")
    row = Connection.objects.create(
        name="crm",
        kind="bearer",
        base_url="https://crm.example.com",
        credentials={"token": "t"},
        team=team,
    )
    Breaker.objects.create(
        connection=row,
        state="open",
        opened_at=MOMENT,
        probe_at=MOMENT.replace(minute=4),
        last_error="TimedOut: no answer",
    )
    return row


def close(client: Client, link: Connection, method: str = "post") -> int:
    url = reverse("admin:workflows_connection_close_breaker", args=(link.pk,))
    status: int = getattr(client, method)(url).status_code
    return status


def test_the_page_and_the_list_say_what_is_wrong(link: Connection) -> None:
    client = signed_in(operator("workflows.view_connection", team=link.team))
    page = client.get(address("connection", "change", link.pk)).content.decode()
    rows = client.get(address("connection", "changelist")).content.decode()

    assert "The breaker is open since 2026-11-20 12:03:10 UTC" in page
    assert "next probe may be made at 12:04:10 UTC" in page
    assert "TimedOut: no answer" in page
    assert "Close the breaker" not in page, "it needs a permission"
    assert "since 2026-11-20 12:03:10 UTC, next probe 12:04:10 UTC" in rows


def test_a_closed_one_is_not_spoken_of(link: Connection) -> None:
    Breaker.objects.update(state="closed", opened_at=None, probe_at=None)
    client = signed_in(boss())

    page = client.get(address("connection", "change", link.pk)).content.decode()

    assert "The breaker is" not in page


def test_it_is_closed_by_a_post_with_the_permission(link: Connection) -> None:
    client = signed_in(
        operator("workflows.view_connection", "workflows.close_breaker", team=link.team)
    )
    page = client.get(address("connection", "change", link.pk)).content.decode()
    assert "Close the breaker now" in page
    assert close(client, link, "get") == 405
    assert Breaker.objects.get().state == "open"
    assert close(client, link) == 302
    assert close(client, link) == 302, "again is no harm"

    row = Breaker.objects.get()
    assert (row.state, row.wake_after) == ("closed", 0)
    entry = AuditEntry.objects.get(action="connection.close_breaker")
    assert entry.object_name == "crm"


def test_others_may_not(link: Connection) -> None:
    without = signed_in(operator("workflows.change_connection", team=link.team))
    stranger = signed_in(
        operator("workflows.view_connection", "workflows.close_breaker")
    )

    assert close(without, link) == 403
    assert close(stranger, link) == 404
    assert Breaker.objects.get().state == "open"

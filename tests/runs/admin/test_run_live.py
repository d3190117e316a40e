"""The state of a run for pages that cannot reach the stream."""

from __future__ import annotations

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import Team
from runs.models import Job
from tests.admin_world import boss, operator, signed_in
from tests.makers import make_job, make_run, make_workflow

pytestmark = pytest.mark.django_db


def test_a_page_asks_with_an_etag_until_something_changed() -> None:
    run = make_run(status="running")
    job = make_job(run, due_in=60)
    client, url = signed_in(boss()), reverse("admin:runs_run_state", args=(run.pk,))

    first = client.get(url)
    assert first.status_code == 200
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get(url, headers=known).status_code == 304
    Job.objects.filter(pk=job.pk).update(seq=1)
    again = client.get(url, headers=known)
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def test_it_asks_little_of_the_database(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    run, client = make_run(status="running"), signed_in(boss())

    with django_assert_max_num_queries(6):  # whose session, may they, what it is now
        answer = client.get(reverse("admin:runs_run_state", args=(run.pk,)))
    assert (answer.status_code, bool(answer.headers["ETag"])) == (200, True)


def test_another_team_s_run_is_not_there() -> None:
    team = Team.objects.create(name="Theirs", slug="theirs")
    run = make_run(make_workflow(team=team))
    url = reverse("admin:runs_run_state", args=(run.pk,))

    assert signed_in(operator("runs.view_run")).get(url).status_code == 404
    assert signed_in(operator()).get(url).status_code == 403


def test_only_the_page_of_a_run_that_goes_on_is_kept_up_to_date(
    settings: Settings,
) -> None:
    settings.STREAM_URL = "http://127.0.0.1:8001"
    client, over, on = signed_in(boss()), make_run(status="failed"), make_run()

    page = client.get(reverse("admin:runs_run_change", args=(on.pk,))).content.decode()
    assert f'data-events="http://127.0.0.1:8001/api/v1/runs/{on.pk}/events"' in page
    assert "live.js" in page
    page = client.get(
        reverse("admin:runs_run_change", args=(over.pk,))
    ).content.decode()
    assert "live.js" not in page
    assert 'id="live"' not in page

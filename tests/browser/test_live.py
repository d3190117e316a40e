"""The page of a run keeps up with it: by the stream, and where there is none."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from automate import ports
from runs.models import Job, Run
from tests.browser.test_operator_path import sign_in
from tests.makers import make_job, make_run, make_step, make_workflow
from tests.runs.stream.listening import listening
from tests.runs.stream.test_listener import finish, move

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("page", [1280], indirect=True),
]


def running_run() -> Run:
    run = make_run(make_workflow(name="Orders"), {"id": 7}, status="running")
    make_job(run, due_in=3600)
    make_step(run, "notify", status="running")
    return run


def followed(page: Page, site: str, run: Run, how: str) -> None:
    """The page is told of a step, and of the end, and stops there."""
    page.goto(f"{site}/admin/runs/run/{run.pk}/change/")
    expect(page.locator(f'#content[data-live="{how}"]')).to_be_attached()
    page.get_by_text("What arrived").scroll_into_view_if_needed()
    move(run)
    expect(
        page.locator("section", has_text="notify").get_by_text("succeeded")
    ).to_be_visible()
    finish(run)
    expect(page.locator(".run-title .pill")).to_have_text("succeeded")
    expect(page.get_by_role("status")).to_contain_text("The run is now: succeeded")
    expect(page.locator('#content[data-live="over"]')).to_be_attached()


def test_it_is_told_by_the_stream(
    page: Page, site: str, settings: Settings, complaints: list[str], tmp_path: Path
) -> None:
    sign_in(page, site)
    with listening(tmp_path, site=site) as listener:
        # Of the site's host, as it follows from the public address: cookies are for a
        # host, whatever the port.
        settings.STREAM_URL = f"http://{urlsplit(site).hostname}:{listener.port}"
        followed(page, site, running_run(), "stream")
    assert complaints == []


def test_without_a_stream_it_asks(
    page: Page, site: str, settings: Settings, complaints: list[str]
) -> None:
    sign_in(page, site)
    settings.STREAM_URL = f"http://127.0.0.1:{ports.free_port()}"
    followed(page, site, running_run(), "poll")
    assert complaints == []


def test_what_somebody_writes_stays(page: Page, site: str, settings: Settings) -> None:
    """An answer that is being written is worth more than the latest state."""
    from tests.browser.test_approvals import asking

    sign_in(page, site)
    settings.STREAM_URL = f"http://127.0.0.1:{ports.free_port()}"
    run = asking()
    page.goto(f"{site}/admin/runs/run/{run.pk}/change/")
    expect(page.locator('#content[data-live="poll"]')).to_be_attached()
    box = page.get_by_label("Comment").first
    box.fill("Let me look")
    Job.objects.filter(run=run).update(seq=99)
    page.wait_for_timeout(6000)

    expect(box).to_have_value("Let me look")

"""Repair in a real browser: from a step, of many at once, and a try before."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from runs.models import Campaign, Run
from runs.services import execute_manually
from tests.browser.test_operator_path import fits, shows, sign_in, wait_for
from tests.runs.flows import call, given, publish
from workflows.models import Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def orders(httpserver: HTTPServer) -> Workflow:
    """A line of two steps, the second of which calls the receiver."""
    body = {"body": {"n": "{{ trigger.payload.n }}", "of": "{{ steps.first.x }}"}}
    return publish(
        given("first", x="{{ trigger.payload.n }}"),
        call("second", httpserver.url_for("/hook"), config=body),
    )


def refuses(httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data("no such order", status=404)


def accepts(httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_json({"ticket": 4711})


def failed_runs(workflow: Workflow, count: int) -> list[Run]:
    """So many events, each of which has failed."""
    made = [execute_manually(workflow, {"n": n}, None).run_id for n in range(count)]
    ends = time.monotonic() + 60
    while Run.objects.filter(pk__in=made, status="failed").count() < count:
        assert time.monotonic() < ends, list(Run.objects.values_list("status"))
        time.sleep(0.1)
    return list(Run.objects.filter(pk__in=made).order_by("pk"))


@pytest.mark.usefixtures("engine")
def test_an_operator_redrives_a_run_from_a_step(
    page: Page, site: str, httpserver: HTTPServer, complaints: list[str]
) -> None:
    refuses(httpserver)
    (run,) = failed_runs(orders(httpserver), 1)
    sign_in(page, site)
    page.goto(f"{site}/admin/runs/run/{run.pk}/change/")
    expect(page.get_by_text("Mend the cause, then redrive it")).to_be_visible()
    fits(page)
    accepts(httpserver)
    page.get_by_role("link", name="Redrive from the start").click()
    fits(page)
    page.get_by_label("Begin with").select_option(label="second (failed)")
    page.get_by_role("button", name="Redrive").click()
    wait_for(page, "succeeded")
    expect(page.get_by_text("taken over from the earlier run")).to_have_count(1)
    shows(page, '"ticket": 4711')
    assert complaints == []


@pytest.mark.usefixtures("engine")
def test_an_operator_redrives_all_that_the_list_shows(
    page: Page, site: str, httpserver: HTTPServer, complaints: list[str]
) -> None:
    refuses(httpserver)
    runs = failed_runs(orders(httpserver), 3)
    sign_in(page, site)
    page.get_by_role("link", name="Look at them").click()
    fits(page)
    accepts(httpserver)
    page.get_by_role("link", name="Redrive all that match").click()
    expect(page.get_by_text("3 runs match")).to_be_visible()
    fits(page)
    page.get_by_label("Redrives a second").fill("50")
    page.get_by_role("button", name="Redrive 3 runs").click()
    expect(page.get_by_text("The campaign has begun: 3 run(s).")).to_be_visible()
    fits(page)
    ends = time.monotonic() + 60
    while "finished" not in page.locator(".run-title").inner_text():
        assert time.monotonic() < ends
        time.sleep(0.2)
        page.reload()
    # The link and not the text: below it "...3 succeeded" may be a run's id and status.
    succeeded = page.get_by_role("link", name="3 succeeded", exact=True)
    while succeeded.count() == 0:
        assert time.monotonic() < ends
        time.sleep(0.2)
        page.reload()
    fits(page)
    succeeded.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    fits(page)
    page.goto(f"{site}/admin/runs/campaign/")
    fits(page)
    again = Run.objects.filter(replay_of__in=runs, status="succeeded")
    assert again.count() == 3
    assert complaints == []


def test_a_campaign_is_paused_resumed_and_stopped_by_keyboard(
    page: Page, site: str, httpserver: HTTPServer, complaints: list[str]
) -> None:
    """No worker runs here: it stays where it is."""
    workflow = orders(httpserver)
    run_id = execute_manually(workflow, {"n": 1}, None).run_id
    run = Run.objects.get(pk=run_id)
    campaign = Campaign.objects.create(filter={"workflow": workflow.slug}, total=1)
    campaign.runs.create(run=run)
    sign_in(page, site)
    page.goto(f"{site}/admin/runs/campaign/{campaign.pk}/change/")
    for button, status in (
        ("Pause", "paused"), ("Resume", "running"), ("Stop", "stopped"),
    ):  # fmt: skip
        page.get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")
        expect(page.locator(".run-title .pill")).to_have_text(status)
        fits(page)
    expect(page.get_by_text("Stopped by ops@example.com")).to_be_visible()
    assert complaints == []


def test_an_operator_tries_a_step_and_then_sends_it(
    page: Page, site: str, httpserver: HTTPServer, complaints: list[str]
) -> None:
    accepts(httpserver)
    workflow = orders(httpserver)
    draft = workflow.published
    assert draft is not None
    Workflow.objects.filter(pk=workflow.pk).update(definition=draft.definition)
    sign_in(page, site)
    page.goto(f"{site}/admin/workflows/workflow/{workflow.pk}/change/")
    page.get_by_role("link", name="Try a step").click()
    fits(page)
    page.get_by_label("Step").select_option(label="second (http_request)")
    typed = {"trigger": {"payload": {"n": 8}}, "steps": {"first": {"x": 9}}}
    page.get_by_label("Other data").fill(json.dumps(typed))
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.get_by_role("heading", name="The request, not sent")).to_be_visible()
    expect(page.locator("#shown pre").first).to_contain_text(re.compile(r'"of": 9'))
    fits(page)
    assert httpserver.log == []
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_text("The answer: 200")).to_be_visible()
    expect(page.get_by_text('"ticket": 4711').first).to_be_visible()
    fits(page)
    assert len(httpserver.log) == 1
    assert complaints == []


def test_on_a_telephone_the_menu_opens_and_hides_nothing(
    page: Page, site: str, complaints: list[str]
) -> None:
    sign_in(page, site)
    menu = page.locator(".narrow-nav summary")
    wide = page.viewport_size is not None and page.viewport_size["width"] > 767
    places = page.get_by_role("navigation", name="Main").get_by_role("link")
    if not wide:
        expect(places).to_have_count(0)
        menu.focus()
        page.keyboard.press("Enter")
    names = places.all_inner_texts()
    assert names[0] == "Overview"
    assert "Campaigns" in names
    for place in places.all():
        box = place.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    fits(page)
    places.filter(has_text="Turned away").click()
    expect(page.get_by_role("heading", name="Turned away")).to_be_visible()
    expect(page.locator(".breadcrumbs")).to_have_text(
        re.compile(r"^\s*Home\s+\W\s+Turned away\s*$")
    )
    assert complaints == []

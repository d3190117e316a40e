"""Deciding in a real browser: without an account, and as an operator."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from runs.addresses import address_of
from runs.models import Run, StepRun
from tests.admin_world import asking_run, flow
from tests.browser.test_operator_path import fits, sign_in
from tests.runs.waiting import ask
from workflows.models import WorkflowVersion

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def asking() -> Run:
    """A run that waits, with much to read."""
    run = asking_run(
        flow(),
        message="Ship order 7 to Ada?\nShe has paid.",
        details={"order": 7, "note": "a-very-long-word-" * 20},
    )
    definition = {"nodes": [ask()], "connections": []}
    WorkflowVersion.objects.filter(pk=run.version_id).update(definition=definition)
    return run


def step(run: Run) -> StepRun:
    return StepRun.objects.get(run=run)


@pytest.mark.parametrize("decision", ["Approve", "Reject"])
def test_somebody_without_an_account_decides(
    decision: str, page: Page, site: str, complaints: list[str]
) -> None:
    run = asking()
    page.goto(address_of(run.pk, "ask"))
    expect(page.get_by_text("Ship order 7 to Ada?")).to_be_visible()
    fits(page)
    colour = page.evaluate("getComputedStyle(document.querySelector('.yes')).color")
    assert colour == "rgb(255, 255, 255)"  # the style sheet passed its policy
    box = page.get_by_role("button", name=decision).bounding_box()
    assert box is not None
    assert box["height"] >= 44

    page.get_by_label("Comment").fill("Looks good")
    page.get_by_role("button", name=decision).click()

    expect(page.get_by_role("heading", name=re.compile("Thank you"))).to_be_visible()
    fits(page)
    assert complaints == []
    row = step(run)
    assert row.port == {"Approve": "approved", "Reject": "rejected"}[decision]
    assert row.output["comment"] == "Looks good"

    page.goto(address_of(run.pk, "ask"))
    expect(page.get_by_role("heading", name="Already decided")).to_be_visible()
    fits(page)


def test_it_works_by_keyboard(page: Page, site: str) -> None:
    run = asking()
    page.goto(address_of(run.pk, "ask"))
    page.get_by_label("Comment").focus()
    page.keyboard.type("By hand")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Approved. Thank you.")).to_be_visible()
    assert step(run).output["comment"] == "By hand"


def test_an_operator_decides_from_the_list(
    page: Page, site: str, complaints: list[str]
) -> None:
    run = asking()
    sign_in(page, site)
    page.goto(f"{site}/admin/runs/waittoken/")
    expect(page.get_by_role("heading", name="Decisions")).to_be_visible()
    fits(page)
    page.get_by_role("link", name=re.compile("Ship order 7")).click()
    fits(page)
    page.goto(f"{site}/admin/runs/run/{run.pk}/change/")
    fits(page)
    page.get_by_text("Address at which it can be answered").click()
    expect(page.get_by_text(address_of(run.pk, "ask"))).to_be_visible()
    fits(page)
    page.get_by_label("Comment").fill("Fine")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved. The run goes on.")).to_be_visible()
    assert step(run).output["by"] == "ops@example.com"
    assert complaints == []

"""No page makes the browser complain, is too wide, or keeps anybody out (axe)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from automate.accounts.models import SecondFactor, User
from runs.addresses import address_of
from runs.models import Run
from tests.admin_world import asking_run, flow, world
from tests.automate.accounts.sign_in.steps import app_code
from tests.automate.test_admin_pages import pages
from tests.browser.access import barriers
from tests.browser.test_operator_path import PASSWORD, fits, sign_in
from tests.runs.waiting import ask
from workflows.models import WorkflowVersion

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1200),
]


def test_every_page_opens_without_a_complaint(
    page: Page, site: str, complaints: list[str]
) -> None:
    world(1)
    sign_in(page, site)
    addresses = list(pages())
    assert len(addresses) > 40
    for address in (*addresses, "/admin/password_change/", "/admin/second_factor/"):
        page.goto(f"{site}{address}")
        assert complaints == [], address
        fits(page)
        assert barriers(page) == [], address
    page.goto(f"{site}/nothing")
    # The page itself is a 404, and the only complaint.
    assert all("404" in said for said in complaints), complaints
    assert barriers(page) == []
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_no_colours_keep_anybody_out(page: Page, site: str) -> None:
    """Pages with every kind of pill, note, button and form, in the other colours."""
    workflow = world(1)
    run = Run.objects.filter(status="dead_letter").earliest("id")
    asks = Run.objects.get(wait_tokens__isnull=False)
    wide = page.viewport_size is not None and page.viewport_size["width"] > 767
    other = "dark" if wide else "light"
    sign_in(page, site)
    for address in (
        "", f"runs/run/{run.pk}/change/", f"runs/run/{asks.pk}/change/", "runs/run/",
        "runs/run/redrive-all/?status=unrepaired", f"runs/run/try/{workflow.pk}/",
        f"workflows/workflow/{workflow.pk}/change/", "runs/run/?q=ordres",
        "workflows/connection/add/", "second_factor/",
    ):  # fmt: skip
        page.goto(f"{site}/admin/{address}")
        assert barriers(page, scheme=other) == [], address


def test_signing_in_and_deciding_keep_nobody_out(page: Page, site: str) -> None:
    page.goto(f"{site}/admin/login/?next=/admin/")
    assert barriers(page) == []
    run = asking_run(flow(), details={"order": 7})
    definition = {"nodes": [ask()], "connections": []}
    WorkflowVersion.objects.filter(pk=run.version_id).update(definition=definition)
    page.goto(address_of(run.pk, "ask"))
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert barriers(page) == []
    page.goto(address_of(run.pk, "ask")[:-1])
    expect(page.get_by_text("incomplete or mistyped")).to_be_visible()
    fits(page)
    assert barriers(page) == []


def test_a_person_sets_up_a_second_factor_by_keyboard(
    page: Page, site: str, complaints: list[str]
) -> None:
    sign_in(page, site)
    page.get_by_role("link", name="Second factor").click()
    fits(page)
    page.get_by_role("button", name="Set it up").press("Enter")
    expect(page.get_by_alt_text("QR code of the key below")).to_be_visible()
    drawn = page.locator("img.qr").evaluate("image => image.naturalWidth")
    assert drawn > 100
    fits(page)
    device = SecondFactor.objects.get()
    page.get_by_label("Code:").fill(app_code(device))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    fits(page)
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{site}/admin/login/?next=/admin/runs/run/")
    page.get_by_label("E-mail address").fill("ops@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    code = page.get_by_label("Code of your authenticator app")
    expect(code).to_be_focused()
    fits(page)
    SecondFactor.objects.update(last_step=-1)  # as if a step had ended meanwhile
    code.fill(app_code(device))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert User.objects.get().second_factor_since is not None
    assert complaints == []

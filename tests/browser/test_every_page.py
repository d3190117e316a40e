"""No page makes the browser complain: the policy blocks nothing of ours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from automate.accounts.models import SecondFactor, User
from tests.admin_world import world
from tests.automate.accounts.sign_in.steps import app_code
from tests.automate.test_admin_pages import pages
from tests.browser.test_operator_path import PASSWORD, fits, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
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
    page.goto(f"{site}/admin/login/?next=/admin/")
    page.goto(f"{site}/nothing")
    # The page itself is a 404, and the only complaint.
    assert all("404" in said for said in complaints), complaints


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
    page.get_by_label("Code:").fill(app_code(device, -1))
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
    code.fill(app_code(device))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert User.objects.get().second_factor_since is not None
    assert complaints == []

"""/docs: drawn from the site's own description, by files of this site alone."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_operator_path import fits, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]


def test_it_shows_every_operation_without_a_complaint(
    page: Page, site: str, complaints: list[str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/docs")
    expect(page.get_by_role("heading", name=re.compile("Automate"))).to_be_visible()
    page.get_by_text("/api/v1/runs/{run_id}/redrive").first.wait_for(state="attached")
    fits(page)
    operation = page.locator("#operations-Runs-redrive_run")
    operation.locator(".opblock-summary").click()
    expect(operation.get_by_text("it cannot be redriven", exact=False)).to_be_visible()
    fits(page)
    assert complaints == []
    here = urlsplit(site).netloc
    elsewhere = [
        url for url in asked if urlsplit(url).netloc != here and url[:5] != "data:"
    ]
    assert elsewhere == []


def test_the_admin_leads_there(page: Page, site: str, complaints: list[str]) -> None:
    sign_in(page, site)
    page.get_by_role("link", name="API", exact=True).click()
    expect(page).to_have_url(f"{site}/docs")
    assert complaints == []

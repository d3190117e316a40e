"""The operator's path in a real browser: build, publish, watch, repair."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from automate.accounts.models import User
from automate.lib.signing import github_signature
from tests.admin_world import flow, world
from workflows import services

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECRET = "canary-typed-by-the-operator"
PASSWORD = "correct horse battery"


def sign_in(page: Page, site: str) -> None:
    User.objects.create_superuser("ops@example.com", PASSWORD)
    page.goto(f"{site}/admin/")
    page.get_by_label("E-mail address").fill("ops@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def fits(page: Page) -> None:
    """Nothing makes the page itself scroll sideways."""
    # After a click the new document is there, but may be empty and without its styles.
    page.wait_for_load_state()
    excess = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert excess <= 0, f"{page.url} is {excess} px too wide"


def shows(page: Page, text: str) -> None:
    """The last step's answer stands there, and in its output, which is folded."""
    step = page.locator("article.step").last
    received = step.locator(".exchange section").filter(has_text="Answer received")
    expect(received.locator("pre")).to_contain_text(text)
    expect(received.locator("pre")).to_be_visible()
    output = step.locator("details").filter(
        has=page.locator("summary:text-is('Output')")
    )
    given = output.locator("pre")
    expect(given).to_be_hidden()
    output.locator("summary").click()
    expect(given).to_contain_text(text)
    expect(given).to_be_visible()
    fits(page)


def build(page: Page, receiver: str) -> str:
    """Create and publish a one-step workflow; the address of its webhook."""
    page.get_by_role("link", name="Create the first workflow").click()
    fits(page)
    page.get_by_label("Name:").fill("Order received")
    # Django's own script makes the slug while somebody types.
    page.get_by_label("Name:").press("End")
    page.get_by_label("Name:").press_sequentially("!")
    expect(page.get_by_label("Slug:")).to_have_value("order-received")
    draft = page.get_by_label("Draft:")
    draft.fill(draft.input_value().replace("https://example.com/hook", receiver))
    webhook = page.locator("#triggers-0")  # another form is the pattern of new ones
    webhook.get_by_label("Signature scheme:").select_option(label="GitHub")
    webhook.get_by_label("Path:").fill("orders/in")
    webhook.get_by_label("Signing secret:").fill(SECRET)
    page.get_by_role("button", name="Save and publish").click()
    expect(page.get_by_text("version 1 is published")).to_be_visible()
    fits(page)
    assert SECRET not in page.content()
    return page.locator(".field-address code").first.inner_text()


def post(address: str, event: dict[str, object], delivery: str) -> str:
    """Post an event as GitHub does; the id of its run."""
    body = json.dumps(event).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": github_signature(SECRET.encode(), body),
    }
    assert urlsplit(address).hostname in ("localhost", "127.0.0.1")
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202
        return str(json.load(answer)["run_id"])


def wait_for(page: Page, status: str) -> None:
    """Look at the run's page until it shows this status."""
    ends = time.monotonic() + 60
    shown = page.locator(".run-title .pill")
    while shown.inner_text() != status:
        assert time.monotonic() < ends, f"still {shown.inner_text()}"
        time.sleep(0.2)
        page.reload()
    fits(page)


@pytest.mark.usefixtures("engine")
def test_an_operator_builds_watches_and_repairs(
    page: Page, site: str, httpserver: HTTPServer, complaints: list[str]
) -> None:
    httpserver.expect_request("/hook").respond_with_json({"ticket": 4711})
    sign_in(page, site)
    fits(page)
    address = build(page, httpserver.url_for("/hook"))

    first = post(address, {"ref": "refs/heads/main"}, "delivery-1")
    page.goto(f"{site}/admin/runs/run/{first}/change/")
    wait_for(page, "succeeded")
    shows(page, '"ticket": 4711')
    expect(page.locator(".exchange pre").first).to_contain_text("refs/heads/main")
    page.locator(".exchange summary").first.click()
    expect(page.get_by_text("Idempotency-Key", exact=False).first).to_be_visible()

    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data("no such order", status=404)
    second = post(address, {"ref": "refs/heads/other"}, "delivery-2")
    page.goto(f"{site}/admin/runs/run/{second}/change/")
    wait_for(page, "failed")
    page.goto(f"{site}/admin/")
    page.get_by_role("link", name="Look at them").click()
    page.get_by_role("link", name=second[-8:]).click()
    expect(page.get_by_text("no such order").first).to_be_visible()

    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_json({"ticket": 4712})
    page.get_by_role("link", name="Redrive from the failed step").click()
    fits(page)
    page.get_by_role("button", name="Redrive").click()
    wait_for(page, "succeeded")
    shows(page, '"ticket": 4712')
    page.get_by_role("link", name=second).last.click()
    expect(page.get_by_text("Redriven as")).to_be_visible()
    assert complaints == []


@pytest.mark.usefixtures("engine")
def test_an_operator_starts_a_run_by_hand_and_cancels_it_while_it_waits(
    page: Page, site: str, complaints: list[str]
) -> None:
    pause = {"id": "pause", "type": "delay", "config": {"duration": "1h"}}
    document = {"name": "Later", "slug": "later", "definition": {"nodes": [pause]}}
    services.create_workflow(document, by=None)
    sign_in(page, site)
    page.goto(f"{site}/admin/workflows/workflow/")
    fits(page)
    page.get_by_role("link", name="Later").click()
    page.get_by_role("link", name="Run now").click()
    fits(page)
    page.get_by_label("Payload").fill('{"order": 7}')
    page.get_by_role("button", name="Run now").click()
    wait_for(page, "waiting")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_label("Reason").fill("The order was withdrawn.")
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, "cancelled")
    expect(page.locator(".trouble").first).to_contain_text("was withdrawn")
    assert complaints == []


def test_problems_of_a_draft_stand_at_the_field(
    page: Page, site: str, complaints: list[str]
) -> None:
    flow("orders")
    sign_in(page, site)
    page.goto(f"{site}/admin/workflows/workflow/?q=orders")
    page.get_by_role("link", name="Orders", exact=True).click()
    page.get_by_label("Draft:").fill('{"nodes": [{"id": "a", "type": "nonsense"}]}')
    page.get_by_role("button", name="Save and publish").click()
    told = page.locator(".field-definition .errorlist")
    expect(told).to_contain_text(re.compile(r"nodes\[0\]\.type"))
    fits(page)
    page.get_by_label("Draft:").fill("{")
    page.get_by_role("button", name="Save and publish").click()
    expect(told).to_contain_text("This is not JSON")
    assert complaints == []


PLACES = (
    "runs/run", "runs/steprun", "runs/deliveryattempt", "runs/campaign",
    "runs/campaignrun", "runs/waittoken", "runs/run/redrive-all", "workflows/trigger",
    "workflows/secret/add", "workflows/connection/add", "accounts/user/add",
    "accounts/apikey/add", "accounts/auditentry", "webhooks/inboundevent",
)  # fmt: skip


def test_every_kind_of_page_fits_and_is_quiet(
    page: Page, site: str, complaints: list[str]
) -> None:
    world(3)
    sign_in(page, site)
    for place in PLACES:
        page.goto(f"{site}/admin/{place}/")
        fits(page)
    assert complaints == []


def test_a_trigger_s_form_shows_the_boxes_of_its_kind(page: Page, site: str) -> None:
    sign_in(page, site)
    page.goto(f"{site}/admin/workflows/workflow/add/")
    form = page.locator("#triggers-0")  # it begins as a webhook
    senders = (
        "Signature scheme:",
        "Path:",
        "Events:",
        "Rate limit:",
        "Signing secret:",
    )
    clock = ("Cron:", "Time zone:", "Missed moments:")

    def shown() -> list[str]:
        names = (*senders, *clock)
        return [name for name in names if form.get_by_label(name).is_visible()]

    assert shown() == list(senders)
    form.get_by_label("Kind:").select_option(label="Schedule")
    assert shown() == list(clock)
    fits(page)
    form.get_by_label("Kind:").select_option(label="By hand")
    assert shown() == []
    form.get_by_label("Kind:").select_option(label="Schedule")
    form.get_by_label("Cron:").fill("0 3 * * *")
    form.get_by_label("Kind:").select_option(label="Webhook")
    assert shown() == [*senders, *clock], "what holds something stays"
    page.get_by_text("Add another Trigger").click()
    second = page.locator("#triggers-1")
    expect(second.get_by_label("Path:")).to_be_visible()
    expect(second.get_by_label("Cron:")).to_be_hidden()

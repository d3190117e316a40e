"""A browser, a site to open in it, and a drain that works behind it."""

from __future__ import annotations

import ipaddress
import shutil
import threading
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from runs.engine.drain import Drain
from runs.services.chores import all_chores

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
MOST = 60_000  # milliseconds; the machine may be busy


@pytest.fixture(scope="module", autouse=True)
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window, for one module of tests.

    While it is open Playwright keeps an event loop in this thread, where Django sees
    danger; a whole session of it would reach tests that have nothing to do with it.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (apt-get install chromium).")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=MOST)
        opened = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


def of_stream(said: ConsoleMessage) -> bool:
    """Whether the browser only says that no stream listener is there, as in tests."""
    return str(said.location.get("url", "")).endswith("/events")


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console and the network complained of; to stay empty."""
    return []


@pytest.fixture(params=[1280, 360], ids=["wide", "narrow"])
def page(
    browser: Browser, complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A tab of its own, on a desk and on a telephone."""
    context = browser.new_context(
        viewport={"width": request.param, "height": 800},
        color_scheme="dark" if request.param == 360 else "light",
    )
    context.set_default_timeout(MOST)
    tab = context.new_page()
    tab.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type in ("error", "warning") and not of_stream(said)
            else None
        ),
    )
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "response",
        lambda answer: (
            complaints.append(f"{answer.status} {answer.url}")
            if answer.status >= 400
            else None
        ),
    )
    yield tab
    context.close()


@pytest.fixture
def site(live_server: LiveServer, settings: Settings) -> str:
    """The address of a site that may call receivers on this machine."""
    settings.PUBLIC_URL = live_server.url
    settings.ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    return str(live_server.url)


@pytest.fixture
def engine(site: str) -> Iterator[None]:
    """A drain in a thread, as one process of the cluster would run it."""
    drain = Drain(threads=2, chores=all_chores())

    def work() -> None:
        try:
            drain.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="drain")
    thread.start()
    yield
    drain.stop()
    thread.join(60)
    assert not thread.is_alive()

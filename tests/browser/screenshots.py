"""`python -m tests.browser.screenshots`: the pictures of the README, made anew.

With a folder: the pages of the demonstration on a desk and on a telephone, to look at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from automate.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 900
NARROW = 360
PLACES = (
    "", "runs/run/", "runs/run/redrive-all/", "runs/campaign/", "runs/waittoken/",
    "runs/deliveryattempt/", "workflows/workflow/", "workflows/workflow/add/",
    "workflows/trigger/", "workflows/connection/add/", "webhooks/inboundevent/",
)  # fmt: skip
MOST = 30_000  # milliseconds for a page; the machine may be busy
# As in conftest.py, which needs Django's settings to be imported.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 180  # seconds from the start to the end of the demonstration's run
SAID = {
    "email": re.compile(r"e-mail:\s+(\S+)"),
    "password": re.compile(r"password:\s+(\S+)"),
    "run": re.compile(r"Admin:\s+(http\S+/admin/runs/run/\S+)"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demonstration printed: who may sign in, and where its run is shown."""

    email: str
    password: str
    run: str

    @property
    def admin(self) -> str:
        return self.run.partition("/admin/")[0] + "/admin/"


def read(output: str) -> Stage | None:
    """What is needed from the output of `manage.py up --demo`; None while it lacks."""
    found = {name: pattern.search(output) for name, pattern in SAID.items()}
    texts = {name: match[1] for name, match in found.items() if match}
    return Stage(**texts) if len(texts) == len(SAID) else None


def start(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """The demonstration on a free port, with a database of its own."""
    inherited = ("PATH", "HOME", "LANG")
    environment = {name: os.environ[name] for name in inherited if name in os.environ}
    environment |= {
        "AUTOMATE_VAR_DIR": str(folder),
        "AUTOMATE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "PYTHONUNBUFFERED": "1",
    }
    port = str(free_port(8400))
    line = [sys.executable, "manage.py", "up", "--migrate", "--demo", "--port", port]
    with output.open("wb") as written:
        return subprocess.Popen(
            line, cwd=ROOT, env=environment, stdout=written, stderr=subprocess.STDOUT
        )


def wait(site: subprocess.Popen[bytes], output: Path) -> Stage:
    """Until the demonstration's run has ended. Raises RuntimeError with the output."""
    ends = time.monotonic() + PATIENCE
    while site.poll() is None and time.monotonic() < ends:
        if stage := read(output.read_text()):
            return stage
        time.sleep(0.2)
    raise RuntimeError(f"The demonstration did not end:\n{output.read_text()}")


def take(stage: Stage, target: Path) -> None:
    """Sign in and photograph the page of the run."""
    with signed_in(stage, WIDTH) as page:
        page.goto(stage.run)
        page.locator(".run-title .pill").wait_for()
        page.screenshot(path=target)


def take_all(stage: Stage, folder: Path) -> None:
    """Photograph the whole of every page, wide and narrow."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in (WIDTH, NARROW):
        with signed_in(stage, width) as page:
            for place in (*PLACES, stage.run):
                page.goto(place if place == stage.run else stage.admin + place)
                name = "run" if place == stage.run else place.replace("/", "-")
                path = folder / f"{name.strip('-') or 'overview'}-{width}.png"
                page.screenshot(path=path, full_page=True)


@contextmanager
def signed_in(stage: Stage, width: int) -> Iterator[Page]:
    """A tab of this width in which somebody has signed in."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("Chromium is not installed (apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        page = browser.new_page(viewport={"width": width, "height": HEIGHT})
        page.set_default_timeout(MOST)
        page.goto(stage.admin)
        page.get_by_label("E-mail address").fill(stage.email)
        page.get_by_label("Password").fill(stage.password)
        page.get_by_role("button", name="Log in").click()
        yield page
        browser.close()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = folder / "output.txt"
        site = start(folder, output)
        try:
            stage = wait(site, output)
            if sys.argv[1:]:
                take_all(stage, Path(sys.argv[1]))
            else:
                take(stage, IMAGES / "run.png")
        finally:
            site.terminate()
            site.wait(60)


if __name__ == "__main__":
    main()

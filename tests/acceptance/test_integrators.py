"""docs/integrators.md as an integrator types it: curl and Python, a real site."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.site import Site
from tests.contract.test_api_contracts import examples

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.timeout(600),
]
PAGE = (settings.BASE_DIR / "docs" / "integrators.md").read_text()
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SCOPES = "workflows:read workflows:write runs:read runs:execute payloads:read"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, module_database: str | None
) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("integrators"), module_database, {})
    try:
        site.up()
        yield site
    finally:
        site.kill()


def lacks(shown: Any, real: Any, path: str = "") -> Iterator[str]:
    """What the page shows and the answer has not; ids and addresses may differ."""
    if isinstance(shown, dict) and isinstance(real, dict):
        for name, value in shown.items():
            yield from lacks(value, real.get(name), f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        for number, pair in enumerate(zip(shown, real, strict=True)):
            yield from lacks(*pair, f"{path}[{number}]")
    elif not path.endswith((".run_id", ".url")) and shown != real:
        yield f"{path} is {real!r}, not {shown!r}"


def test_everything_on_the_page_works_as_printed(site: Site) -> None:
    assert SCOPES.split() == re.findall(r"\w+:\w+", PAGE.partition("--scope")[2])[:5]
    account = {
        "DJANGO_SUPERUSER_EMAIL": "you@example.com",
        "DJANGO_SUPERUSER_PASSWORD": "a long pass phrase",
    }
    site.manage("createsuperuser", "--noinput", **account)
    arguments = ["you@example.com", "--name", "quickstart", "--scope", *SCOPES.split()]
    key = site.manage("create_api_key", *arguments).strip().splitlines()[-1]
    env = {**os.environ, "AUTOMATE_URL": site.url, "AUTOMATE_KEY": key}

    found = examples(PAGE)
    for status, command, shown in found[:-1]:
        check(command, status, shown, env)
    (script,) = PYTHON.findall(PAGE)
    told = subprocess.run(
        [sys.executable, "-c", script],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")
    assert f"It prints `{told.stdout.strip()}`." in PAGE
    check(found[-1][1], found[-1][0], found[-1][2], env)


def check(command: str, status: str, shown: str, env: dict[str, str]) -> None:
    """One command in a shell; `RUN` is the latest run."""
    line = command.strip() + " -sS -w '\\n%{http_code}'"
    told = subprocess.run(
        ["bash", "-c", line],
        env=env, capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    body, _, code = told.rpartition("\n")
    assert code == status, (command, told)
    answer = json.loads(body)
    assert list(lacks(json.loads(shown), answer)) == [], command
    if "run_id" in answer:
        env["RUN"] = answer["run_id"]

"""A plugin in a package of its own can be installed beside Automate, and is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "plugin_package"


def python(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments; the output of both streams together."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "", **changes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which pip has installed the package."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("target")
    for file in [*PACKAGE.glob("*.toml"), *PACKAGE.glob("src/*/*.py")]:
        copy = source / file.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    done = python(
        *("-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--disable-pip-version-check"),
        *("--target", str(target), str(source)),
    )
    assert done.returncode == 0, done.stdout
    return target


def test_pip_installs_it_with_its_entry_points(installed: Path) -> None:
    [about] = installed.glob("automate_tides-1.0.0.dist-info")
    text = (about / "entry_points.txt").read_text()
    assert "[automate.actions]" in text
    assert "high_water = automate_tides.trigger:HighWater" in text
    assert "tide_gauge = automate_tides.scheme:TideGauge" in text


@pytest.mark.slow
def test_its_kinds_are_listed_and_a_workflow_with_them_runs(installed: Path) -> None:
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    config = ["-c", str(ROOT / "pyproject.toml")]
    path = f"{ROOT}{os.pathsep}{installed}"
    # Its own small database, whichever one this test has.
    changes = {"PYTHONPATH": path, "TEST_DATABASE_URL": ""}
    done = python(*command, *config, str(PACKAGE / "check_tides.py"), **changes)
    assert done.returncode == 0, done.stdout
    # All of them: a test that was not collected would pass too.
    assert re.search(r"\b4 passed\b", done.stdout), done.stdout


def test_without_the_package_its_kinds_are_unknown() -> None:
    code = (
        "import django; django.setup();"
        "from workflows.triggers.base import all_kinds;"
        "from workflows.actions.base import all_actions;"
        "print('high_water' in all_kinds(), 'tide_depth' in all_actions())"
    )
    done = python("-c", code, DJANGO_SETTINGS_MODULE="tests.settings")
    assert done.stdout.splitlines()[-1] == "False False"

"""The recipes' code runs as it is written: installed as a package beside Automate."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs" / "recipes.md"


def block(name: str) -> str:
    """The one fenced block of this name."""
    text = RECIPES.read_text(encoding="utf-8")
    found = re.findall(rf"^```{name}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"docs/recipes.md has {len(found)} blocks ```{name}"
    return str(found[0])


def entry_point() -> str:
    """The entry point that the recipe writes into pyproject.toml, as installed."""
    (group, entry) = re.findall(
        r'^\[project\.entry-points\."([\w.]+)"\]\n(.+)$', block("toml"), re.MULTILINE
    )[0]
    return f"[{group}]\n{entry.replace(chr(34), '')}\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that holds the recipe's package, installed."""
    about = tmp_path / "automate_fingerprint-1.0.dist-info"
    about.mkdir()
    (tmp_path / "automate_fingerprint.py").write_text(block("python action"))
    (tmp_path / "test_fingerprint.py").write_text(block("python test"))
    (about / "entry_points.txt").write_text(entry_point())
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: automate-fingerprint\nVersion: 1.0\n"
    )
    return tmp_path


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    """The recipe's test, in a process of its own that finds the package."""
    path = f"{ROOT}{os.pathsep}{folder}"
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    config = ["-c", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [sys.executable, *command, *config, str(folder / "test_fingerprint.py")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.slow
def test_the_action_of_the_recipe_passes_its_test(installed: Path) -> None:
    done = run_tests(installed)
    assert done.returncode == 0, done.stdout + done.stderr
    # All of them: a test that was not collected would pass too.
    assert re.search(r"\b9 passed\b", done.stdout), done.stdout


@pytest.mark.slow
def test_the_recipes_test_can_fail(installed: Path) -> None:
    module = installed / "automate_fingerprint.py"
    text = module.read_text()
    module.write_text(text.replace("sort_keys=True", "sort_keys=False"))
    assert module.read_text() != text
    done = run_tests(installed)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED ::test_the_order_of_keys_does_not_matter" in done.stdout


def test_the_paths_that_the_recipes_name_are_there() -> None:
    text = RECIPES.read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:workflows|webhooks|tests|deploy|runs)/[\w./-]*)`", text)
    )
    assert len(named) > 8
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []

"""docs/settings.md and .env.example say what automate.settings_table declares."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from automate.env import BASE_DIR
from automate.settings_table import SETTINGS
from workflows.management.commands import settings_docs


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings_docs, "BASE_DIR", tmp_path)
    return tmp_path


def run(*args: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("settings_docs", *args, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("name", ["docs/settings.md", ".env.example"])
def test_the_file_is_up_to_date(name: str) -> None:
    stored = (BASE_DIR / name).read_text(encoding="utf-8")
    assert stored == settings_docs.pages()[name], "run: manage.py settings_docs"


def test_every_setting_is_in_both_files_once() -> None:
    markdown, example = settings_docs.markdown(), settings_docs.env_example()
    for item in SETTINGS:
        assert markdown.count(f"| `{item.name}` |") == 1
        assert example.count(f"\n#{item.name}=") == 1


def test_the_example_sets_nothing_until_it_is_changed() -> None:
    lines = settings_docs.env_example().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_check_tells_which_file_differs_and_writes_nothing(elsewhere: Path) -> None:
    code, _, err = run("--check")
    assert code == 1
    assert "docs/settings.md and .env.example" in err
    assert list(elsewhere.iterdir()) == []


def test_writing_makes_the_check_pass_and_a_change_makes_it_fail(
    elsewhere: Path,
) -> None:
    assert run()[0] == 0
    assert run("--check") == (
        0,
        "docs/settings.md and .env.example are up to date.\n",
        "",
    )
    (elsewhere / ".env.example").write_text("DEBUG=1\n", encoding="utf-8")
    code, out, _ = run("--check", "--json")
    assert (code, json.loads(out)) == (1, {"differ": [".env.example"]})
    assert json.loads(run("--json")[1]) == {"written": [".env.example"]}


def test_print_writes_no_file(elsewhere: Path) -> None:
    assert "--- docs/settings.md\n# Settings" in run("--print")[1]
    assert set(json.loads(run("--print", "--json")[1])) == {
        "docs/settings.md",
        ".env.example",
    }
    assert list(elsewhere.iterdir()) == []

"""Static files are collected when they have changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_django import Settings

from automate import static_files

PLAIN = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@pytest.fixture
def source(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "page.css").write_text("a {}")
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = [
        "django.contrib.staticfiles.finders.FileSystemFinder"
    ]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STORAGES = PLAIN
    settings.DEBUG = False
    return folder


def collected(settings: Settings) -> dict[str, str]:
    return {
        path.name: path.read_text()
        for path in Path(settings.STATIC_ROOT).iterdir()
        if path.name != static_files.STAMP
    }


def test_the_first_time_collects_and_the_second_does_not(
    source: Path, settings: Settings
) -> None:
    assert static_files.collect() is True
    assert collected(settings) == {"page.css": "a {}"}
    assert static_files.collect() is False


@pytest.mark.parametrize("change", ["touch", "add", "remove"])
def test_a_change_collects_again(source: Path, settings: Settings, change: str) -> None:
    (source / "other.js").write_text("1")
    static_files.collect()
    if change == "touch":
        (source / "page.css").write_text("b {}")
        os.utime(source / "page.css", ns=(1, 2**62))
    elif change == "add":
        (source / "new.js").write_text("2")
    else:
        (source / "other.js").unlink()

    assert static_files.collect() is True
    assert ("new.js" in collected(settings)) is (change == "add")


def test_with_debug_nothing_is_collected(source: Path, settings: Settings) -> None:
    settings.DEBUG = True

    assert static_files.collect() is False
    assert not Path(settings.STATIC_ROOT).exists()


def test_no_files_at_all_are_collected_once(source: Path, settings: Settings) -> None:
    (source / "page.css").unlink()

    assert static_files.collect() is True
    assert static_files.collect() is False

"""Keys that anybody could guess stop the process; none at all are made on SQLite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from automate import env
from automate.bootstrap import KEYS, ensure_keys

GOOD = "J4mYtR8kPz2wQx6vLs9nBd3hFc7gTa1u"


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without keys, and files that are read as in service."""
    for name in (*KEYS, "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTOMATE_VAR_DIR", str(tmp_path / "var"))

    def load(path: Path) -> None:
        for line in path.read_text().splitlines() if path.is_file() else ():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)

    monkeypatch.setattr(env, "load_file", load)
    return monkeypatch


@pytest.mark.parametrize("key", ["", " ", "change-me", "short", "x" * 40])
@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("sqlite", [True, False])
def test_what_can_be_guessed_is_refused(
    surroundings: pytest.MonkeyPatch, name: str, key: str, sqlite: bool
) -> None:
    surroundings.setenv("DEBUG", "0")
    for other in KEYS:
        surroundings.setenv(other, GOOD)
    ensure_keys(sqlite=sqlite)
    surroundings.setenv(name, key)
    with pytest.raises(ImproperlyConfigured) as caught:
        ensure_keys(sqlite=sqlite)
    said = str(caught.value)
    assert said.startswith((f"{name} is ", f"{name} repeats "))
    assert "secrets.token_urlsafe(48)" in said
    if key.strip():
        assert f" {key}" not in said.replace("is shorter", "")
        assert ("rotate_keys" in said) == (name == "FIELD_ENCRYPTION_KEYS")


def test_a_default_that_was_given_is_refused_on_sqlite_too(
    surroundings: pytest.MonkeyPatch,
) -> None:
    """Keys are made in the place of none, not in the place of bad ones."""
    surroundings.setenv("SECRET_KEY", "change-me")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is a default"):
        ensure_keys(sqlite=True)
    surroundings.setenv("DEBUG", "1")
    ensure_keys(sqlite=True)


def test_old_keys_of_the_ring_may_be_what_they_are(
    surroundings: pytest.MonkeyPatch,
) -> None:
    """They only read; the first one writes."""
    surroundings.setenv("SECRET_KEY", GOOD)
    surroundings.setenv("FIELD_ENCRYPTION_KEYS", f"{GOOD},change-me")
    ensure_keys(sqlite=False)
    assert os.environ["FIELD_ENCRYPTION_KEYS"] == f"{GOOD},change-me"
    surroundings.setenv("FIELD_ENCRYPTION_KEYS", f"change-me,{GOOD}")
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS is a"):
        ensure_keys(sqlite=False)


def test_on_sqlite_keys_are_made_once(
    surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings.setenv("SECRET_KEY", "")
    ensure_keys(sqlite=True)
    made = {name: os.environ[name] for name in KEYS}
    assert all(len(key) > 40 for key in made.values())
    assert "Keep a copy" in capsys.readouterr().err
    for name in KEYS:
        surroundings.delenv(name)
    ensure_keys(sqlite=True)
    assert {name: os.environ[name] for name in KEYS} == made
    assert capsys.readouterr().err == ""

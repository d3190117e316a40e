"""`make test` on two databases: what runs, and what it says when one is missing."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from automate import ports
from tests import both_databases

URL = "postgres://postgres@127.0.0.1:5432/automate"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The passes that were run, as (database URL, arguments); each succeeds."""
    seen: list[tuple[str, list[str]]] = []

    def run(command: list[str], *, env: dict[str, str], check: bool) -> Any:
        seen.append((env["TEST_DATABASE_URL"], command[4:]))
        return SimpleNamespace(returncode=codes.pop(0) if codes else 0)

    codes: list[int] = []
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(both_databases, "why_silent", lambda _url: "")
    monkeypatch.delenv("AUTOMATE_CI", raising=False)
    return seen


def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(both_databases, "why_silent", lambda _url: "refused\nmore")


def test_the_second_pass_is_only_what_uses_a_database(
    passes: list[tuple[str, list[str]]],
) -> None:
    assert both_databases.main(URL, ["-m", "slow"]) == 0
    assert passes == [
        ("", ["-m", "slow"]),
        (URL, ["--only-database", "-m", "slow"]),
    ]


def test_without_postgresql_it_says_so_loudly_and_goes_on(
    passes: list[tuple[str, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    silence(monkeypatch)

    assert both_databases.main(URL, []) == 0
    assert len(passes) == 1
    said = capsys.readouterr().err
    assert "NOT TESTED ON POSTGRESQL" in said
    assert "refused" in said
    assert said.count("\n") >= 5


def test_in_ci_a_missing_postgresql_is_an_error_at_once(
    passes: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(monkeypatch)
    monkeypatch.setenv("AUTOMATE_CI", "1")

    assert both_databases.main(URL, []) == 1
    assert passes == []


@pytest.mark.parametrize(
    ("first", "second", "result"), [(1, 0, 1), (0, 1, 1), (2, 0, 2), (5, 5, 0)]
)
def test_either_pass_decides_and_nothing_selected_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, first: int, second: int, result: int
) -> None:
    codes = [first, second]
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=codes.pop(0))
    )
    monkeypatch.setattr(both_databases, "why_silent", lambda _url: "")

    assert both_databases.main(URL, []) == result
    assert codes == []


def test_a_server_that_is_not_there_has_a_reason() -> None:
    url = f"postgres://postgres@127.0.0.1:{ports.free_port()}/automate"

    assert "refused" in both_databases.why_silent(url)

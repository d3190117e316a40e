"""The lock files work on any machine: hashes for all, addresses of none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from automate.env import BASE_DIR

LOCKS = ("base", "dev")
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)


def read(name: str, kind: str = "txt") -> str:
    return Path(BASE_DIR, "requirements", f"{name}.{kind}").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_and_no_address(name: str) -> None:
    found = re.findall(r".*(?:://|^\s*-|find-links|index-url).*", read(name), re.M)
    assert [line for line in found if not line.strip().startswith("--hash=")] == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name: str) -> None:
    packages = re.split(r"^(?=[a-z0-9])", read(name), flags=re.M)[1:]
    assert len(packages) > 20
    for package in packages:
        assert "--hash=sha256:" in package, package.splitlines()[0]


def test_both_locks_agree_on_what_runs_in_production() -> None:
    base, dev = dict(PINNED.findall(read("base"))), dict(PINNED.findall(read("dev")))
    assert {name: dev.get(name) for name in base} == base


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked(name: str) -> None:
    locked = {item.replace("_", "-") for item, _ in PINNED.findall(read(name))}
    asked = re.findall(r"^([A-Za-z][A-Za-z0-9_.-]*)", read(name, "in"), re.M)
    assert {item.lower().replace("_", "-") for item in asked} <= locked

"""requirements/install.sh on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from automate.env import BASE_DIR

NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")
# Answers the three questions that the installer asks.
PYTHON = """#!/bin/sh
case "$2" in
    *"< (3, 11)"*) exit {too_old} ;;
    *"%d.%d"*) echo 3.12 ;;
    *find_spec*) echo "{missing}" ;;
    *) echo "called: $*" ;;
esac
"""


def install(
    folder: Path, which: str = "base", *, too_old: int = 0, missing: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a copy of the installer where every Python is the one described."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in NAMES:
        fake = folder / "bin" / name
        fake.write_text(PYTHON.format(too_old=too_old, missing=missing))
        fake.chmod(0o755)
    home = folder / "home"
    if not home.exists():
        shutil.copytree(Path(BASE_DIR, "requirements"), home / "requirements")
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
    environment.pop("VENV", None)
    environment.pop("PYTHON", None)
    return subprocess.run(
        [str(home / "requirements" / "install.sh"), which],
        env=environment, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def stamped(folder: Path, *which: str) -> None:
    """A .venv that has these locks installed."""
    venv = folder / "home" / ".venv"
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    if not (venv / "bin" / "python").exists():
        (venv / "bin" / "python").symlink_to(sys.executable)
    for name in which:
        lock = folder / "home" / "requirements" / f"{name}.txt"
        shutil.copy(lock, venv / f"installed-{name}.txt")


@pytest.mark.parametrize("missing", ["venv", "ensurepip", "venv ensurepip"])
def test_a_python_without_venv_names_the_package_to_install(
    tmp_path: Path, missing: str
) -> None:
    done = install(tmp_path, missing=missing)

    assert done.returncode == 1
    assert f"lacks the module(s): {missing}." in done.stderr
    assert "sudo apt install python3.12-venv" in done.stderr
    assert not (tmp_path / "home" / ".venv").exists()


def test_without_a_new_enough_python_it_says_which_is_needed(tmp_path: Path) -> None:
    done = install(tmp_path, too_old=1)

    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "apt install python3" in done.stderr


@pytest.mark.parametrize(
    ("installed", "wanted"), [("base", "base"), ("dev", "dev"), ("dev", "base")]
)
def test_what_is_installed_already_is_not_installed_again(
    tmp_path: Path, installed: str, wanted: str
) -> None:
    install(tmp_path, too_old=1)  # makes the copy
    stamped(tmp_path, installed)

    done = install(tmp_path, wanted, too_old=1)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_lock_that_has_changed_is_installed_again(tmp_path: Path) -> None:
    install(tmp_path, too_old=1)
    stamped(tmp_path, "base", "dev")
    for name in ("base", "dev"):
        with (tmp_path / "home" / "requirements" / f"{name}.txt").open("a") as lock:
            lock.write("# changed\n")
    # A pip that fails shows that it was called.
    python = tmp_path / "home" / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho no network; exit 3\n')
    python.chmod(0o755)

    done = install(tmp_path)

    assert done.returncode == 1
    assert "Installing up to" in done.stdout
    assert "no network" in done.stderr
    assert "could not be installed" in done.stderr

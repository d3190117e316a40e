"""Run pytest on SQLite, then the tests that use a database again on PostgreSQL.

`python -m tests.both_databases POSTGRES_URL [pytest arguments]`. Where PostgreSQL does
not answer it says so loudly; with AUTOMATE_CI=1 that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import psycopg

NO_TESTS = 5  # pytest's exit status when nothing was selected


def why_silent(url: str) -> str:
    """Why the server's maintenance database cannot be reached; empty when it can."""
    try:
        psycopg.connect(url, dbname="postgres", connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error).strip() or type(error).__name__
    return ""


def run(
    arguments: Sequence[str], database_url: str = "", *, followed: bool = False
) -> int:
    """pytest's exit status; nothing selected counts as success.

    `followed`: a pass on PostgreSQL comes after it (tests/conftest.py).
    """
    print(f"\n=== Tests on {'PostgreSQL' if database_url else 'SQLite'}", flush=True)
    environment = {**os.environ, "TEST_DATABASE_URL": database_url}
    # Without compiled modules each worker and each started process compiles them anew:
    # 12 s of CPU a worker for the tests alone.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    if followed:
        environment["AUTOMATE_TESTS_FOLLOWED"] = "1"
    status = subprocess.run(command, env=environment, check=False).returncode
    return 0 if status == NO_TESTS else status


def main(url: str, arguments: Sequence[str]) -> int:
    """Both passes, whatever the first says; the worse exit status."""
    silent = why_silent(url)
    in_ci = os.environ.get("AUTOMATE_CI") == "1"
    if silent and in_ci:
        print(f"PostgreSQL does not answer at {url}: {silent}", file=sys.stderr)
        return 1
    status = run(arguments, followed=not silent)
    if silent:
        print(notice(url, silent), file=sys.stderr)
        return status
    return run(["--only-database", *arguments], url) or status


def notice(url: str, why: str) -> str:
    """What a developer without PostgreSQL must not overlook."""
    line = "!" * 72
    return (
        f"\n{line}\n! NOT TESTED ON POSTGRESQL, which production runs on.\n"
        f"! {url} does not answer: {why.splitlines()[0]}\n"
        "! Start one (Debian: sudo apt install postgresql), or name one with\n"
        "! make test TEST_DATABASE_URL=postgres://user:password@host:5432/automate\n"
        f"{line}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

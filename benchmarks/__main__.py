"""`make bench`: the real web server and cluster under load, beside the floor.

`python -m benchmarks [--database URL] [--only w1 w3] [--json FILE] [--quick]`. Without
a URL it runs on SQLite in a temporary folder; a PostgreSQL database is emptied first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import floor, seed, workloads
from benchmarks.answers import w10
from benchmarks.crowds import w6, w7, w8
from benchmarks.halfopen import w11
from benchmarks.lists import w12
from benchmarks.processes import Site, running
from benchmarks.workloads import take

WORKLOADS: dict[str, Callable[..., Any]] = {
    **workloads.WORKLOADS, "w6": w6, "w7": w7, "w8": w8, "w10": w10,
    "w11": w11, "w12": w12,
}  # fmt: skip
PACKAGES = ("django", "djangorestframework", "django-q2", "psycopg", "granian")
QUICK: dict[str, dict[str, Any]] = {
    "w1": {"events": 1000},
    "w2": {"events": 300},
    "w3": {"seconds": 5},
    "w4": {"events": 200},
    "w5": {"seconds": 5},
    "w6": {"runs": 10},
    "w7": {"items": 200, "runs": 1},
    "w8": {"burst": 2000},
    "w9": {"events": 1000, "rows": 20_000},
    "w10": {"seconds": 5},
    "w11": {"seconds": 5},
    "w12": {"runs": 20_000},
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--database", default="", help="postgres://user@host/name")
    parser.add_argument("--only", nargs="*", choices=sorted(WORKLOADS), default=None)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--quick", action="store_true", help="fewer events")
    parser.add_argument("--events", type=int, help="of W1, W2, W4 and W9")
    return parser.parse_args()


def environment(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """The site's environment: production settings, its own keys and database."""
    url = options.database or f"sqlite:///{folder / 'bench.sqlite3'}"
    return {
        "DATABASE_URL": url,
        "AUTOMATE_VAR_DIR": str(folder),
        "SECRET_KEY": "benchmark-key-of-no-value-at-all-0123456789abcdef",
        "FIELD_ENCRYPTION_KEYS": "benchmark-ring-of-no-value-0123456789abcdef",
        "AUTOMATE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "DEBUG": "0",
        "AUTOMATE_LOG_LEVEL": "WARNING",
    }


def empty(url: str) -> None:
    """Drop everything in a PostgreSQL benchmark database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def about(url: str) -> dict[str, str]:
    """Where and with what this was measured."""
    from django.db import connection

    with connection.cursor() as cursor:
        query = (
            "SELECT version()"
            if url.startswith("postgres")
            else ("SELECT 'SQLite ' || sqlite_version()")
        )
        cursor.execute(query)
        database = str(cursor.fetchone()[0])
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "database": " ".join(database.split()[:2]),
        **{name: version(name) for name in PACKAGES},
    }


def measure_floor(site: Site, url: str, folder: Path) -> dict[str, float]:
    """The same rows and requests without us, in this run on this machine."""
    if url.startswith("postgres"):
        rows = floor.rows_postgresql(url)
    else:
        rows = floor.rows_sqlite(folder)
    return {
        "rows by bare driver, transactions/s": round(rows, 1),
        "requests by bare requests, posts/s": round(floor.posts(take(site)), 1),
    }


def show(title: str, figures: dict[str, Any]) -> None:
    """One block of the table."""
    print(f"\n{title}")
    for name, value in figures.items():
        shown = " / ".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"  {name:<38} {shown}")
    sys.stdout.flush()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="automate-bench-") as name:
        folder = Path(name)
        settings = environment(options, folder)
        url = settings["DATABASE_URL"]
        if url.startswith("postgres"):
            empty(url)
        seed.set_up(settings)
        report: dict[str, Any] = {"environment": about(url)}
        show("environment", report["environment"])
        log = Path(tempfile.gettempdir()) / "automate-bench.log"
        with running(settings, log) as site:
            for key in options.only or WORKLOADS:
                work = WORKLOADS[key]
                extra = QUICK.get(key, {}) if options.quick else {}
                if options.events and key in ("w1", "w2", "w4", "w9"):
                    extra = {**extra, "events": options.events}
                report[key] = asyncio.run(work(site, **extra))
                show(
                    f"{key.upper()}: {(work.__doc__ or '').splitlines()[0]}",
                    report[key],
                )
            report["floor"] = measure_floor(site, url, folder)
            show("floor", report["floor"])
        if options.json:
            options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

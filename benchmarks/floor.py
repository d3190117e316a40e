"""The floor: the same rows by bare psycopg, the same requests by bare `requests`."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

THREADS = 16


def _spread(total: int, work: Any) -> float:
    """Seconds that `work(count)` takes in 16 threads that share `total`."""
    threads = [
        threading.Thread(target=work, args=(total // THREADS,)) for _ in range(THREADS)
    ]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begin


def rows_postgresql(url: str, total: int = 4000) -> float:
    """Transactions of two rows (1 KB and a small one) a second, 16 connections."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as setup:
        setup.execute("DROP TABLE IF EXISTS bench_run, bench_job")
        setup.execute("CREATE TABLE bench_run (id uuid PRIMARY KEY, body bytea)")
        setup.execute(
            "CREATE TABLE bench_job "
            "(id bigserial PRIMARY KEY, run uuid, due timestamptz)"
        )

    def work(count: int) -> None:
        with psycopg.connect(url) as connection:
            for _ in range(count):
                key = uuid4()
                connection.execute(
                    "INSERT INTO bench_run VALUES (%s, %s)", (key, b"x" * 900)
                )
                connection.execute(
                    "INSERT INTO bench_job (run, due) VALUES (%s, now())", (key,)
                )
                connection.commit()

    seconds = _spread(total, work)
    with psycopg.connect(url, autocommit=True) as setup:
        setup.execute("DROP TABLE bench_run, bench_job")
    return total / seconds


def rows_sqlite(folder: Path, total: int = 2000) -> float:
    """The same on SQLite (WAL, synchronous FULL), one connection."""
    connection = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE bench_run (id TEXT PRIMARY KEY, body BLOB)")
    connection.execute("CREATE TABLE bench_job (id INTEGER PRIMARY KEY, run TEXT)")
    begin = time.monotonic()
    for _ in range(total):
        key = uuid4().hex
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bench_run VALUES (?, ?)", (key, b"x" * 900))
        connection.execute("INSERT INTO bench_job (run) VALUES (?)", (key,))
        connection.execute("COMMIT")
    seconds = time.monotonic() - begin
    connection.close()
    return total / seconds


def posts(url: str, total: int = 4000) -> float:
    """POSTs a second by `requests`, 16 threads with a session each."""

    def work(count: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(count):
                session.post(url, json={"n": -1}, timeout=10)

    return total / _spread(total, work)

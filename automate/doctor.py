"""What can be wrong with an installation, and what to do about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.models import Count, DateTimeField, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from automate.health import missing_migrations
from automate.lib.ids import uuid7
from automate.lib.key_ring import get_ring
from automate.lib.payloads import PayloadError
from automate.lib.payloads import get_ring as get_stores
from automate.samples import take_all
from runs.models import Job, Worker

OK, WARN, FAIL = "ok", "warn", "fail"
CLOCK_WARN, CLOCK_FAIL = timedelta(seconds=1), timedelta(seconds=5)
LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `level` ok, warn or fail; `todo` is empty when nothing is to do."""

    level: str
    name: str
    message: str
    todo: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which one would look."""
    yield from _configuration()
    yield from _var_dir()
    yield from _static()
    reached = _database()
    yield reached
    if reached.level == FAIL:
        return
    migrated = _migrations()
    yield migrated
    if migrated.level == FAIL:
        return
    examinations: tuple[Callable[[], Iterator[Finding]], ...] = (
        _clock, _keys, _payloads, _workers, _queue,
    )  # fmt: skip
    for look in examinations:
        try:
            yield from look()
        except Error as error:
            name = look.__name__.strip("_")
            yield Finding(FAIL, name, f"The database refused: {error}".strip())


def _configuration() -> Iterator[Finding]:
    found = checks.run_checks()
    for message in found:
        level = FAIL if message.is_serious() else WARN
        text = f"{message.id}: {message.msg}"
        yield Finding(level, "settings", text, message.hint or "")
    if not found:
        yield Finding(OK, "settings", "The system checks find nothing.")


def _var_dir() -> Iterator[Finding]:
    folder = Path(settings.VAR_DIR)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            FAIL,
            "var",
            f"{folder} is no folder that this user can write to.",
            "Create it, or set AUTOMATE_VAR_DIR: it holds seat locks, collected "
            "static files and, on SQLite, the database and the keys.",
        )
        return
    for name in ("secrets.env", "automate.sqlite3"):
        path = folder / name
        if path.exists() and _is_open(path) and _is_open(folder):
            yield Finding(WARN, "var", f"Others can read {path}.", f"chmod 600 {path}")
    yield Finding(OK, "var", f"{folder} is writable.")


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _static() -> Iterator[Finding]:
    if (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file():
        yield Finding(OK, "static", "Static files are collected.")
    elif settings.DEBUG:
        yield Finding(OK, "static", "Static files are served from the apps (DEBUG).")
    else:
        yield Finding(
            FAIL,
            "static",
            "Static files are not collected: admin pages will fail.",
            "python manage.py collectstatic --noinput",
        )


def _database() -> Finding:
    try:
        connection.ensure_connection()
        version = ".".join(str(part) for part in connection.get_database_version())
        connection.check_database_version_supported()
    except Error as error:
        todo = "Start it, or correct DATABASE_URL (POSTGRES_HOST, ...)."
        return Finding(FAIL, "database", f"No connection: {error}".strip(), todo)
    return Finding(OK, "database", f"{connection.display_name} {version}.")


def _migrations() -> Finding:
    todo = "python manage.py migrate"
    try:
        missing = missing_migrations()
    except Error:
        return Finding(FAIL, "migrations", "The database is empty.", todo)
    if missing:
        return Finding(FAIL, "migrations", f"Missing: {', '.join(missing)}.", todo)
    return Finding(OK, "migrations", "All are applied.")


def _clock() -> Iterator[Finding]:
    before = timezone.now()
    now = _database_now()
    after = timezone.now()
    apart = max(before - now, now - after, timedelta())
    if apart <= CLOCK_WARN:
        yield Finding(OK, "clock", "Host and database agree.")
        return
    yield Finding(
        FAIL if apart >= CLOCK_FAIL else WARN,
        "clock",
        f"Host and database are {apart.total_seconds():.1f} s apart.",
        "Run a time service (chrony, systemd-timesyncd) on both.",
    )


def _database_now() -> datetime:
    statement = "SELECT now()"
    if connection.vendor == "sqlite":
        statement = "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"
    with connection.cursor() as cursor:
        cursor.execute(statement)
        value: Any = cursor.fetchone()[0]
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=timezone.now().tzinfo)


def _keys() -> Iterator[Finding]:
    first, old, looked_at, sound = get_ring().key_ids[0], 0, 0, True
    for sample in take_all():
        looked_at += sample.looked_at
        old += sample.by_key.total() - sample.by_key[first]
        if sample.unreadable:
            sound = False
            names = ", ".join(sorted(sample.unreadable))
            yield Finding(
                FAIL,
                "keys",
                f"{sample.column}: {sample.unreadable.total()} of {sample.looked_at} "
                f"values cannot be read (key {names}).",
                "Put the key back into FIELD_ENCRYPTION_KEYS, after the first.",
            )
    if old:
        text = f"{old} of {looked_at} sampled values are under an older key."
        yield Finding(WARN, "keys", text, "python manage.py rotate_keys")
    elif sound:
        text = f"{looked_at} sampled values are readable, under key {first}."
        yield Finding(OK, "keys", text)


def _payloads() -> Iterator[Finding]:
    """Whether each payload store outside the database answers, the first by a trip."""
    try:
        ring = get_stores()
    except ImproperlyConfigured:
        return  # the system checks say so
    for store in ring:
        if not store.external:
            continue
        try:
            if store is ring.writer:
                reference = store.put(b"doctor")
                store.get(reference)
                store.delete([reference])
            else:
                store.delete([uuid7()])
        except PayloadError as error:
            yield Finding(
                FAIL,
                "payloads",
                f"{error}.",
                "Correct AUTOMATE_PAYLOAD_STORE, or bring the store back: large "
                "events are refused meanwhile, and steps wait for their payloads.",
            )
        else:
            yield Finding(OK, "payloads", f"{store} answers.")


def _workers() -> Iterator[Finding]:
    now = Now(output_field=DateTimeField())
    workers = list(Worker.objects.annotate(now=now).order_by("-beat_at"))
    silent = timedelta(seconds=max(3 * settings.HEARTBEAT, 15))
    alive = [one for one in workers if one.now - one.beat_at <= silent]
    start = "python manage.py qcluster (or `make run`, which starts one too)"
    if alive:
        drains = sum(one.kind == Worker.Kind.DRAIN for one in alive)
        hosts = ", ".join(sorted({one.host for one in alive}))
        yield Finding(OK, "workers", f"{drains} drain(s) alive on {hosts}.")
    elif workers:
        age = workers[0].now - workers[0].beat_at
        text = f"The last heartbeat was {_words(age)} ago: nothing works on runs."
        yield Finding(FAIL, "workers", text, start)
    else:
        yield Finding(WARN, "workers", "No worker has reported.", start)


def _queue() -> Iterator[Finding]:
    due = Q(lease_token=None, due_at__lte=Now())
    found = Job.objects.aggregate(
        all=Count("id"), due=Count("id", filter=due), oldest=Min("due_at", filter=due)
    )
    later = found["all"] - found["due"]
    if not found["due"]:
        text = f"Nothing is due; {later} unfinished run(s) are worked on or wait."
        yield Finding(OK, "queue", text)
        return
    age = _database_now() - found["oldest"]
    text = f"{found['due']} run(s) are due, the oldest since {_words(age)}."
    if age < LATE:
        yield Finding(OK, "queue", text)
    else:
        yield Finding(
            WARN,
            "queue",
            text,
            "Start a worker, or more of them (AUTOMATE_WORKERS, another host).",
        )


def _words(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{seconds} s"

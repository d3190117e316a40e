"""System checks for settings that do not go together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError

from automate.lib.net.guard import is_metadata
from automate.lib.payloads import parse
from automate.samples import unreadable_by_column

SMALLEST_DRAIN = 128  # MiB; an idle drain holds about half of it
MAIL_THAT_NOBODY_GETS = ("console", "dummy", "locmem", "filebased")


@register("automate")
def engine(**_: Any) -> list[CheckMessage]:
    """Times and sizes of the engine."""
    return list(_engine())


def _engine() -> Iterator[CheckMessage]:
    lease, heartbeat = settings.LEASE, settings.HEARTBEAT
    if heartbeat <= 0 or lease < 2 * heartbeat:
        yield Error(
            f"A lease of {lease:g} s does not outlive two heartbeats "
            f"of {heartbeat:g} s.",
            hint="Set AUTOMATE_LEASE to three times AUTOMATE_HEARTBEAT or more: one "
            "late heartbeat must not cost a drain its runs.",
            id="automate.E001",
        )
    if settings.GRACE < 0:
        yield Error(
            "AUTOMATE_GRACE is negative.",
            hint="Set the seconds that steps in flight get when a worker is stopped.",
            id="automate.E002",
        )
    elif settings.GRACE < 15:
        yield Warning(
            f"A grace of {settings.GRACE:g} s is shorter than a step's time-out.",
            hint="Steps still in flight are cut off and repeated: set AUTOMATE_GRACE "
            "to 15 or more.",
            id="automate.W002",
        )
    if settings.THREADS < 1 or settings.WEB_PROCESSES < 1 or settings.POLL <= 0:
        yield Error(
            "AUTOMATE_THREADS, AUTOMATE_WEB and AUTOMATE_POLL must be above 0.",
            hint="Leave them out to get the defaults.",
            id="automate.E003",
        )
    if settings.SQLITE and settings.WORKERS > 4:
        yield Warning(
            f"{settings.WORKERS} workers on SQLite are no faster than 4.",
            hint="SQLite has one writer and is served by one drain: use PostgreSQL "
            "(DATABASE_URL), or leave AUTOMATE_WORKERS out.",
            id="automate.W003",
        )
    if settings.DRAIN_MEMORY < SMALLEST_DRAIN:
        yield Warning(
            f"A drain is replaced at {settings.DRAIN_MEMORY} MiB, which it soon holds.",
            hint=f"Set AUTOMATE_DRAIN_MEMORY to {SMALLEST_DRAIN} or more.",
            id="automate.W004",
        )


@register("automate")
def edge(**_: Any) -> list[CheckMessage]:
    """Addresses, sizes and retention."""
    return list(_edge())


def _edge() -> Iterator[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in ("http", "https") or not url.hostname or url.query:
        yield Error(
            f"AUTOMATE_PUBLIC_URL {settings.PUBLIC_URL!r} is no address of a site.",
            hint="Write it like https://automate.example.com.",
            id="automate.E005",
        )
    elif settings.DEBUG and url.scheme == "https":
        yield Error(
            "DEBUG is on at a public https address.",
            hint="Debug pages show settings and data to everybody: set DEBUG=0.",
            id="automate.E006",
        )
    if settings.RETENTION_DAYS < 1:
        yield Error(
            "AUTOMATE_RETENTION_DAYS below 1 would purge every finished run.",
            hint="Set a day or more; 36500 keeps runs for a hundred years.",
            id="automate.E007",
        )
    largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    if not 0 < settings.MAX_BODY <= largest or settings.MAX_RESPONSE < 1:
        yield Error(
            "AUTOMATE_MAX_BODY or AUTOMATE_MAX_RESPONSE is out of range.",
            hint=f"Bodies may have 1 to {largest} bytes, responses 1 or more.",
            id="automate.E008",
        )
    if _permits_metadata(settings.ALLOWED_NETWORKS):
        yield Warning(
            "AUTOMATE_ALLOWED_NETWORKS lets steps read the cloud's metadata service.",
            hint="It gives away the machine's credentials: name the networks that "
            "steps need, one by one.",
            id="automate.W009",
        )


@register("automate")
def payloads(**_: Any) -> list[CheckMessage]:
    """Where large payloads go."""
    return list(_payloads())


def _payloads() -> Iterator[CheckMessage]:
    try:
        kinds = [parse(url).kind for url in settings.PAYLOAD_STORES]
        if not kinds:
            raise ValueError("it names no store")
    except ValueError as error:
        yield Error(
            f"AUTOMATE_PAYLOAD_STORE: {error}.",
            hint="Leave it out to keep large payloads in the database.",
            id="automate.E012",
        )
        kinds = []
    if "memory" in kinds:
        yield Error(
            "AUTOMATE_PAYLOAD_STORE is memory, which ends with each process.",
            hint="It is for tests: use database, files:///folder or s3://bucket.",
            id="automate.E013",
        )
    if settings.INLINE_LIMIT < 0:
        yield Error(
            "AUTOMATE_INLINE_LIMIT is negative.",
            hint="Set the bytes that stay in a row; 0 puts every body into the store.",
            id="automate.E014",
        )


@register("automate")
def sign_in(**_: Any) -> list[CheckMessage]:
    """The identity provider, and who may make accounts."""
    return list(_sign_in())


def _sign_in() -> Iterator[CheckMessage]:
    if settings.OIDC_ISSUER:
        url = urlsplit(settings.OIDC_ISSUER)
        local = url.hostname == "localhost" or _is_loopback(url.hostname or "")
        if not url.hostname or url.query or (url.scheme != "https" and not local):
            yield Error(
                f"AUTOMATE_OIDC_ISSUER {settings.OIDC_ISSUER!r} is no https address.",
                hint="Write it as the provider's description has it under `issuer`: "
                "https://login.example.com/realms/ours.",
                id="automate.E015",
            )
        if not settings.OIDC_CLIENT_ID:
            yield Error(
                "AUTOMATE_OIDC_ISSUER is set without AUTOMATE_OIDC_CLIENT_ID.",
                hint="Register this site at the provider; it comes back to "
                f"{settings.PUBLIC_URL}/admin/login/oidc/back/.",
                id="automate.E016",
            )


def _permits_metadata(networks: Sequence[Any]) -> bool:
    return any(
        net.num_addresses == 1 and is_metadata(net.network_address) for net in networks
    )


@register("automate", deploy=True)
def deployment(**_: Any) -> list[CheckMessage]:
    """What is fine on a desk and not in service."""
    return list(_deployment())


def _deployment() -> Iterator[CheckMessage]:
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if host == "localhost" or _is_loopback(host):
        yield Warning(
            f"AUTOMATE_PUBLIC_URL is {settings.PUBLIC_URL}, which no sender can reach.",
            hint="Set it to the address that this site has for others.",
            id="automate.W010",
        )
    if settings.EMAIL_BACKEND.split(".")[-2] in MAIL_THAT_NOBODY_GETS:
        yield Warning(
            "Mail is not sent to anybody.",
            hint="Set EMAIL_URL, for instance smtp+tls://user:password@host:587.",
            id="automate.W011",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@register("automate", Tags.database)
def keys(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Values that no key of the ring can read, by a sample of each column."""
    if not databases or "default" not in databases:
        return []
    try:
        found = unreadable_by_column()
    except DatabaseError:
        return []  # not migrated yet, or away: `doctor` says so
    # A warning, no error: `migrate` runs this check too and must not be stopped.
    return [
        Warning(
            f"{column}: values that cannot be read (key {', '.join(sorted(ids))}).",
            hint="Put the key they were written with back into FIELD_ENCRYPTION_KEYS, "
            "after the first. Nothing is lost until then.",
            id="automate.W020",
        )
        for column, ids in found.items()
    ]

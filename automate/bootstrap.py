"""Keys for a first start: made once on SQLite, demanded on PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from automate import env

KEYS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
DEFAULTS = ("", "change-me", "changeme", "secret", "insecure")


def _refuse(missing: list[str]) -> None:
    names = " and ".join(missing)
    raise ImproperlyConfigured(
        f"{names} must be set to a random value. Make one with: python -c "
        "'import secrets; print(secrets.token_urlsafe(48))'. Only an embedded "
        "SQLite database without DEBUG=0 gets generated keys."
    )


def _write(path: Path) -> None:
    """Add the keys that the file lacks, once, whoever else is starting beside us."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        env.load_file(path)
        names = [name for name in KEYS if _weak(name)]
        file.writelines(f"{name}={secrets.token_urlsafe(48)}\n" for name in names)
    if names:
        sys.stderr.write(
            f"Wrote {' and '.join(names)} to {path} (readable by you alone). Keep a "
            "copy: whoever loses it loses every encrypted payload and secret.\n"
        )


def ensure_keys(*, sqlite: bool) -> None:
    """Fill SECRET_KEY and FIELD_ENCRYPTION_KEYS from var/secrets.env, made when absent.

    Raises ImproperlyConfigured where generated keys would be a trap: on PostgreSQL,
    and wherever DEBUG=0 was set by hand.
    """
    path = env.var_dir() / "secrets.env"
    by_hand = env.is_set("DEBUG") and not env.read("DEBUG")
    generated = sqlite and not by_hand
    if generated:
        env.load_file(path)
    missing = [name for name in KEYS if _weak(name)]
    if not missing:
        return
    if not generated:
        _refuse(missing)
    _write(path)
    env.load_file(path)


def _weak(name: str) -> bool:
    value = env.read(name)
    values = value if isinstance(value, list) else [value]
    return not values or any(item.strip().lower() in DEFAULTS for item in values)

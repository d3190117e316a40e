"""Keys for a first start: made once on SQLite, demanded on PostgreSQL."""

from __future__ import annotations

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


def _write(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}={secrets.token_urlsafe(48)}\n" for name in names)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "a") as file:
        file.write(lines)
    sys.stderr.write(
        f"Wrote {' and '.join(names)} to {path} (readable by you alone). Keep a copy: "
        "whoever loses it loses every encrypted payload and secret.\n"
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
    _write(path, missing)
    env.load_file(path)


def _weak(name: str) -> bool:
    value = env.read(name)
    values = value if isinstance(value, list) else [value]
    return not values or any(item.strip().lower() in DEFAULTS for item in values)

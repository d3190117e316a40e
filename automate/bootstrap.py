"""Keys for a first start: made once on SQLite, demanded everywhere else."""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from automate import env

KEYS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
DEFAULTS = frozenset({"change-me", "changeme", "secret", "insecure", "password"})
PREFIX_OF_DEFAULTS = "django-insecure-"
SHORTEST = 32  # characters
FEWEST = 5  # different ones
MISSING = "is not set"

_HOW = (
    "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'. Only "
    "an embedded SQLite database without DEBUG=0 gets generated keys."
)
_AFTER = (
    " Put a new key before the old one, separated by a comma: the old one still reads "
    "what it wrote, until `manage.py rotate_keys` has run."
)


def ensure_keys(*, sqlite: bool) -> None:
    """Fill SECRET_KEY and FIELD_ENCRYPTION_KEYS from var/secrets.env, made when absent.

    Raises ImproperlyConfigured where generated keys would be a trap (on PostgreSQL, and
    wherever DEBUG=0 was set by hand), and, unless DEBUG is on, for keys that anybody
    could guess. Of a key ring the first counts, which writes.
    """
    path = env.var_dir() / "secrets.env"
    by_hand = env.is_set("DEBUG") and not env.read("DEBUG")
    generated = sqlite and not by_hand
    if generated:
        env.forget_empty(*KEYS)
        env.load_file(path)
        if any(_problem(name) == MISSING for name in KEYS):
            _write(path)
            env.load_file(path)
    problems = {name: problem for name in KEYS if (problem := _problem(name))}
    if env.read("DEBUG"):
        problems = {name: text for name, text in problems.items() if text == MISSING}
    if problems:
        _refuse(problems)


def _problem(name: str) -> str:
    """What is wrong with a key, in words; "" when nothing is."""
    value = env.read(name)
    first = (value[0] if value else "") if isinstance(value, list) else value.strip()
    if not first:
        return MISSING
    if first.lower() in DEFAULTS or first.startswith(PREFIX_OF_DEFAULTS):
        return "is a default that everybody knows"
    if len(first) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(set(first)) < FEWEST:
        return "repeats a few characters"
    return ""


def _refuse(problems: dict[str, str]) -> None:
    said = " ".join(f"{name} {problem}." for name, problem in problems.items())
    weak = problems.get("FIELD_ENCRYPTION_KEYS", MISSING) != MISSING
    raise ImproperlyConfigured(f"{said} {_HOW}{_AFTER * weak}")


def _write(path: Path) -> None:
    """Add the keys that are missing, once, whoever else is starting beside us."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        env.load_file(path)
        names = [name for name in KEYS if _problem(name) == MISSING]
        file.writelines(f"{name}={secrets.token_urlsafe(48)}\n" for name in names)
    if names:
        sys.stderr.write(
            f"Wrote {' and '.join(names)} to {path} (readable by you alone). Keep a "
            "copy: whoever loses it loses every encrypted payload and secret.\n"
        )

"""Collecting static files only when they have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = ".collected"


def collect() -> bool:
    """Make STATIC_ROOT hold what the apps have now; False when it did already.

    With DEBUG nothing is collected: whitenoise serves the apps' own files.
    """
    if settings.DEBUG:
        return False
    root = Path(settings.STATIC_ROOT)
    stamp, wanted = root / STAMP, fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    root.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    return True


def fingerprint() -> str:
    """SHA-256 over name, size and time of every static file of the apps."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(None):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()

"""Four processes at three times the limit: no window holds more than the limit."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from automate.accounts.models import RateWindow
from automate.env import BASE_DIR
from automate.lib.sliding import PARTS
from tests.webhooks.test_granian import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIMIT, WINDOW, LENGTH, PROCESSES = 50, 2, 9.0, 4


def asking(folder: Path) -> subprocess.Popen[str]:
    every = PROCESSES * WINDOW / (3 * LIMIT)
    words = ["shared", str(LIMIT), str(WINDOW), str(every), str(LENGTH)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(BASE_DIR),
        "DATABASE_URL": database_url(),
        "AUTOMATE_VAR_DIR": str(folder),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.automate.accounts.asking", *words],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_no_window_holds_more_than_the_limit(tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(asking(tmp_path)) for _ in range(PROCESSES)]
        for process in processes:
            stack.callback(process.kill)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        told = [process.communicate(timeout=120)[0] for process in processes]

    lines = [line.split() for text in told for line in text.splitlines()]
    allowed, refused = (
        [(float(before), float(after)) for before, after, was in lines if was == which]
        for which in "10"
    )
    for start, _ in allowed:
        # Those that were surely decided within: asked after it began, answered before
        # it ended.
        inside = sum(
            before >= start and after < start + WINDOW for before, after in allowed
        )
        assert inside <= LIMIT + 1
    # Nothing was refused without need: what counted then may have been decided within.
    for start, end in refused:
        since = start - WINDOW * (1 + 1 / PARTS)
        assert sum(after >= since and before <= end for before, after in allowed) >= (
            LIMIT
        )
    # Each of the four had a part in it, in several windows.
    assert all(told)
    assert refused
    assert len(allowed) > 2 * LIMIT
    assert RateWindow.objects.filter(pk=f"shared:{WINDOW}").exists()

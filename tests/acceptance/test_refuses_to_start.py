"""Every program of the site refuses bad keys, in one line that says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.site import MANAGE
from tests.processes import running

pytestmark = pytest.mark.slow
GOOD = "J4mYtR8kPz2wQx6vLs9nBd3hFc7gTa1u"


@pytest.mark.parametrize(
    ("command", "key", "said"),
    [
        ([*MANAGE, "migrate"], "change-me", "SECRET_KEY is a default"),
        ([*MANAGE, "up"], "too-short", "SECRET_KEY is shorter than 32 characters"),
        ([*MANAGE, "qcluster"], None, "SECRET_KEY is not set"),
        ([sys.executable, "-m", "automate.web"], None, "SECRET_KEY is not set"),
    ],
    ids=["migrate", "up", "qcluster", "web"],
)
def test_it_ends_and_says_why(
    command: list[str], key: str | None, said: str, tmp_path: Path
) -> None:
    var = tmp_path / "var"
    changes = {
        "DEBUG": "0",
        "SECRET_KEY": key,
        "FIELD_ENCRYPTION_KEYS": GOOD,
        "AUTOMATE_VAR_DIR": str(var),
        "DATABASE_URL": None,
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    with running(command, tmp_path / "log", **changes) as process:
        assert process.wait() == 1
        assert said in process.output
        assert "secrets.token_urlsafe(48)" in process.output
        assert "Traceback" not in process.output
    assert not list(var.glob("*.sqlite3"))

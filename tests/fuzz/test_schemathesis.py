"""Schemathesis with all of its checks, as each role, finds nothing.

It asks a real server for all that docs/openapi.json permits, and for what it does not:
wrong types, lengths and methods, no key, another's objects. Each run asks the same.

By hand it asks for more: FUZZ_EXAMPLES of each operation, with a FUZZ_SEED for others,
which are then made with what was answered too, FUZZ_WHOLE for the edges and chains of
every role, and FUZZ_AS for one whose name has this in it.

    FUZZ_EXAMPLES=500 FUZZ_SEED=7 pytest tests/fuzz -m slow --timeout 0
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings

from automate import ports
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, ROLES
from automate.accounts.sign_in import tokens
from tests.fuzz.asking import PATIENCE, write
from tests.processes import eventually, running
from tests.walk.world import World, build
from tests.webhooks.test_granian import database_url

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1200),
]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SEED = int(os.environ["FUZZ_SEED"]) if "FUZZ_SEED" in os.environ else None
WHOLE = ROLES if "FUZZ_WHOLE" in os.environ else (ADMINISTRATOR,)


@contextmanager
def web(folder: Path) -> Iterator[int]:
    """A web process as `manage.py up` starts it; its port."""
    port = ports.free_port()
    environment = {
        "AUTOMATE_VAR_DIR": str(folder / "var"),
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings",
        "DATABASE_URL": database_url(),
        "AUTOMATE_REGISTRATION": "1",
        "AUTOMATE_API_STRANGER_RATE": "1000000/s",
        "PYTHONPATH": os.pathsep.join([str(settings.BASE_DIR), *sys.path]),
    }
    line = [sys.executable, "-m", "automate.web", "--port", str(port), "--workers", "1"]
    with running(line, folder / "web.log", **environment):
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "", PATIENCE)
        yield port


def ask(
    port: int, credential: str, folder: Path, phases: str
) -> subprocess.CompletedProcess[str]:
    """What schemathesis says, as the holder of this token or key."""
    site = f"http://127.0.0.1:{port}"
    line = [
        sys.executable, "-m", "schemathesis.cli",
        "--config-file", str(folder / f"{phases}.toml"),
        "run", f"{site}/api/v1/openapi.json", "--url", site, "--no-color",
        "--max-examples", str(EXAMPLES), "--workers", "1",
    ]  # fmt: skip
    if credential:
        line += ["--header", f"Authorization: Bearer {credential}"]
    environment = {
        **os.environ,
        "FUZZ_WORLD": str(folder / "world.json"),
        # The order of sets is part of what is asked.
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def is_known(port: int, credential: str) -> bool:
    """Whether the server still takes it: as a stranger one is refused everything."""
    answer = requests.get(
        f"http://127.0.0.1:{port}/api/v1/users/me",
        headers={"Authorization": f"Bearer {credential}"},
        timeout=PATIENCE,
    )
    return answer.status_code == 200


def credentials(world: World) -> Iterator[tuple[str, str]]:
    """(who, what they send): a token of each role, a key, and nothing."""
    side = world.mine
    for role in ROLES:
        yield role, tokens.begin(side.people[role], with_second_factor=False)[1].access
    yield "a key", side.keys[DEVELOPER]
    yield "nobody", ""


def test_it_finds_nothing_as_any_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "ACCESS", 86_400)  # by hand it may take hours
    world = build()
    write(tmp_path, world, EXAMPLES, SEED)
    only = os.environ.get("FUZZ_AS", "")
    found, unknown = {}, []
    with web(tmp_path) as port:
        for who, credential in credentials(world):
            if only in who:
                phases = "whole" if who in WHOLE else "short"
                found[who] = ask(port, credential, tmp_path, phases)
                if credential and not is_known(port, credential):
                    unknown.append(who)
        log = (tmp_path / "web.log").read_text()
    wrong = [
        f"As {who}:\n{one.stdout}\n{one.stderr}"
        for who, one in found.items()
        if one.returncode
    ]
    assert not wrong, "\n".join(wrong)
    assert not unknown, "their token or key was ended while they asked by it"
    assert "Traceback" not in log, log

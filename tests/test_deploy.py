"""What is shipped beside the code agrees with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from automate import env
from automate.settings_table import SETTINGS

ROOT = Path(env.BASE_DIR)
UNITS = sorted(ROOT.glob("deploy/*.service"))
GRACE = next(one.default for one in SETTINGS if one.name == "AUTOMATE_GRACE")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * (60 if unit == "m" else 1)


def test_the_containers_are_given_settings_that_exist() -> None:
    known = {one.name for one in SETTINGS}
    given = set(compose()["x-app"]["environment"])

    assert given <= known
    assert {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "POSTGRES_PASSWORD"} <= given


def test_no_secret_has_a_default_in_the_compose_file() -> None:
    environment = compose()["x-app"]["environment"]
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "POSTGRES_PASSWORD"):
        assert environment[name].startswith(f"${{{name}:?"), name


def test_a_number_in_the_compose_file_is_the_settings_default() -> None:
    defaults = {one.name: one.default for one in SETTINGS}
    environment = compose()["x-app"]["environment"]
    for name in ("AUTOMATE_WORKERS", "AUTOMATE_THREADS", "AUTOMATE_WEB"):
        assert environment[name] == f"${{{name}:-{defaults[name]}}}"


def test_containers_reap_their_processes_and_get_time_to_stop() -> None:
    services = compose()["services"]
    for name in ("web", "stream", "worker"):
        assert services[name]["init"] is True
    assert seconds(services["worker"]["stop_grace_period"]) > GRACE + 5


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_signal_the_main_process_alone_and_wait(unit: Path) -> None:
    text = unit.read_text()

    assert "\nKillMode=mixed\n" in text
    stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.M)
    assert stop
    assert int(stop[1]) > GRACE + 5
    assert re.search(r"^User=(?!root)", text, re.M)


def test_there_is_a_unit_for_each_kind_of_host() -> None:
    kinds = ["automate-stream", "automate-web", "automate-worker"]
    assert [unit.stem for unit in UNITS] == kinds


def test_the_image_runs_as_somebody_without_rights_from_hashed_packages() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]

    assert re.search(r"^USER [1-9]\d*$", last, re.M)
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in last
    assert all(":" in base for base in re.findall(r"^FROM (\S+)", text, re.M))


def test_every_package_of_ours_is_in_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \1$", text, re.M))
    wanted = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert wanted - {"tests", "benchmarks"} <= copied
    kept = set(re.findall(r"^!([\w/.]+)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert copied <= kept

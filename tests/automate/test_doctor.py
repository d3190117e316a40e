"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from automate import doctor
from automate.doctor import FAIL, OK, WARN, Finding, examine
from runs.models import Worker
from tests.makers import make_job, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def well(settings: Settings, tmp_path: Path) -> Path:
    """An installation without fault, but for the workers; its var folder."""
    settings.VAR_DIR = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "staticfiles.json").touch()
    return tmp_path


def findings(name: str) -> list[Finding]:
    return [finding for finding in examine() if finding.name == name]


def only(name: str) -> Finding:
    (finding,) = findings(name)
    return finding


def make_worker(seconds_ago: float = 0) -> None:
    beat = timezone.now() - timedelta(seconds=seconds_ago)
    Worker.objects.create(kind="drain", host="box", pid=1, beat_at=beat)


def test_a_sound_installation_is_ok_in_every_line() -> None:
    make_worker()
    make_run(payload={"a": 1})

    found = list(examine())

    assert {finding.level for finding in found} == {OK}
    assert not any(finding.todo for finding in found)
    names = {"settings", "var", "static", "database", "migrations", "clock", "keys"}
    assert {finding.name for finding in found} == names | {"workers", "queue"}


def test_a_database_that_is_away_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", refuse)
    found = list(examine())

    assert found[-1].name == "database"
    assert found[-1].level == FAIL
    assert "connection refused" in found[-1].message
    assert "DATABASE_URL" in found[-1].todo


def test_a_missing_migration_ends_the_examination() -> None:
    # Half a schema says nothing about workers and queue.
    app, name = max(doctor_last_migrations())
    MigrationRecorder(connection).record_unapplied(app, name)

    found = list(examine())

    assert found[-1].level == FAIL
    assert found[-1].todo == "python manage.py migrate"
    assert f"{app}.{name}" in found[-1].message


def doctor_last_migrations() -> Any:
    from automate.health import _last_migrations

    return _last_migrations()


def test_a_check_that_fails_is_a_finding_with_its_hint(settings: Settings) -> None:
    settings.LEASE = 1.0

    finding = only("settings")

    assert finding.level == FAIL
    assert "automate.E001" in finding.message
    assert "AUTOMATE_LEASE" in finding.todo


def test_an_unreadable_value_fails_and_names_the_key(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["lost"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new"]

    found = findings("keys")

    assert {finding.level for finding in found} == {FAIL}
    assert any("runs.Run.body" in finding.message for finding in found)
    assert all("FIELD_ENCRYPTION_KEYS" in finding.todo for finding in found)


def test_values_under_an_older_key_ask_for_a_rotation(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    finding = only("keys")

    assert finding.level == WARN
    assert finding.todo == "python manage.py rotate_keys"


@pytest.mark.parametrize(
    ("ages", "level"), [([], WARN), ([1], OK), ([180], FAIL), ([180, 2], OK)]
)
def test_workers_are_judged_by_their_last_heartbeat(
    ages: list[float], level: str
) -> None:
    for age in ages:
        make_worker(age)

    finding = only("workers")

    assert finding.level == level
    assert bool(finding.todo) is (level != OK)
    if level == FAIL:
        assert "3 minutes ago" in finding.message


@pytest.mark.parametrize(
    ("due_in", "level", "words"),
    [
        (3600, OK, "Nothing is due; 1 unfinished"),
        (-5, OK, "1 run(s) are due, the oldest since "),
        (-7300, WARN, "the oldest since 2 hours"),
    ],
)
def test_the_queue_is_judged_by_its_oldest_due_job(
    due_in: float, level: str, words: str
) -> None:
    make_job(make_run(), due_in=due_in)

    finding = only("queue")

    assert finding.level == level
    assert words in finding.message


@pytest.mark.parametrize(("seconds", "level"), [(0, OK), (2, WARN), (60, FAIL)])
@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_that_disagree_are_told(
    monkeypatch: pytest.MonkeyPatch, seconds: int, sign: int, level: str
) -> None:
    shift = timedelta(seconds=sign * seconds)
    monkeypatch.setattr(doctor, "_database_now", lambda: timezone.now() + shift)

    assert only("clock").level == level


def test_a_var_folder_that_is_missing_fails(settings: Settings, well: Path) -> None:
    settings.VAR_DIR = well / "nothing"

    finding = only("var")

    assert finding.level == FAIL
    assert "AUTOMATE_VAR_DIR" in finding.todo


def test_keys_that_others_can_read_are_told(well: Path) -> None:
    secrets = well / "secrets.env"
    secrets.touch(mode=0o600)
    assert [finding.level for finding in findings("var")] == [OK]

    secrets.chmod(0o644)
    well.chmod(0o700)
    assert [finding.level for finding in findings("var")] == [OK]

    well.chmod(0o755)
    warning, fine = findings("var")

    assert warning.level == WARN
    assert warning.todo == f"chmod 600 {secrets}"
    assert fine.level == OK


@pytest.mark.parametrize(("debug", "level"), [(False, FAIL), (True, OK)])
def test_static_files_must_be_collected_outside_debug(
    settings: Settings, debug: bool, level: str
) -> None:
    (Path(settings.STATIC_ROOT) / "staticfiles.json").unlink()
    settings.DEBUG = debug

    assert only("static").level == level


def run_command(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as error:
        return out.getvalue(), int(str(error.code))
    return out.getvalue(), 0


def test_the_command_says_what_to_do_and_ends_with_0_on_warnings() -> None:
    out, status = run_command()

    assert status == 0
    assert "warn  workers: No worker has reported." in out
    assert "      -> python manage.py qcluster" in out


def test_the_command_ends_with_1_on_a_failure() -> None:
    make_worker(600)

    out, status = run_command()

    assert status == 1
    assert "fail  workers:" in out


@pytest.fixture
def broken(settings: Settings) -> None:
    """Settings that no command with system checks would start with."""
    settings.RETENTION_DAYS = 0


def test_programs_get_json_even_with_broken_settings(broken: None) -> None:
    out, status = run_command("--json")

    report = json.loads(out)
    assert status == 1
    assert report["ok"] is False
    assert {"level", "name", "message", "todo"} == set(report["findings"][0])


def test_a_payload_store_outside_the_database_is_tried(
    settings: Settings, well: Path
) -> None:
    assert findings("payloads") == []
    settings.PAYLOAD_STORES = [f"files://{well}/new", f"files://{well}/old", "database"]

    found = findings("payloads")

    assert [finding.level for finding in found] == [OK, OK]
    assert str(well / "new") in found[0].message
    assert not [path for path in (well / "new").glob("??/??/*") if path.is_file()]


def test_a_payload_store_that_is_away_fails_without_its_keys(
    settings: Settings,
) -> None:
    settings.PAYLOAD_STORES = ["s3://ACCESS:hunter2@gone?endpoint=http://127.0.0.1:9"]

    finding = only("payloads")

    assert finding.level == FAIL
    assert "s3://gone/ cannot be reached" in finding.message
    assert "hunter2" not in str(finding)
    assert "AUTOMATE_PAYLOAD_STORE" in finding.todo

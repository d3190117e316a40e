"""Moving every encrypted value under the first key."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from pytest_django import Settings

from automate import rotation
from automate.lib.encryption import encrypted_fields, is_readable, stored_bytes
from automate.lib.key_ring import KeyRing, key_id_of
from automate.rotation import rotate
from runs.models import Run
from tests.makers import make_run, make_step
from workflows.models import Secret

pytestmark = pytest.mark.django_db


def stored(model: type[models.Model], name: str) -> list[bytes]:
    rows = model._base_manager.annotate(stored=stored_bytes(name))
    values = rows.filter(stored__isnull=False).values_list("stored", flat=True)
    return [bytes(value) for value in values]


def key_ids() -> set[str]:
    """The keys under which anything is stored."""
    return {
        key_id_of(value)
        for model, column in encrypted_fields()
        for value in stored(model, column.name)
    }


def totals(batch: int = 100) -> tuple[int, int]:
    reports = list(rotate(batch))
    rotated = sum(report.rotated for report in reports)
    return rotated, sum(report.unreadable.total() for report in reports)


def write(settings: Settings, *keys: str, count: int = 1) -> None:
    settings.FIELD_ENCRYPTION_KEYS = list(keys)
    for number in range(count):
        run = make_run(payload={"n": number}, variables={"v": "ü"})
        make_step(run, output={"o": number})
        Secret.objects.create(name=f"S_{keys[0]}_{number}", value="canary")


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_everything_moves_and_reads_the_same(settings: Settings, batch: int) -> None:
    write(settings, "old", count=3)
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    rotated, unreadable = totals(batch)

    # Of each run body, headers, query, variables; a step's output; a secret.
    assert (rotated, unreadable) == (18, 0)
    assert key_ids() == {KeyRing(["new"]).key_ids[0]}
    settings.FIELD_ENCRYPTION_KEYS = ["new"]
    assert [run.variables for run in Run.objects.all()] == [{"v": "ü"}] * 3
    assert {secret.value for secret in Secret.objects.all()} == {"canary"}


def test_a_second_pass_finds_nothing_to_do(settings: Settings) -> None:
    write(settings, "old")
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]
    totals()
    before = stored(Run, "body")

    assert totals() == (0, 0)
    assert stored(Run, "body") == before


def test_it_goes_on_where_it_was_stopped(settings: Settings) -> None:
    write(settings, "old", count=2)
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]
    passing = rotate(1)
    done = 0
    while not done:
        done = next(passing).rotated

    rest, _ = totals()

    assert done + rest == 12
    assert rest < 12


def test_what_cannot_be_read_is_counted_and_left_as_it_is(settings: Settings) -> None:
    write(settings, "lost")
    write(settings, "old")
    lost_id = KeyRing(["lost"]).key_ids[0]
    before = {value for value in stored(Run, "body") if key_id_of(value) == lost_id}
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    reports = {report.column: report for report in rotate(1)}

    assert reports["runs.Run.body"].rotated == 1
    assert reports["runs.Run.body"].unreadable == {lost_id: 1}
    assert before <= set(stored(Run, "body"))
    settings.FIELD_ENCRYPTION_KEYS = ["new", "lost"]
    assert all(is_readable(run.body) for run in Run.objects.all())


def test_a_value_that_changes_meanwhile_is_left_to_its_writer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    run = make_run(payload={"n": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]
    really = rotation._write

    def interfere(model: Any, name: str, changes: Any) -> int:
        if model is Run and name == "body":
            Run.objects.filter(pk=run.pk).update(body=b"newer")
        return really(model, name, changes)

    monkeypatch.setattr(rotation, "_write", interfere)
    reports = {report.column: report for report in rotate(10)}

    run.refresh_from_db()
    assert run.body == b"newer"
    assert reports["runs.Run.body"].rotated == 0

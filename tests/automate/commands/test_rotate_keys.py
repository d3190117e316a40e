"""manage.py rotate_keys."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from automate.lib.key_ring import KeyRing
from tests.makers import make_run

pytestmark = pytest.mark.django_db


def rotate(out: StringIO, *arguments: Any) -> str:
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_people_read_what_was_done_column_by_column(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    out = rotate(StringIO())

    assert "runs.Run.body: 1 re-encrypted" in out
    assert f"Everything is under key {KeyRing(['new']).key_ids[0]}." in out


def test_programs_get_json(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    report = json.loads(rotate(StringIO(), "--json", "--batch", "1"))

    assert report["key"] == KeyRing(["new"]).key_ids[0]
    assert report["rotated"] == 4
    assert report["unreadable"] == 0
    assert report["columns"]["runs.Run.body"] == {"rotated": 1, "unreadable": {}}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_unreadable_values_end_it_with_an_error(
    settings: Settings, options: list[str]
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["lost"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new"]
    out = StringIO()

    with pytest.raises(CommandError, match=r"4 value\(s\) could not be read"):
        rotate(out, *options)
    name = KeyRing(["lost"]).key_ids[0] if options else "runs.Run.body: 0 re-encrypted"
    assert name in out.getvalue()


@pytest.mark.parametrize("batch", ["0", "-1"])
def test_a_batch_has_rows(batch: str) -> None:
    with pytest.raises(CommandError, match="--batch"):
        rotate(StringIO(), "--batch", batch)

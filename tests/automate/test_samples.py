"""Samples of encrypted columns."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from automate import samples
from automate.lib.encryption import EncryptedField, Unreadable
from automate.lib.ids import uuid7
from automate.lib.key_ring import KeyRing
from automate.lib.sealed import marker
from automate.samples import Sample, take, take_all, unreadable_by_column
from runs.models import Run
from tests.makers import make_run, make_workflow

pytestmark = pytest.mark.django_db


def take_bodies() -> Sample:
    column = Run._meta.get_field("body")
    assert isinstance(column, EncryptedField)
    return take(Run, column)


@pytest.mark.parametrize(("damaged", "seen"), [(0, 1), (2, 0), (4, 1)])
def test_a_sample_holds_the_oldest_and_the_newest(
    monkeypatch: pytest.MonkeyPatch, damaged: int, seen: int
) -> None:
    monkeypatch.setattr(samples, "EACH_END", 2)
    workflow = make_workflow()
    runs = [make_run(workflow, payload=number) for number in range(5)]
    Run.objects.filter(pk=runs[damaged].pk).update(body=Unreadable("", b"damaged"))

    sample = take_bodies()

    assert sample.looked_at == 4
    assert sample.unreadable == ({"unknown": 1} if seen else {})


def test_each_value_counts_for_its_key(settings: Settings) -> None:
    workflow = make_workflow()
    for key in ("a", "b", "b"):
        settings.FIELD_ENCRYPTION_KEYS = [key]
        make_run(workflow, payload=1)
    settings.FIELD_ENCRYPTION_KEYS = ["a", "b"]

    first, second = KeyRing(["a", "b"]).key_ids

    assert take_bodies().by_key == {first: 1, second: 2}
    assert unreadable_by_column() == {}
    settings.FIELD_ENCRYPTION_KEYS = ["a"]
    assert unreadable_by_column()["runs.Run.body"] == {second}


def test_every_encrypted_column_is_looked_at() -> None:
    columns = {sample.column for sample in take_all()}

    assert columns >= {
        "runs.Run.body",
        "runs.StepRun.output",
        "workflows.Secret.value",
        "workflows.Connection.credentials",
        "workflows.Trigger.secret",
    }


def test_a_value_in_the_payload_store_counts_for_its_key_unfetched(
    settings: Settings,
) -> None:
    workflow, (known,) = make_workflow(), KeyRing(["a"]).key_ids
    settings.FIELD_ENCRYPTION_KEYS = ["a"]
    for key_id in (known, "0badbeef"):
        stored = marker(key_id, "s3", uuid7(), 5)
        run = make_run(workflow)
        Run.objects.filter(pk=run.pk).update(body=Unreadable("", stored))

    sample = take_bodies()

    assert sample.by_key == {known: 1}
    assert sample.unreadable == {"0badbeef": 1}

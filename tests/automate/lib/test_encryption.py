"""Encrypted columns: what they hold, what they refuse, what a lost key leaves."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps

from automate.lib import encryption
from automate.lib.encryption import (
    EncryptedBytesField,
    EncryptedJSONField,
    Unreadable,
    is_readable,
)
from automate.lib.key_ring import KeyRing, get_ring, key_id_of

OLD = "correct horse battery staple"
NEW = "tr0ub4dor-and-3"


def test_an_unreadable_value_is_true_and_shows_no_bytes() -> None:
    value = Unreadable("0123abcd", b"0123abcd:token")
    assert value
    assert str(value) == "unreadable (key 0123abcd)"
    assert str(Unreadable("", b"")) == "unreadable (key unknown)"
    assert "token" not in repr(value)
    assert not is_readable(value)
    others: list[Any] = [None, "", {}, b"", 0]
    assert all(is_readable(other) for other in others)


# --- fields -----------------------------------------------------------------


@pytest.fixture
def note(settings: Any) -> Any:
    """A model with both fields, without a table."""
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    with isolate_apps("workflows"):

        class Note(models.Model):  # noqa: DJ008 (never shown)
            tree = EncryptedJSONField(null=True, default=dict)
            body = EncryptedBytesField(default=b"")

            class Meta:
                app_label = "workflows"

        yield Note


def field_of(model: Any, name: str) -> Any:
    return model._meta.get_field(name)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "",
        0,
        False,
        {"a": [1, 2.5, None, "é 😀"]},
        "a\x00b",
        "lone \ud800 surrogate",
        2**80,
    ],
)
def test_json_is_kept_exactly(note: Any, value: Any) -> None:
    field = field_of(note, "tree")
    found = field.from_db_value(memoryview(field._dump(value)), None, None)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"x"), memoryview(b"y")])
def test_bytes_are_kept_exactly(note: Any, value: Any) -> None:
    field = field_of(note, "body")
    found = field.from_db_value(field._dump(value), None, None)
    assert found == bytes(value)
    assert type(found) is bytes


def test_values_of_another_type_are_refused(note: Any) -> None:
    with pytest.raises(TypeError, match=r"workflows\.Note\.body takes bytes, not str"):
        field_of(note, "body")._dump("text")
    with pytest.raises(TypeError):
        field_of(note, "tree")._dump(object())
    with pytest.raises(ValueError, match="JSON compliant"):
        field_of(note, "tree")._dump(float("nan"))


def test_a_pickle_is_never_loaded(note: Any) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("a pickle was loaded",)

    ring = KeyRing([NEW])
    bomb = pickle.dumps(Bomb())
    stored = ring.encrypt(bomb, "workflows.Note.body")
    assert field_of(note, "body").from_db_value(stored, None, None) == bomb
    assert not is_readable(field_of(note, "body").from_db_value(bomb, None, None))


def test_a_field_is_bound_to_app_model_and_name(note: Any) -> None:
    tree, body = field_of(note, "tree"), field_of(note, "body")
    assert tree.context == "workflows.Note.tree"
    moved = body.from_db_value(tree._dump({"a": 1}), None, None)
    assert not is_readable(moved)


def test_each_heir_of_an_abstract_model_has_its_own_binding() -> None:
    with isolate_apps("workflows"):

        class Base(models.Model):
            value = EncryptedJSONField()

            class Meta:
                abstract = True

        class Left(Base):  # noqa: DJ008 (never shown)
            class Meta:
                app_label = "workflows"

        class Right(Base):  # noqa: DJ008 (never shown)
            class Meta:
                app_label = "workflows"

    left, right = (field_of(m, "value").context for m in (Left, Right))
    assert (left, right) == ("workflows.Left.value", "workflows.Right.value")


def test_a_migration_names_our_field_and_no_key(note: Any) -> None:
    for field, expected in (
        (field_of(note, "tree"), "EncryptedJSONField(default=dict, null=True)"),
        (field_of(note, "body"), "EncryptedBytesField(default=b'')"),
        (EncryptedJSONField(editable=True), "EncryptedJSONField(editable=True)"),
    ):
        for form in (field, field.clone()):
            text, imports = MigrationWriter.serialize(form)
            assert text == f"automate.lib.encryption.{expected}"
            assert imports == {"import automate.lib.encryption"}


def test_fields_do_not_appear_in_forms_unless_asked() -> None:
    assert not EncryptedJSONField().editable
    assert EncryptedJSONField(editable=True).clone().editable


def test_a_fixture_holds_ciphertext_and_loads_again(note: Any) -> None:
    field = field_of(note, "tree")
    text = field.value_to_string(note(tree={"canary": "canary"}))
    assert "canary" not in text
    assert b"canary" not in base64.b64decode(text.removeprefix("encrypted:"))
    assert field.to_python(text) == {"canary": "canary"}


@pytest.mark.parametrize("value", ["encrypted:", "encrypted:QUJD", "plain", 5, None])
def test_a_text_that_looks_like_ciphertext_stays_a_text(note: Any, value: Any) -> None:
    assert field_of(note, "tree").to_python(value) == value


# --- with a database --------------------------------------------------------

pytest_db = pytest.mark.django_db


@pytest.fixture
def secrets(settings: Any) -> Any:
    from workflows.models import Secret

    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    return Secret.objects


def raw(secrets: Any, name: str) -> bytes:
    found = secrets.annotate(raw=encryption.stored_bytes("value")).get(name=name)
    return bytes(found.raw)


@pytest_db
def test_a_column_holds_no_plaintext_and_reads_back(secrets: Any) -> None:
    secrets.create(name="A", value={"canary": "canary-1"})
    assert b"canary" not in raw(secrets, "A")
    assert secrets.get(name="A").value == {"canary": "canary-1"}
    assert secrets.values("value").get() == {"value": {"canary": "canary-1"}}
    assert secrets.values_list("value", flat=True).get() == {"canary": "canary-1"}


@pytest_db
def test_bulk_writes_encrypt(secrets: Any) -> None:
    model = secrets.model
    made = [model(name=name, value=name * 3) for name in "ABC"]
    secrets.bulk_create(made)
    again = model(pk=made[0].pk, name="A", value="new")
    secrets.bulk_create(
        [again], update_conflicts=True, update_fields=["value"], unique_fields=["id"]
    )
    second = secrets.get(name="B")
    second.value = ["bulk"]
    secrets.bulk_update([second], ["value"])
    secrets.filter(name="C").update(value={"by": "update"})
    assert dict(secrets.values_list("name", "value")) == {
        "A": "new",
        "B": ["bulk"],
        "C": {"by": "update"},
    }
    for name in "ABC":
        assert key_id_of(raw(secrets, name)) == KeyRing([NEW]).key_ids[0]


@pytest_db
def test_a_value_can_be_copied_within_its_column_only(secrets: Any) -> None:
    secrets.create(name="A", value="a")
    secrets.update(value=models.F("value"))
    assert secrets.get().value == "a"


@pytest_db
def test_a_value_cannot_be_searched_for(secrets: Any) -> None:
    secrets.create(name="A", value="a")
    assert secrets.filter(value__isnull=False).count() == 1
    assert secrets.filter(value=None).count() == 0
    assert secrets.exclude(value=None).count() == 1
    for lookup in ("value", "value__contains", "value__in"):
        with pytest.raises(FieldError):
            secrets.filter(**{lookup: ["a"]}).count()


@pytest_db
def test_none_is_null() -> None:
    from workflows.models import Trigger

    field = field_of(Trigger, "secret")
    assert field.null
    from django.db import connection

    assert field.get_db_prep_save(None, connection) is None
    assert field.from_db_value(None, None, connection) is None


@pytest_db
def test_a_lost_key_reads_as_unreadable_and_saving_loses_nothing(
    secrets: Any, settings: Any
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    secrets.create(name="A", value="kept")
    before = raw(secrets, "A")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    found = secrets.get(name="A")
    assert found.value == Unreadable(KeyRing([OLD]).key_ids[0], before)
    found.allowed_hosts = ["example.com"]
    found.full_clean()
    found.save()
    secrets.bulk_update([found], ["value"])
    assert raw(secrets, "A") == before
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert secrets.get(name="A").value == "kept"


@pytest_db
def test_a_value_of_another_column_reads_as_unreadable(secrets: Any) -> None:
    foreign = get_ring().encrypt(b'"x"', "workflows.Connection.credentials")
    secrets.create(name="A", value=Unreadable("", foreign))
    assert raw(secrets, "A") == foreign
    assert not is_readable(secrets.get().value)


@pytest_db
def test_columns_can_be_rotated_by_their_stored_bytes(
    secrets: Any, settings: Any
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    secrets.create(name="A", value="kept")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    columns = {f.context: (m, f) for m, f in encryption.encrypted_fields()}
    _, field = columns["workflows.Secret.value"]
    fresh = get_ring().reencrypt(raw(secrets, "A"), field.context)
    assert fresh is not None
    secrets.update(value=Unreadable("", fresh))
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert secrets.get().value == "kept"


def test_every_encrypted_column_of_the_apps_is_listed() -> None:
    contexts = {field.context for _, field in encryption.encrypted_fields()}
    assert {"runs.Run.body", "runs.Run.output", "workflows.Secret.value"} <= contexts

from __future__ import annotations

import base64
import hmac
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import encryption
from automate.lib.encryption import (
    BadToken,
    EncryptedBytesField,
    EncryptedJSONField,
    KeyRing,
    UnknownKey,
    Unreadable,
    is_readable,
    key_id_of,
)

CONTEXT = "runs.Run.body"
OLD = "correct horse battery staple"
NEW = "tr0ub4dor-and-3"

# Written once by this module with the key OLD and the nonce 000102..0b. If this
# test fails, the stored format has changed and existing databases are unreadable.
VECTOR = (
    b"3d4904b7:"
    + bytes(range(12))
    + bytes.fromhex(
        "48f46da4b0d56bdc95499d21d61190e45c0c6a2923b5d4e9a7db22a04e9374711c"
    )
)


def test_a_value_stored_by_an_earlier_release_is_still_read() -> None:
    assert KeyRing([OLD]).decrypt(VECTOR, CONTEXT) == b'{"hello":"world"}'


def test_the_stored_form_is_plain_aes_256_gcm() -> None:
    derived = encryption._derive(OLD)
    stored = KeyRing([OLD]).encrypt(b"plain", CONTEXT)
    key_id, token = stored[:8], stored[9:]
    assert stored[8:9] == b":"
    # RFC 5869 by hand: extract with a salt of zeros, then one block of expand.
    extracted = hmac.digest(bytes(32), OLD.encode(), "sha256")
    assert derived == hmac.digest(extracted, b"automate field encryption\x01", "sha256")
    assert AESGCM(derived).decrypt(token[:12], token[12:], CONTEXT.encode()) == b"plain"
    assert KeyRing([OLD]).key_ids == [key_id.decode()]


@given(plain=st.binary(max_size=200), context=st.text(min_size=1, max_size=20))
def test_what_is_encrypted_is_decrypted(plain: bytes, context: str) -> None:
    ring = KeyRing([NEW, OLD])
    context = context.encode("utf-8", "ignore").decode() or "a.B.c"
    stored = ring.encrypt(plain, context)
    assert ring.decrypt(stored, context) == plain
    assert key_id_of(stored) == ring.key_ids[0]
    assert len(plain) < 8 or plain not in stored


def test_equal_values_are_stored_differently() -> None:
    ring = KeyRing([NEW])
    assert len({ring.encrypt(b"same", CONTEXT) for _ in range(100)}) == 100


def test_the_first_key_writes_and_all_read() -> None:
    old, new, both = KeyRing([OLD]), KeyRing([NEW]), KeyRing([NEW, OLD])
    assert both.decrypt(old.encrypt(b"x", CONTEXT), CONTEXT) == b"x"
    assert new.decrypt(both.encrypt(b"y", CONTEXT), CONTEXT) == b"y"
    with pytest.raises(UnknownKey) as caught:
        old.decrypt(both.encrypt(b"y", CONTEXT), CONTEXT)
    assert caught.value.key_id == new.key_ids[0]


def test_a_value_moved_to_another_column_is_refused() -> None:
    ring = KeyRing([NEW])
    with pytest.raises(BadToken, match="another column"):
        ring.decrypt(ring.encrypt(b"x", "runs.Run.body"), "runs.Run.output")


@given(plain=st.binary(max_size=40), place=st.integers(0), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(plain: bytes, place: int, bit: int) -> None:
    ring = KeyRing([NEW])
    stored = bytearray(ring.encrypt(plain, CONTEXT))
    position = 9 + place % (len(stored) - 9)
    stored[position] ^= 1 << bit
    with pytest.raises(BadToken):
        ring.decrypt(bytes(stored), CONTEXT)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_with_one_of_two_errors(stored: bytes) -> None:
    for prefix in (b"", KeyRing([NEW]).key_ids[0].encode() + b":"):
        with pytest.raises((BadToken, UnknownKey)):
            KeyRing([NEW]).decrypt(prefix + stored, CONTEXT)


@pytest.mark.parametrize(
    ("stored", "key_id"),
    [
        (b"0123abcd:rest", "0123abcd"),
        (b"0123ABCD:rest", ""),
        (b"0123abcd", ""),
        (b"0123abcdXrest", ""),
        (b"gggggggg:rest", ""),
        (b"", ""),
    ],
)
def test_a_stored_value_names_its_key(stored: bytes, key_id: str) -> None:
    assert key_id_of(stored) == key_id


def test_rotation_rewrites_only_what_another_key_wrote() -> None:
    both = KeyRing([NEW, OLD])
    stored = KeyRing([OLD]).encrypt(b"x", CONTEXT)
    rewritten = both.reencrypt(stored, CONTEXT)
    assert rewritten is not None
    assert KeyRing([NEW]).decrypt(rewritten, CONTEXT) == b"x"
    assert both.reencrypt(rewritten, CONTEXT) is None
    with pytest.raises(UnknownKey):
        KeyRing([NEW]).reencrypt(stored, CONTEXT)
    with pytest.raises(BadToken):
        both.reencrypt(stored, "runs.Run.output")


@pytest.mark.parametrize("keys", [[], [""], ["good", " "]])
def test_a_ring_without_keys_is_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key ring needs"):
        KeyRing(keys)


def test_a_ring_ignores_repetitions_and_space_around_a_key() -> None:
    assert KeyRing([NEW, f" {NEW}\n", OLD]).key_ids == KeyRing([NEW, OLD]).key_ids


def test_a_ring_does_not_print_its_keys() -> None:
    assert NEW not in repr(KeyRing([NEW]))
    assert NEW not in str(vars(KeyRing([NEW])))


def test_the_ring_follows_the_setting(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    stored = encryption.get_ring().encrypt(b"x", CONTEXT)
    assert encryption.get_ring() is encryption.get_ring()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert encryption.get_ring().key_ids == KeyRing([NEW, OLD]).key_ids
    rewritten = encryption.reencrypt(stored, CONTEXT)
    assert rewritten is not None
    assert key_id_of(rewritten) == KeyRing([NEW]).key_ids[0]
    settings.FIELD_ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        encryption.get_ring()


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
    foreign = encryption.get_ring().encrypt(b'"x"', "workflows.Connection.credentials")
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
    fresh = encryption.reencrypt(raw(secrets, "A"), field.context)
    assert fresh is not None
    secrets.update(value=Unreadable("", fresh))
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert secrets.get().value == "kept"


def test_every_encrypted_column_of_the_apps_is_listed() -> None:
    contexts = {field.context for _, field in encryption.encrypted_fields()}
    assert {"runs.Run.body", "runs.Run.output", "workflows.Secret.value"} <= contexts

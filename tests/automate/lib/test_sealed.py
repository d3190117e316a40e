"""References that stand in a column for a value in the payload store."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.encryption import EncryptedJSONField, is_readable, may_be_copied
from automate.lib.ids import uuid7
from automate.lib.key_ring import get_ring, key_id_of
from automate.lib.sealed import MARK, Elsewhere, Unreadable, elsewhere, marker
from runs.models import Run

COLUMN = Run._meta.get_field("output")
assert isinstance(COLUMN, EncryptedJSONField)


@given(
    reference=st.uuids(),
    size=st.integers(0, 2**40),
    store=st.sampled_from(["database", "files", "s3", "memory"]),
)
def test_a_reference_is_read_as_it_was_written(
    reference: UUID, size: int, store: str
) -> None:
    found = elsewhere(marker("0a1b2c3d", store, reference, size), COLUMN)

    assert found is not None
    assert (found.key_id, found.store) == ("0a1b2c3d", store)
    assert (found.reference, found.size) == (reference, size)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"payload",
        b"payload:",
        b"payload:0a1b2c3d:s3:xyz:5",
        b"payload:0a1b2c3d:s3:0199c0de000070008000000000000000:many",
        b"payload:0a1b2c3d:s3:0199c0de000070008000000000000000:5:more",
        b"payload:\xff",
    ],
)
def test_what_is_no_reference_is_not_taken_for_one(stored: bytes) -> None:
    assert elsewhere(stored, COLUMN) is None
    read = COLUMN._load(stored)
    assert isinstance(read, Unreadable)
    assert not isinstance(read, Elsewhere)


@given(st.binary(max_size=60))
def test_no_value_under_a_key_is_taken_for_a_reference(plain: bytes) -> None:
    token = get_ring().encrypt(plain, "a.B.c")

    assert elsewhere(token, COLUMN) is None
    assert key_id_of(MARK) == ""


def test_a_reference_is_not_readable_and_may_be_copied() -> None:
    stored = marker("0a1b2c3d", "s3", uuid7(), 5)
    value = COLUMN._load(stored)

    assert isinstance(value, Elsewhere)
    assert not is_readable(value)
    assert may_be_copied(value)
    assert not may_be_copied(Unreadable("0a1b2c3d", b"x"))
    assert COLUMN.encrypted(value) == stored


def test_a_reference_prints_no_bytes_and_says_why() -> None:
    value = COLUMN._load(marker("0a1b2c3d", "s3", uuid7(), 5))

    assert str(value) == "unreadable (in the payload store)"
    assert "payload:" not in repr(value)
    assert str(Unreadable("abc", b"")) == "unreadable (key abc)"
    assert str(Unreadable("", b"")) == "unreadable (key unknown)"
    assert str(Unreadable("abc", b"", "missing")) == "unreadable (missing)"


def test_what_is_sealed_is_bound_to_its_reference() -> None:
    one, other = uuid7(), uuid7()
    token = COLUMN.seal(COLUMN.plain_bytes({"a": 1}), one)

    assert COLUMN.unseal(token, one) == {"a": 1}
    with pytest.raises(Exception, match="damaged or belongs"):
        COLUMN.unseal(token, other)
    with pytest.raises(Exception, match="damaged or belongs"):
        get_ring().decrypt(token, COLUMN.context)

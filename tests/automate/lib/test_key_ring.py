"""The key ring: what is stored, under which key, and what is refused."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import key_ring
from automate.lib.key_ring import BadToken, KeyRing, UnknownKey, get_ring, key_id_of

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
    derived = key_ring._derive(OLD)
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
    stored = get_ring().encrypt(b"x", CONTEXT)
    assert get_ring() is get_ring()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert get_ring().key_ids == KeyRing([NEW, OLD]).key_ids
    rewritten = get_ring().reencrypt(stored, CONTEXT)
    assert rewritten is not None
    assert key_id_of(rewritten) == KeyRing([NEW]).key_ids[0]
    settings.FIELD_ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        get_ring()

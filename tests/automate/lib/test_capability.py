from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from automate.lib.capability import LENGTH, is_signed, signatures


def test_a_signature_is_letters_and_digits_alone() -> None:
    found = signatures("resume", "run", "node")
    assert all(re.fullmatch(f"[a-z2-7]{{{LENGTH}}}", text) for text in found)


def test_the_same_texts_have_the_same_signature() -> None:
    assert signatures("resume", "a", "b") == signatures("resume", "a", "b")


@given(
    st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3)
)
def test_other_texts_have_another(one: list[str], other: list[str]) -> None:
    same = signatures("p", *one) == signatures("p", *other)
    assert same == (one == other)


def test_the_purpose_counts() -> None:
    assert signatures("resume", "a") != signatures("other", "a")


def test_the_first_key_signs_and_all_verify(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    handed_out = signatures("resume", "a")[0]
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]
    assert signatures("resume", "a")[0] != handed_out
    assert is_signed(handed_out, "resume", "a")
    settings.FIELD_ENCRYPTION_KEYS = ["new"]
    assert not is_signed(handed_out, "resume", "a")


@pytest.mark.parametrize("text", ["", "a", "\ud800", "x" * 10_000, "é"])
def test_any_text_can_be_checked(text: str) -> None:
    assert not is_signed(text, "resume", text, text)


def test_nobody_can_make_one_from_a_stored_value(settings: Settings) -> None:
    """The key that signs is not the one that encrypts."""
    from automate.lib import capability, key_ring

    for key in settings.FIELD_ENCRYPTION_KEYS:
        assert capability._derive(key) != key_ring._derive(key)

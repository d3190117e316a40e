"""What is too large for its row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from automate.lib import jsonio
from automate.lib.payloads import get_ring
from runs.payloads import (
    BODY,
    OUTPUT,
    is_large,
    keep_body,
    keep_output,
    pages,
)

LIMIT = 256 * 1024
trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture(autouse=True)
def memory(settings: Settings) -> None:
    """Nothing here needs a database."""
    settings.PAYLOAD_STORES = ["memory"]


def test_the_limits_are_those_of_the_documents(settings: Settings) -> None:
    assert settings.INLINE_LIMIT == 64 * 1024
    assert settings.INLINE_OUTPUT_LIMIT == LIMIT


@pytest.mark.parametrize(("size", "moved"), [(64 * 1024, False), (64 * 1024 + 1, True)])
def test_a_body_is_moved_above_its_limit(*, size: int, moved: bool) -> None:
    kept = keep_body(b"x" * size)

    assert (kept is not None) is moved
    if kept is not None:
        assert kept.value.size == size
        assert kept.token == b""


@pytest.mark.parametrize(("size", "moved"), [(LIMIT - 2, False), (LIMIT - 1, True)])
def test_an_output_is_moved_when_its_json_is_above_its_limit(
    *, size: int, moved: bool
) -> None:
    assert (keep_output(OUTPUT, "x" * size) is not None) is moved


@pytest.mark.parametrize(
    "value",
    [
        "x" * 300_000,
        {"x" * 300_000: 1},
        ["x" * 1_000] * 300,
        [[["x" * 300_000]]],
        list(range(50_000)),
        [True] * 60_000,
        {str(number): None for number in range(40_000)},
        ("x" * 300_000,),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_large_output_is_overlooked(value: Any) -> None:
    assert is_large(value)
    assert keep_output(OUTPUT, value) is not None


@given(trees, st.integers(1, 3_000))
def test_what_is_called_small_fits_its_row(tree: Any, times: int) -> None:
    tree = [tree] * times
    if not is_large(tree):
        assert len(jsonio.dumps(tree).encode("utf-8", "surrogatepass")) <= LIMIT


@pytest.mark.parametrize("character", ["\x00", "\ud800", "é", '"', "\\", "a"])
@pytest.mark.parametrize("number", [43_000, 44_000, 262_000])
def test_text_that_grows_as_json_is_measured_as_json(
    character: str, number: int
) -> None:
    text = character * number
    size = len(jsonio.dumps(text).encode("utf-8", "surrogatepass"))

    assert is_large(text) or size <= LIMIT


def test_what_is_moved_is_encrypted_and_bound_to_its_place() -> None:
    kept = keep_body(b"secret" * 20_000)
    assert kept is not None
    token = get_ring().get("memory", kept.value.reference)

    assert b"secret" not in token
    assert BODY.unseal(token, kept.value.reference) == b"secret" * 20_000


def test_nothing_of_a_payload_is_printed() -> None:
    kept = keep_body(b"secret" * 20_000)

    assert "secret" not in repr(kept)
    assert len(repr(kept)) < 500


def test_pages_are_what_one_statement_names() -> None:
    from automate.lib.ids import uuid7

    many = [uuid7() for _ in range(1_100)]

    found = list(pages(iter(many)))

    assert [len(page) for page in found] == [500, 500, 100]
    assert [item for page in found for item in page] == many

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workflows.definition import canonical_json, digest


def test_the_bytes_are_sorted_compact_utf8() -> None:
    assert (
        canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()
    )


def test_order_does_not_change_the_digest_and_values_do() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": 1}) != digest({"a": True})
    assert digest([1, 2]) != digest([2, 1])


def test_the_digest_survives_a_database_that_rewrites_numbers() -> None:
    assert digest({"x": [1e3, 2.0, -0.0]}) == digest({"x": [1000, 2, 0]})
    assert digest(2.5) != digest(2)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@given(values)
def test_reading_the_bytes_back_gives_the_same_bytes(value: Any) -> None:
    raw = canonical_json(value)
    assert canonical_json(json.loads(raw)) == raw
    assert json.loads(raw) == value

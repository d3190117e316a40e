"""Large trees are cut from behind, and say so."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from automate.lib.shorten import NODE, shorten

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=50),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=30,
)


def test_what_is_small_is_the_same_object() -> None:
    tree = {"a": [1, 2, {"b": "text"}]}

    assert shorten(tree, 1000) is tree


def test_a_long_text_says_how_much_is_missing() -> None:
    assert shorten({"a": "x" * 5000}, 100)["a"].endswith("more characters]")


def test_a_long_list_says_how_many_are_missing() -> None:
    cut = shorten([{"n": number} for number in range(10_000)], 1000)

    assert cut[0] == {"n": 0}
    assert cut[-1] == f"[{10_000 - (len(cut) - 1):,} more]"
    assert len(json.dumps(cut)) < 2000


def test_a_large_object_says_how_many_are_missing() -> None:
    cut = shorten({f"key{number}": number for number in range(1000)}, 1000)

    assert cut["key0"] == 0
    assert cut["[cut]"] == f"[{1000 - (len(cut) - 1):,} more]"


@given(tree=TREES, limit=st.integers(0, 400))
def test_it_keeps_the_front_and_never_grows_beyond_its_notes(
    tree: Any, limit: int
) -> None:
    cut = shorten(tree, limit)

    if cut is not tree:
        assert characters(cut) <= limit + 40 * (notes(cut) + 1) + deepest(tree) * NODE
    if isinstance(tree, list) and isinstance(cut, list):
        assert len(cut) <= len(tree)


def characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + characters(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(characters(item) for item in value)
    return 0


def notes(value: Any) -> int:
    if isinstance(value, str):
        return value.endswith((" more]", " more characters]"))
    if isinstance(value, dict):
        return sum(notes(item) for item in value.values())
    return sum(notes(item) for item in value) if isinstance(value, list) else 0


def deepest(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        return 1 + max((deepest(item) for item in inner), default=0)
    return 0

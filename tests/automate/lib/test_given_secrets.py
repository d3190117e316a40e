"""What a sender gave away under a sensitive name."""

from __future__ import annotations

from typing import Any

import pytest

from automate.lib.given_secrets import MOST, given_secrets


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"password": "correct horse"}, {"correct horse"}),
        ({"user": {"Api-Key": "abcdefgh"}}, {"abcdefgh"}),
        ({"pwd": {"of": ["one of 2", {"x": "two of 2"}]}}, {"one of 2", "two of 2"}),
        ([{"token": "abcdefgh"}, {"name": "abcdefghi"}], {"abcdefgh"}),
        ({"password": "short"}, set()),
        ({"password": 12345678, "secret": None, "token": True}, set()),
        ({"order": "not a secret"}, set()),
        ("password=correct horse", set()),
        (None, set()),
    ],
)  # fmt: skip
def test_texts_under_sensitive_names_are_found(tree: Any, found: set[str]) -> None:
    assert given_secrets(tree) == found


def test_there_are_not_too_many_of_them() -> None:
    tree = {"password": [f"password {number}" for number in range(10 * MOST)]}
    assert len(given_secrets(tree)) == MOST


def test_a_deep_tree_is_no_danger() -> None:
    tree: Any = {"password": "correct horse"}
    for _ in range(100_000):
        tree = [tree]
    assert given_secrets(tree) == {"correct horse"}

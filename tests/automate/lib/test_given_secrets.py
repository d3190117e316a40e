"""What a sender gave away under a sensitive name."""

from __future__ import annotations

import time
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
        ({"password": 12345678, "secret": None, "token": True}, {"12345678"}),
        ({"password": 1234567, "total_tokens": 12345678}, set()),
        ([{"name": "Authorization", "value": "Basic abc"}], {"Basic abc"}),
        ([{"key": "X-Api-Key", "value": "abcdefgh"}], {"abcdefgh"}),
        ([{"name": "Accept", "value": "text/html"}], set()),
        ({"token_type": "a bearer", "next_page_token": "abcdefgh"}, set()),
        ('{"a": "{\\"token\\": \\"abcdefgh\\"}"}', {"abcdefgh"}),
        ({"raw": '[{"token": "abcdefgh"}'}, set()),
        ("a=1&client_secret=abc%20defgh", {"abc defgh"}),
        ("https://x.example/?sig=abcdefgh#token=ijklmnop", {"abcdefgh", "ijklmnop"}),
        ("payload=%7B%22token%22%3A%22abcdefgh%22%7D", {"abcdefgh"}),
        ("postgres://us:abc%2Fdefgh@db/x", {"abc/defgh"}),
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


@pytest.mark.parametrize(
    "text",
    [
        "token=" * 200_000,
        "a=%7B" * 200_000,
        "://a:" * 200_000,
        "{" * 200_000,
        "?" * 200_000 + "=",
        "token=" + "%25" * 300_000,
    ],
)
def test_a_hostile_text_costs_little(text: str) -> None:
    begun = time.thread_time()
    given_secrets({"a": text})
    assert time.thread_time() - begun < 3


def test_a_number_too_long_for_a_text_is_passed_over() -> None:
    assert given_secrets({"token": 10**5000}) == set()

"""Redaction of what somebody made to break it: no value gets through, nothing hangs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.redaction import Redactor
from tests.automate.lib.test_redaction import CANARY, FORM, JSON, LIMIT


def nested(levels: int) -> str:
    text = '{"password": "x"}'
    for _ in range(levels):
        text = json.dumps({"a": [text]})
    return text


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"token":' * 20_000,
        "[" * 200 + "]" * 200,
        '{"a":' * 199 + json.dumps("[" * 199 + '"\\u0041"' + "]" * 199) + "}" * 199,
        nested(7),
        '"\\' * 100_000 + "token",
        '\\"' * 100_000 + "token",
        '"token":' * 20_000,
        '{"token":\\"' * 10_000,
        "://" * 50_000 + "@",
        "https://" + "a" * 200_000 + "@?token",
        "?a" * 100_000 + "=token",
        "&" + "token" * 50_000,
        "token=" * 40_000,
        '"token"' + " " * 200_000,
        "%5B" * 60_000,
    ],
    ids=range(16),
)
def test_a_hostile_body_neither_fails_nor_holds_up(text: str) -> None:
    redactor = Redactor([CANARY, '\\"\\"'])
    for content_type in (JSON, FORM, ""):
        start = time.thread_time()
        redactor.body(text.encode(), content_type, LIMIT)
        assert time.thread_time() - start < 2


def test_a_deep_tree_is_cut_off_rather_than_failing() -> None:
    tree: Any = CANARY
    for _ in range(3000):
        tree = {"a": [tree]}
    assert CANARY not in json.dumps(Redactor([CANARY]).data(tree))


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
trees = st.recursive(
    leaves | st.just(CANARY) | st.text(max_size=5).map(lambda t: t + CANARY + t),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("token"), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(trees)
def test_no_tree_lets_the_value_through(tree: Any) -> None:
    redactor = Redactor([CANARY])
    shown = redactor.data(tree)
    assert CANARY not in str(shown)
    assert json.dumps(CANARY)[1:-1] not in json.dumps(shown)
    for dump in (json.dumps(tree), json.dumps(tree, ensure_ascii=False, indent=1)):
        for content_type in (JSON, "", "text/plain"):
            text, _ = redactor.body(dump.encode(), content_type, LIMIT)
            assert CANARY not in text
            assert json.dumps(CANARY)[1:-1] not in text


@given(st.text(max_size=80), st.sampled_from([JSON, FORM, "", "text/html"]))
def test_text_can_be_redacted_twice_and_never_fails(
    text: str, content_type: str
) -> None:
    redactor = Redactor(["secret-value"])
    once = redactor.text(text, content_type)
    assert redactor.text(once, content_type) == once
    once.encode()

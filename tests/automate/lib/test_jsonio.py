from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import jsonio
from automate.lib.jsonio import BadJSON, dumps, loads, storable, storable_text

text = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | floats | text
trees = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20
)


@given(trees)
def test_what_is_written_is_read_back(tree: Any) -> None:
    assert loads(dumps(tree)) == tree
    assert loads(dumps(tree).encode()) == tree
    assert loads(json.dumps(tree, indent=1)) == tree


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_input_is_read_or_refused_as_bad_json(raw: bytes | str) -> None:
    try:
        value = loads(raw)
    except BadJSON:
        return
    assert value == json.loads(raw.encode() if isinstance(raw, str) else raw)


def test_json_is_written_compactly_and_not_escaped() -> None:
    assert dumps({"é": [1, True, None]}) == '{"é":[1,true,null]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps({"a": value})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("NaN", "NaN is not JSON"),
        ('{"a": Infinity}', "Infinity is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e400", "1e400 is too large"),
        ("-1e999", "too large"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('[{"b": {"c": 1, "d": 2, "c": 1}}]', "'c' is given twice"),
        ("9" * 4301, "more than 4300 digits"),
        (r'"\ud800"', "lone surrogate"),
        (r'{"a\uDC00": 1}', "lone surrogate"),
        (r'["\ud83d x \ude00"]', "lone surrogate"),
        ('"\ud800"', "lone surrogate at character 1"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        ('{"a": 1'.encode("utf-16"), "not UTF-8"),
        (b"", "Expecting value"),
        ("  ", "Expecting value"),
        ("{} x", "Extra data"),
        ("'a'", "Expecting value"),
        ('"a\nb"', "control character"),
        ('"\x00"', "control character"),
        ("[1,]", "at character"),
        ("01", "Extra data"),
    ],
)
def test_what_a_strict_reader_refuses(raw: bytes | str, message: str) -> None:
    with pytest.raises(BadJSON, match=message) as caught:
        loads(raw)
    assert caught.value.message == str(caught.value)


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        ('{"a": x}', 6),
        (b'"\xff"', 1),
        ('"\udc00"', 1),
        ("[NaN]", None),
        ("[" * 300, None),
    ],
)
def test_the_place_of_the_fault_is_told_when_it_is_known(
    raw: bytes | str, position: int | None
) -> None:
    with pytest.raises(BadJSON) as caught:
        loads(raw)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        ('\ufeff"x"', "x"),
        (r'"a\u0000b"', "a\x00b"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\ud800"', r"\ud800"),
        ("9" * 4300, int("9" * 4300)),
        ("1e308", 1e308),
        ("1e-999", 0.0),
        ("{}", {}),
    ],
)
def test_what_a_strict_reader_accepts(raw: bytes | str, expected: Any) -> None:
    assert loads(raw) == expected


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"]":'])
def test_nesting_is_allowed_up_to_200_levels(opening: str) -> None:
    closing = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(opening))
    if opening == '[{"]":':
        closing = "}]"
    levels = len(closing)
    fits = 200 // levels
    loads(opening * fits + "1" + closing * fits)
    with pytest.raises(BadJSON, match="deeper than 200"):
        loads(opening * (fits + 1) + "1" + closing * (fits + 1))


def test_brackets_inside_texts_are_no_nesting() -> None:
    value = {"a": "[" * 1000, "b": '\\"[{' * 500, "{" * 300: [[], {}] * 300}
    assert loads(dumps(value)) == value


BOMBS = {
    "lists": "[" * 100_000,
    "objects": '{"a":' * 100_000,
    "an open text": '["' + "[" * 100_000,
    "escapes": '"\\' * 100_000 + "[" * 300,
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_quickly(raw: str) -> None:
    start = time.thread_time()
    with pytest.raises(BadJSON):
        loads(raw)
    assert time.thread_time() - start < 1


def test_reading_works_far_down_the_stack() -> None:
    raw = "[" * 200 + "]" * 200

    def down(levels: int) -> Any:
        return down(levels - 1) if levels else loads(raw)

    assert down(400) == json.loads(raw)


def test_a_duplicate_key_is_named_but_not_at_full_length() -> None:
    key = "k" * 10_000
    with pytest.raises(BadJSON) as caught:
        loads(f'{{"{key}": 1, "{key}": 2}}')
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ({"k\x00": ["\udfff"]}, {"k\ufffd": ["\ufffd"]}),
        (math.nan, None),
        ([math.inf, -math.inf, 1.5], [None, None, 1.5]),
        pytest.param(10**5000, None, id="too many digits"),
        pytest.param(10**4000, 10**4000, id="many digits"),
        (True, True),
        ((1, 2), [1, 2]),
        ({1: None}, {"1": None}),
        (b"x", "b'x'"),
        ({7}, [7]),
        ("é 😀", "é 😀"),
    ],
)
def test_a_tree_is_made_fit_for_a_column(value: Any, expected: Any) -> None:
    found = storable(value)
    assert found == expected
    assert type(found) is type(expected)


@given(trees)
def test_a_storable_tree_is_left_alone(tree: Any) -> None:
    once = storable(tree)
    assert storable(once) == once
    assert "\\u0000" not in json.dumps(once)
    if "\x00" not in dumps(tree) and "\\u0000" not in dumps(tree):
        assert once == tree


@given(st.text(st.characters(), max_size=50))
def test_a_storable_text_has_no_nul_and_is_utf_8(value: str) -> None:
    safe = storable_text(value)
    assert "\x00" not in safe
    assert len(safe) == len(value)
    safe.encode()


def test_what_is_too_deep_is_cut_off() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    found = storable(value)
    assert jsonio.TOO_DEEP in dumps(found)
    loads(dumps(found))

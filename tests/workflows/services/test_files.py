"""Files of documents: YAML 1.2's core schema, strict JSON, nothing that bites."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.services import dump_yaml, read_documents
from workflows.services.files import MAX_FILE


def only(text: str) -> Any:
    [loaded] = read_documents(text.encode())
    assert loaded.error == ""
    return loaded.document


def error(raw: str | bytes, name: str = "f.yaml") -> tuple[int, str]:
    last = list(read_documents(raw.encode() if isinstance(raw, str) else raw, name))[-1]
    assert last.document is None
    return last.number, last.error


@pytest.mark.parametrize("text", ["on", "off", "yes", "No", "2024-01-01", "12:30", "="])
def test_what_yaml_1_1_would_change_stays_text(text: str) -> None:
    assert only(f"{text}: {text}") == {text: text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("'5'", "5"),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = only(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_infinities_are_read_for_the_definition_to_refuse() -> None:
    found = only("a: .inf\nb: -.INF\nc: .nan")
    assert (found["a"], found["b"]) == (math.inf, -math.inf)
    assert math.isnan(found["c"])


def test_documents_are_counted_and_empty_ones_are_none() -> None:
    found = list(read_documents(b"---\na: 1\n---\n---\n- b: 2\n- c: 3\n"))
    assert [(one.number, one.document) for one in found] == [
        (1, {"a": 1}),
        (2, {"b": 2}),
        (3, {"c": 3}),
    ]


def test_what_comes_before_a_broken_document_is_read() -> None:
    first, second = read_documents(b"a: 1\n---\nb: [\n")
    assert first.document == {"a": 1}
    assert second.number == 2
    assert second.error.startswith("line 4, column 1: ")


def test_merge_keys_and_small_aliases_work() -> None:
    text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n"
    assert only(text)["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    "form", ["[{0}, {0}]", "{{x: {0}, y: {0}}}", "{{<<: [{0}, {0}]}}"]
)
def test_aliases_that_grow_are_refused_before_they_do(form: str) -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {form.format(f'*a{i - 1}')}" for i in range(1, 64)]
    number, message = error("\n".join(lines))
    assert number == 1
    assert "more than 200,000 values, with aliases" in message


def test_an_alias_of_itself_is_refused() -> None:
    assert error("a: &a [*a]")[1] == "line 1: an alias holds itself"


def test_the_same_key_twice_is_refused_with_its_line() -> None:
    assert error("a: 1\nb: 2\na: 3\n")[1] == 'line 3: the key "a" is there twice'


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system [id]", "!!python/name:os.system x", "a: !x 1"],
)
def test_tags_make_no_objects(text: str) -> None:
    assert "could not determine a constructor" in error(text)[1]


@pytest.mark.parametrize(
    ("raw", "name", "words"),
    [
        ("", "f.yaml", "the file is empty"),
        ("# nothing\n", "f.yaml", "the file is empty"),
        ("just text", "f.yaml", "must be an object"),
        ("- 1", "f.yaml", "must be an object"),
        ("[" * 5000, "f.yaml", "nested too deeply"),
        ("a: " + "9" * 5000, "f.yaml", "line 1"),
        ("? [a]\n: b", "f.yaml", "a key must be text"),
        (b"\xff\xfe", "f.yaml", "is not UTF-8"),
        ("a: \x00", "f.yaml", "special characters are not allowed"),
        ("{", "f.json", ""),
        ('{"a": 1, "a": 2}', "f.JSON", ""),
        ("[" * 5000, "f.json", ""),
        (b"a" * (MAX_FILE + 1), "f.yaml", "more than 5 MiB"),
    ],
)
def test_what_cannot_be_read_is_said(raw: str | bytes, name: str, words: str) -> None:
    number, message = error(raw, name)
    assert number == 1
    assert message
    assert words in message


def test_a_bom_is_no_part_of_the_document() -> None:
    [loaded] = read_documents("\ufeffa: 1".encode())
    assert loaded.document == {"a": 1}


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    [
        "on",
        "1e3",
        "010",
        "0o7",
        "1_0",
        "2024-01-01",
        "<<",
        "=",
        "~",
        ".inf",
        "",
        "a\nb\n",
    ]
)
TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.lists(st.dictionaries(TEXT, TREE, max_size=4), min_size=1, max_size=3))
def test_what_is_written_is_read_back(documents: list[dict[str, Any]]) -> None:
    loaded = list(read_documents(dump_yaml(documents).encode()))
    assert [(one.document, one.error) for one in loaded] == [(d, "") for d in documents]

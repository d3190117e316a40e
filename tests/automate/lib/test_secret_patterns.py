from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from automate.lib.secret_patterns import Finder, finder

AWKWARD = "pä ss\\w/o\"r'd+&<%>=\n\t😀!"
TOKEN = "sk_live_51Hxyz-ABC.def~0123"


def replace(text: str, *values: str) -> str:
    return Finder(frozenset(values)).replace(text, "#")


# The alphabet favours what encodings treat in special ways.
characters = st.sampled_from("aZ0-_.~ /+%=&?#@:\"'\\<>\n\r\t{}[]éß€😀") | st.characters(
    exclude_categories=["Cs"]
)
secrets = st.text(characters, min_size=4, max_size=24).filter(
    lambda value: value == value.strip() and not set("«»") & set(value)
)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda v: v,
    "quote": quote,
    "quote all": lambda v: quote(v, safe=""),
    "quote as requests does": lambda v: quote(v, safe="!#$%&'()*+,/:;=?@[]~"),
    "quote twice": lambda v: quote(quote(v, safe=""), safe=""),
    "quote in small letters": lambda v: quote(v, safe="").replace("%2F", "%2f"),
    "form": quote_plus,
    "json": lambda v: json.dumps(v)[1:-1],
    "json, not ascii": lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    "json, solidus": lambda v: json.dumps(v)[1:-1].replace("/", "\\/"),
    "json as go writes it": lambda v: json.dumps(v)[1:-1].replace("&", "\\u0026"),
    "json in json": lambda v: json.dumps(json.dumps(v))[3:-3],
    "html": html.escape,
    "html, no quotes": lambda v: html.escape(v, quote=False),
    "html by number": lambda v: "".join(
        c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in v
    ),
    "hex": lambda v: v.encode().hex(),
    "HEX": lambda v: v.encode().hex().upper(),
}


@pytest.mark.parametrize("name", ENCODINGS)
@given(value=secrets)
def test_a_value_is_found_in_every_encoding(name: str, value: str) -> None:
    assert replace(f"«{ENCODINGS[name](value)}»", value) == "«#»"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(value=secrets, user=st.binary(max_size=9), rest=st.binary(max_size=9))
def test_a_value_is_found_in_base64_at_every_alignment(
    encode: Callable[[bytes], bytes], value: str, user: bytes, rest: bytes
) -> None:
    raw = value.encode()
    assume(len(raw) >= 6)
    encoded = encode(user + raw + rest).decode()
    found = replace(encoded, value)
    assert "#" in found
    left = found.replace("#", "").rstrip("=")
    # At most what the neighbours' bytes need is left, and never the value's.
    assert len(left) <= -(-8 * len(user) // 6) + -(-8 * len(rest) // 6)


def test_basic_authentication_is_found_with_any_user() -> None:
    for user in ("", "a", "ab", "abc", "long.user@example.com"):
        code = base64.b64encode(f"{user}:{TOKEN}".encode()).decode()
        found = replace(f"Basic {code}!", TOKEN)
        assert found.startswith("Basic ")
        assert found.endswith("#!")
        # What is left of the code is what the user name alone decides.
        assert code.startswith(found.removeprefix("Basic ").removesuffix("#!"))
        assert len(found) - len("Basic #!") <= 8 * (len(user) + 1) // 6


def test_basic_authentication_in_latin_1_is_found() -> None:
    code = base64.b64encode("me:größe-ß".encode("latin-1")).decode()
    assert "#" in replace(code, "größe-ß")
    assert replace("gr%F6%DFe-%DF", "größe-ß") == "#"


def test_base64_is_found_inside_a_url_and_inside_json() -> None:
    raw = bytes.fromhex("fbefbefffffbefbe").decode("latin-1")
    code = base64.b64encode(raw.encode("latin-1")).decode()
    assert "+" in code
    assert "/" in code
    for text in (code, quote_plus(code), code.replace("/", "\\/")):
        assert "#" in replace(text, raw)


def test_a_line_end_may_be_written_as_crlf() -> None:
    pem = "-----BEGIN KEY-----\nabcd\nefgh\n-----END KEY-----"
    dos = pem.replace("\n", "\r\n")
    for value in (pem, dos):
        for text in (pem, dos, json.dumps(dos)[1:-1], quote(dos), quote(pem)):
            assert replace(text, value) == "#"


def test_the_longest_value_wins() -> None:
    assert replace("abcdef-abcd", "abcd", "abcdef") == "#-#"


def test_other_texts_are_left_alone() -> None:
    text = json.dumps({"a": AWKWARD[:-1], "b": TOKEN[:-1], "c": [1, None]})
    assert replace(text, AWKWARD, TOKEN) == text
    assert replace(text) == text
    assert replace("", AWKWARD) == ""


def test_short_values_are_not_searched_in_base64() -> None:
    code = base64.b64encode(b"abcde").decode()
    assert replace(code, "abcde") == code


def test_a_pattern_is_not_run_where_its_needle_is_missing() -> None:
    search = Finder(frozenset({TOKEN}))
    search.replace("x" * 1000, "#")
    assert not any("pattern" in vars(form) for _, form in search._forms)
    search.replace(TOKEN, "#")
    assert sum("pattern" in vars(form) for _, form in search._forms) == 1


def test_finders_of_the_same_values_are_shared() -> None:
    assert finder(frozenset({TOKEN})) is finder(frozenset({TOKEN}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\\" * 12 + "x", "\\" * 60_000),
        ('\\"\\"\\"\\"x', '\\"' * 30_000),
        ("\\n\\n\\n\n\n\n!", "\\n" * 30_000),
        ("\n\n\n\n\n\n!", "\r\n" * 30_000),
        ("    +   x", "+ " * 30_000),
        ("&&&&&&", "&#0000" * 10_000),
        ("%%%%%%x", "%25" * 20_000),
        ("'''''''''", "\\" * 60_000),
    ],
)
def test_a_hostile_text_does_not_hold_up_the_search(value: str, text: str) -> None:
    start = time.thread_time()
    replace(text, value)
    assert time.thread_time() - start < 2


LONG = ['-!"é\n' * 20_000, "a b/" * 50_000, "x" * 300_000]


@pytest.mark.parametrize("value", LONG)
@pytest.mark.parametrize("name", sorted(set(ENCODINGS) - {
    "quote as requests does", "quote twice", "quote in small letters",
    "json, solidus", "json as go writes it", "html by number",
}))  # fmt: skip
def test_a_very_long_value_is_found_in_the_usual_spellings(
    name: str, value: str
) -> None:
    """Shown to fail (minutes) when its expression is compiled."""
    begun = time.thread_time()
    assert replace(f"«{ENCODINGS[name](value)}»", value) == "«#»"
    assert time.thread_time() - begun < 3


def test_it_is_found_in_base64_too() -> None:
    for value in LONG:
        for user in (b"", b"u", b"us"):
            code = base64.b64encode(user + value.encode()).decode()
            assert len(replace(code, value)) < 10


def test_all_values_together_compile_no_more_than_one_may() -> None:
    """A sender chooses how many there are; those that are left over are found too."""
    values = [f"{number:03d}" + "-!" * 150 for number in range(300)]
    text = json.dumps(values)
    begun = time.thread_time()
    assert replace(text, *values) == json.dumps(["#"] * 300)
    assert time.thread_time() - begun < 5


class TestMany:
    """A thousand values, as an import of people with their passwords has them."""

    VALUES = tuple(f"pw-{number:04d}/x y" for number in range(900)) + tuple(
        f"{number:03d}-{number:03d}-a" for number in range(100)
    )

    @pytest.mark.parametrize("name", ENCODINGS)
    def test_each_is_found_in_each_encoding(self, name: str) -> None:
        encode = ENCODINGS[name]
        text = "«»".join(encode(value) for value in self.VALUES)
        assert replace(text, *self.VALUES) == "«»".join("#" * len(self.VALUES))

    def test_each_is_found_in_base64(self) -> None:
        search = Finder(frozenset(self.VALUES))
        for value in self.VALUES:
            code = base64.b64encode(b"u:" + value.encode()).decode()
            assert "#" in search.replace(code, "#"), value

    def test_a_large_text_that_holds_none_costs_one_pass(self) -> None:
        """Shown to fail when each needle is looked for by itself."""
        search = Finder(frozenset(self.VALUES))
        text = json.dumps([{"n": n, "s": f"some text {n}"} for n in range(25_000)])
        search.replace(text, "#")
        begun = time.thread_time()
        assert search.replace(text, "#") == text
        assert time.thread_time() - begun < 1.5

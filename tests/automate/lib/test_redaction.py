from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest

from automate.lib import redaction
from automate.lib.redaction import REDACTED, Redactor
from automate.lib.sensitive import normalise

CANARY = "canary/7f3a+9c 1e\"d'2&b"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
LIMIT = 64 * 1024


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([CANARY])


@pytest.fixture
def names() -> Redactor:
    """Knows no value: redacts by name alone."""
    return Redactor()


# --- by name ----------------------------------------------------------------

SENSITIVE = [
    "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key",
    "x_api_key", "apiKey", "token", "access_token", "X-Auth-Token", "refreshToken",
    "client_secret", "password", "PASSWORD", "user[password]", "pass-word", "passwd",
    "db_pwd", "X-Hub-Signature-256", "webhook-signature", "X-Amz-Credential", "auth",
    "private_key", "AccessKey", "client_assertion", "session_id", "id.token", "jwt",
]  # fmt: skip
PLAIN = [
    "Content-Type", "author", "authors", "id", "key", "sign", "name", "Idempotency-Key",
    "token_type", "next_page_token", "nextPageToken", "compass", "webhook-id",
    "X-Request-Id", "passenger", "", "monkey", "user-agent",
]  # fmt: skip


@pytest.mark.parametrize("name", SENSITIVE)
def test_a_sensitive_name_hides_its_value_everywhere(
    names: Redactor, name: str
) -> None:
    value = "v4lue-of-it"
    raw = json.dumps({"a": [{name: value, "z": 1}]})
    assert names.is_sensitive(name)
    assert names.data({"a": [{name: value}]}) == {"a": [{name: REDACTED}]}
    assert names.headers({name: value}) == {name: REDACTED}
    for content_type in (JSON, "", "text/plain"):
        shown, _ = names.body(raw.encode(), content_type, LIMIT)
        assert json.loads(shown) == {"a": [{name: REDACTED, "z": 1}]}
    form = f"a=1&{quote_plus(name)}={value}&b=2"
    assert value not in names.body(form.encode(), FORM, LIMIT)[0]
    assert value not in names.url(f"https://example.com/x?{form}#y")
    assert value not in names.body(raw[:-5].encode(), JSON, LIMIT)[0]


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_show_their_value(names: Redactor, name: str) -> None:
    tree = {"a": [{name: "value"}]}
    raw = json.dumps(tree)
    assert names.data(tree) == tree
    assert names.headers({name: "value"}) == {name: "value"}
    assert names.body(raw.encode(), JSON, LIMIT) == (raw, False)


@pytest.mark.parametrize(
    "tree",
    [
        {"token": None, "secret": False, "password": "", "tokens": [], "cookie": {}},
        {"usage": {"total_tokens": 12, "max_tokens": 100}},
    ],
)
def test_nothing_and_counts_are_shown(names: Redactor, tree: Any) -> None:
    assert names.data(tree) == tree


def test_whole_trees_and_numbers_below_a_sensitive_name_are_hidden(
    names: Redactor,
) -> None:
    tree = {
        "credentials": {"user": "me", "pin": [1]},
        "password": 1234,
        "tokens": ["a"],
    }
    assert names.data(tree) == dict.fromkeys(tree, REDACTED)


def test_a_list_of_names_and_values_is_understood(names: Redactor) -> None:
    tree = [{"name": "Authorization", "value": "x"}, {"key": "Accept", "value": "y"}]
    assert names.data(tree) == [
        {"name": "Authorization", "value": REDACTED},
        {"key": "Accept", "value": "y"},
    ]


def test_further_names_can_be_given() -> None:
    redactor = Redactor(names=["X-Customer_No"])
    tree = {"xCustomerNo": "4711", "other": "4711"}
    expected = {"xCustomerNo": REDACTED, "other": "4711"}
    assert redactor.data(tree) == expected
    shown, _ = redactor.body(json.dumps(tree).encode(), JSON, LIMIT)
    assert json.loads(shown) == expected


def test_a_very_long_name_is_judged_too(names: Redactor) -> None:
    assert names.is_sensitive("token" + "x" * 100_000)


def test_every_hint_has_a_stem() -> None:
    stems = redaction._HINTS_BY_STEM
    for hint in redaction._HINTS:
        assert any(hint in hints for _, hints in stems), hint
        assert normalise(hint) == hint


# --- by value ---------------------------------------------------------------


def test_a_value_is_hidden_everywhere(redactor: Redactor) -> None:
    tree = {"note": f"a {CANARY} b", CANARY: [CANARY, {"deep": (CANARY,)}], "n": 5}
    assert redactor.data(tree) == {
        "note": f"a {REDACTED} b",
        REDACTED: [REDACTED, {"deep": [REDACTED]}],
        "n": 5,
    }
    assert redactor.text(f"failed: {CANARY}!") == f"failed: {REDACTED}!"
    assert redactor.headers({"X-Echo": f"<{CANARY}>", CANARY: "1"}) == {
        "X-Echo": f"<{REDACTED}>",
        REDACTED: "1",
    }
    assert redactor.url(f"https://example.com/{quote_plus(CANARY)}/x") == (
        f"https://example.com/{REDACTED}/x"
    )


def test_the_echo_of_basic_authentication_is_hidden(redactor: Redactor) -> None:
    code = base64.b64encode(f"me:{CANARY}".encode()).decode()
    shown, _ = redactor.body(
        json.dumps({"echo": f"Basic {code}"}).encode(), JSON, LIMIT
    )
    echo = json.loads(shown)["echo"]
    assert echo.endswith(REDACTED)
    assert len(echo) <= len("Basic bWU6") + len(REDACTED)


def test_short_and_blank_values_are_not_searched() -> None:
    redactor = Redactor(["", "   ", "abc", " ab "])
    assert redactor.text("abc ab   ") == "abc ab   "


def test_space_around_a_value_does_not_matter() -> None:
    assert Redactor([f" {CANARY}\n"]).text(CANARY) == REDACTED


def test_a_number_that_is_a_secret_is_hidden() -> None:
    redactor = Redactor(["271828"])
    assert redactor.data({"a": 271828, "b": 27}) == {"a": REDACTED, "b": 27}
    shown, _ = redactor.body(b'{"a": 271828, "password": "x"}', JSON, LIMIT)
    assert "271828" not in shown
    assert '"x"' not in shown


def test_a_value_in_odd_escapes_is_hidden() -> None:
    redactor = Redactor(["hunter2hunter2"])
    escaped = "".join(f"\\u{ord(char):04x}" for char in "hunter2hunter2")
    shown, _ = redactor.body(f'{{"a": "{escaped}"}}'.encode(), JSON, LIMIT)
    assert json.loads(shown) == {"a": REDACTED}


def test_a_redactor_does_not_print_its_values(redactor: Redactor) -> None:
    assert CANARY not in repr(redactor)


def test_every_kind_of_object_is_searched(redactor: Redactor) -> None:
    class Odd:
        def __str__(self) -> str:
            return f"odd {CANARY}"

    assert redactor.data([Odd(), {CANARY}, (CANARY,)]) == [
        f"odd {REDACTED}",
        [REDACTED],
        [REDACTED],
    ]


# --- URLs -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@example.com/a", "https://[redacted]@example.com/a"),
        ("https://ghp_abc@example.com", "https://[redacted]@example.com"),
        ("https://a:p@ss@example.com/@b", "https://[redacted]@example.com/@b"),
        ("https://example.com/@me?x=a@b", "https://example.com/@me?x=a@b"),
        ("https://h/?a=1&api_key=x&b=2", "https://h/?a=1&api_key=[redacted]&b=2"),
        ("https://h/?key=AIza&sig=x%3D", "https://h/?key=[redacted]&sig=[redacted]"),
        ("https://h/?api%5Fkey=x", "https://h/?api%5Fkey=[redacted]"),
        ("https://h/cb#access_token=x&t=1", "https://h/cb#access_token=[redacted]&t=1"),
        ("/relative?token=x", "/relative?token=[redacted]"),
        ("https://h/?token=", "https://h/?token="),
        ("not a url", "not a url"),
        ("http://[::1", "http://[::1"),
        ("", ""),
    ],
)
def test_a_url_loses_its_user_part_and_sensitive_parameters(
    names: Redactor, url: str, shown: str
) -> None:
    assert names.url(url) == shown
    assert names.text(url) == shown
    assert names.headers({"Location": url}) == {"Location": shown}
    assert names.data({"x": url}) == {"x": shown}


@pytest.mark.parametrize(
    "text",
    [
        "GET https://me:pw-7f@example.com/x failed",
        '{"u": "https://me:pw-7f@example.com"}',
        r'{"u": "https:\/\/me:pw-7f@example.com"}',
        r'{"u": "https:\/\/me:pw-7f@example.com", "cut": "of',
        r'{"u": "https://h/?a=1\u0026token=pw-7f"}',
        '<a href="https://h/?a=1&amp;token=pw-7f">',
        "see /cb?a=1&token=pw-7f now",
    ],
)
def test_urls_inside_texts_are_redacted(names: Redactor, text: str) -> None:
    for content_type in ("", JSON, "text/html"):
        assert "pw-7f" not in names.text(text, content_type)


# --- bodies -----------------------------------------------------------------


def test_json_without_secrets_is_shown_as_it_was_written(names: Redactor) -> None:
    raw = '{ "b" : 1.50,\n "a" : "\\u00e9 100 %", "author": "x" }'
    assert names.body(raw.encode(), JSON, LIMIT) == (raw, False)


def test_json_inside_a_text_of_json_is_understood(names: Redactor) -> None:
    inner = json.dumps({"password": "pw-7f", "a": 1})
    shown, _ = names.body(json.dumps({"body": inner}).encode(), JSON, LIMIT)
    assert json.loads(json.loads(shown)["body"]) == {"password": REDACTED, "a": 1}
    cut = json.dumps({"body": inner, "more": "x"})[:-3]
    assert "pw-7f" not in names.body(cut.encode(), JSON, LIMIT)[0]


def test_json_inside_a_form_is_understood(names: Redactor) -> None:
    inner = json.dumps({"token": "pw-7f", "a": "b c"})
    shown, _ = names.body(f"payload={quote_plus(inner)}&x=1".encode(), FORM, LIMIT)
    found = parse_qs(shown)
    assert json.loads(found["payload"][0]) == {"token": REDACTED, "a": "b c"}
    assert found["x"] == ["1"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ('{"token": "abc', '{"token": "[redacted]"'),
        ('{"token": "a\\"bc", "x": [1', '{"token": "[redacted]", "x": [1'),
        ('{"token": 12345, "x": [1', '{"token": "[redacted]", "x": [1'),
        ('{"token": null, "x": "tok', '{"token": null, "x": "tok'),
        ('{"credentials": {"a": "pw"}, "x": 1', '{"credentials": "[redacted]"'),
        ('{"a": 1, "a": 2, "pwd":"x"}', '{"a": 1, "a": 2, "pwd":"[redacted]"}'),
        ('{"pwd" : "a"}\n{"pwd":"b"}', '{"pwd" : "[redacted]"}\n{"pwd":"[redacted]"}'),
        (r'{"b": "{\"pwd\": \"x\", \"y', r'{"b": "{\"pwd\": \"[redacted]\", \"y'),
        (r'{"b": "{\"pwd\": \"x', r'{"b": "{\"pwd\": \"[redacted]\"'),
    ],
)  # fmt: skip
def test_json_that_does_not_parse_is_redacted_name_by_name(
    names: Redactor, raw: str, shown: str
) -> None:
    assert names.body(raw.encode(), JSON, LIMIT) == (shown, False)


def test_large_json_is_redacted_without_parsing(names: Redactor) -> None:
    tree = {"pad": "x" * redaction.LARGEST_PARSED, "token": "pw-7f", "z": 1}
    shown, was_cut = names.body(json.dumps(tree).encode(), JSON, 2 * 1024 * 1024)
    assert json.loads(shown) == {**tree, "token": REDACTED}
    assert not was_cut


def test_a_body_is_redacted_before_it_is_cut(redactor: Redactor) -> None:
    raw = b"x" * 90 + CANARY.encode() + b"y" * 90
    whole = "x" * 90 + REDACTED + "y" * 90
    for limit in range(0, 210, 3):
        shown, was_cut = redactor.body(raw, "text/plain", limit)
        assert shown == whole[:limit]
        assert was_cut == (limit < len(whole))


def test_a_cut_falls_between_characters(names: Redactor) -> None:
    assert names.body("aé😀".encode(), "text/plain", 6) == ("aé", True)
    assert names.body("aé😀".encode(), "text/plain", 7) == ("aé😀", False)


def test_binary_bodies_become_a_note(names: Redactor) -> None:
    assert names.body(b"\x89PNG\x00", "image/png", 5) == ("[binary, 5 bytes]", False)
    assert names.body(b"\xff\xfe\x00", "", 5) == ("[binary, 3 bytes]", False)
    assert names.body(b"", "image/png", 5) == ("", False)


def test_what_comes_out_is_storable(redactor: Redactor) -> None:
    assert redactor.text("a\x00\ud800") == "a\ufffd\ufffd"
    assert redactor.url("http://h/\x00") == "http://h/\ufffd"
    assert redactor.headers({"a": "\udc80"}) == {"a": "\ufffd"}
    assert redactor.data({"\x00": [float("nan"), "\x00"]}) == {
        "\ufffd": [None, "\ufffd"]
    }
    shown, _ = redactor.body(b'{"token": "\\u0000", "b": "\x00"}', JSON, LIMIT)
    assert "\x00" not in shown


def test_repeated_headers_are_joined(names: Redactor) -> None:
    headers = [("Via", "a"), ("Set-Cookie", "s=1"), ("Via", "b"), ("Set-Cookie", "t=2")]
    assert names.headers(headers) == {
        "Via": "a, b",
        "Set-Cookie": f"{REDACTED}, {REDACTED}",
    }


def test_hiding_replaces_values_alone_and_leaves_the_rest() -> None:
    redactor = Redactor(["s3cr3t-value"])
    tree = {
        "password": "kept",
        "x s3cr3t-value": ["a s3cr3t-value b", "s3cr3t%2Dvalue", 7, None, True],
    }
    assert redactor.hide(tree) == {
        "password": "kept",
        "x [redacted]": ["a [redacted] b", "[redacted]", 7, None, True],
    }
    assert redactor.hide("s3cr3t-value") == "[redacted]"
    assert redactor.hide(None) is None


def test_hiding_nothing_costs_nothing() -> None:
    tree = {"a": ["b"]}
    assert Redactor().hide(tree) is tree

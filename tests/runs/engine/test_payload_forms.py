"""What templates see of forms, files, text and binary bodies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from runs.engine import files
from runs.engine.payload import parse_body

PARTS = "multipart/form-data; boundary=xx"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
BODY = (
    b'--xx\r\nContent-Disposition: form-data; name="title"\r\n\r\nHello \xc3\xa9\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="tag"\r\n\r\na\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="tag"\r\n\r\nb\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="scan"; filename="../a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n"
    b'--xx\r\nContent-Disposition: form-data; name="raw"\r\n\r\n\xff\x00\xfe\r\n--xx--'
)


def test_a_form_in_parts_is_its_fields_and_files() -> None:
    found = parse_body(BODY, PARTS)
    assert found["title"] == "Hello é"
    assert found["tag"] == ["a", "b"]
    scan = found["scan"]
    assert scan == {
        "name": "scan",
        "filename": "../a.png",
        "content_type": "image/png",
        "size": len(PNG),
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "reference": scan["reference"],
    }
    assert files.read(scan, BODY) == PNG
    assert files.read(found["raw"], BODY) == b"\xff\x00\xfe"
    assert found["raw"]["filename"] == ""


def test_a_body_that_is_no_text_is_a_file() -> None:
    for kind in ("", "application/pdf", "image/png"):
        found = parse_body(PNG, kind)
        assert (found["size"], found["content_type"]) == (len(PNG), kind)
        assert files.read(found, PNG) == PNG


@pytest.mark.parametrize(
    ("body", "kind", "payload"),
    [
        (b"a=1&b=&a=%C3%A9&a=3", "application/x-www-form-urlencoded",
         {"a": ["1", "é", "3"], "b": ""}),
        (b"caf\xe9", "text/plain; charset=latin-1", "café"),
        (b"\xef\xbb\xbfabc", "text/csv", "abc"),
        (b"{}", "text/plain", "{}"),
        (b"{}", "text/json", {}),
        (b"{}", "", {}),
        (b"{}\n{}\n", "application/x-ndjson", "{}\n{}\n"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"", "image/png", None),
        (b"--xx", "multipart/mixed; boundary=xx", "--xx"),
        (b"broken", PARTS, "broken"),
    ],
)  # fmt: skip
def test_other_bodies_are_what_their_type_says(
    body: bytes, kind: str, payload: Any
) -> None:
    assert parse_body(body, kind) == payload


def test_a_form_of_too_many_fields_is_its_text() -> None:
    body = b"a=1&" * 10_000
    assert parse_body(body, "application/x-www-form-urlencoded") == body.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": "body:0-4"}, "sha256 differs"),
        ({"reference": "body:5-99999"}, "the event has no"),
        ({"reference": "body:9-3"}, "the event has no"),
        ({"reference": "body:-1-3"}, "the event has no"),
        ({"reference": "/etc/passwd"}, "the event has no"),
        ({"reference": "data"}, "the event has no"),
        ({"reference": None}, "is no file"),
        ({"sha256": None}, "sha256 differs"),
    ],
)
def test_what_names_no_file_of_this_event_is_refused(
    change: dict[str, Any], words: str
) -> None:
    scan = parse_body(BODY, PARTS)["scan"]
    with pytest.raises(files.NoSuchFile, match=words):
        files.read({**scan, **change}, BODY)
    for value in (None, "body:0-4", [scan]):
        with pytest.raises(files.NoSuchFile, match="is no file"):
            files.read(value, BODY)

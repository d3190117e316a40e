"""multipart/form-data: its parts are found where they are, or the fault is named."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.multipart import MAX_PARTS, BadMultipart, Part, parts_of

TYPE = "multipart/form-data; boundary=xx"


def part(head: str, content: bytes = b"v") -> bytes:
    return b"--xx\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(disposition: str, content: bytes = b"v") -> bytes:
    return part(f"Content-Disposition: form-data; {disposition}", content)


def one(body: bytes, content_type: str = TYPE) -> Part:
    (found,) = parts_of(body + b"--xx--\r\n", content_type)
    return found


@given(st.lists(st.binary(max_size=60).filter(lambda data: b"--xx" not in data)))
def test_every_part_is_where_it_stands(contents: list[bytes]) -> None:
    body = b"".join(field(f'name="n{i}"', data) for i, data in enumerate(contents))
    body += b"--xx--"
    if not contents:
        body = b"preamble\r\n" + body
    found = parts_of(body, TYPE)
    assert [body[item.start : item.end] for item in found] == contents
    assert [item.name for item in found] == [f"n{i}" for i in range(len(contents))]


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ('name="a"', "a", None),
        ("name=a", "a", None),
        ('name="a"; filename=""', "a", ""),
        ('filename="b.txt"; name="a"', "a", "b.txt"),
        ('name="a"; filename="../../etc/passwd"', "a", "../../etc/passwd"),
        ('name="a"; filename="C:\\dir\\b.txt"', "a", "C:\\dir\\b.txt"),
        ('name="a"; filename="say \\"b\\";.txt"', "a", 'say "b";.txt'),
        ('name="a%22"; filename="b%0D%0A.txt"', 'a"', "b\r\n.txt"),
        ('name="é"; filename="日本.txt"', "é", "日本.txt"),
        ("name=\"a\"; filename*=UTF-8''%C3%A9.txt", "a", "é.txt"),
        ("name=\"a\"; filename*=UTF-8''%FF", "a", "\ufffd"),
    ],
)
def test_names_are_read_as_they_are_written(
    disposition: str, name: str, filename: str | None
) -> None:
    found = one(field(disposition))
    assert (found.name, found.filename) == (name, filename)


def test_a_part_says_what_it_is_or_has_the_usual_type() -> None:
    head = 'content-disposition: FORM-DATA; name="a"\r\nCONTENT-TYPE: image/png'
    assert one(part(head)).content_type == "image/png"
    assert one(field('name="a"')).content_type == "text/plain"
    assert one(field('name="a"; filename=""')).content_type == (
        "application/octet-stream"
    )


def test_preamble_epilogue_and_padding_are_passed_over() -> None:
    body = b"hello\r\n" + field('name="a"').replace(b"--xx\r\n", b"--xx \t\r\n")
    assert len(parts_of(body + b"--xx--\r\nbye\r\n--xx\r\n", TYPE)) == 1


@pytest.mark.parametrize("boundary", ['"a b"', "-" * 70, "'()+_,./:=?"])
def test_a_boundary_may_hold_what_the_specification_allows(boundary: str) -> None:
    raw = boundary.strip('"').encode()
    quoted = boundary if boundary.startswith('"') else f'"{boundary}"'
    body = b"--" + raw + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--'
    body += raw + b"--"
    found = parts_of(body, f"multipart/form-data; boundary={quoted}")
    assert body[found[0].start : found[0].end] == b"v"


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"--xx--", "multipart/form-data", "no valid boundary"),
        (b"--xx--", "multipart/form-data; boundary=", "no valid boundary"),
        (b"--xx--", f"multipart/form-data; boundary={'x' * 71}", "no valid boundary"),
        (b"--xx--", 'multipart/form-data; boundary="x\n"', "no valid boundary"),
        (b"nothing", TYPE, "does not occur"),
        (field('name="a"'), TYPE, "ends before"),
        (field('name="a"') + b"--x", TYPE, "ends before"),
        (field('name="a"') + b"--xxy--", TYPE, "something stands behind"),
        (field('name="a"') + b"--xx", TYPE, "something stands behind"),
        (part("Content-Type: text/plain") + b"--xx--", TYPE, "part 0 is no field"),
        (part("Content-Disposition: attachment; name=a") + b"--xx--", TYPE, "no field"),
        (field('filename="a"') + b"--xx--", TYPE, "no field"),
        (field('name="a') + b"--xx--", TYPE, "no field"),
        (part("no colon") + b"--xx--", TYPE, "without a colon"),
        (b"--xx\r\n--xx--", TYPE, "no end of headers"),
        (part("X: " + "y" * 9000) + b"--xx--", TYPE, "no end of headers"),
        (field('name="a"') * (MAX_PARTS + 1) + b"--xx--", TYPE, "more than 1000"),
        (field("name=\"a\"; filename*=nope''%41") + b"--xx--", TYPE, "unknown charset"),
        (part('Content-Disposition: form-data; name="a"\r\n'
              "Content-Transfer-Encoding: base64") + b"--xx--", TYPE, "Transfer"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(
    body: bytes, content_type: str, words: str
) -> None:
    with pytest.raises(BadMultipart, match=words):
        parts_of(body, content_type)


@given(st.binary(max_size=200), st.text(max_size=80))
def test_any_bytes_are_parts_within_them_or_a_fault_with_a_name(
    body: bytes, boundary: str
) -> None:
    whole = b"--xx\r\n" + body
    for content_type in (TYPE, f"multipart/form-data; boundary={boundary}"):
        found = parts_or_fault(whole, content_type)
        assert found
        if isinstance(found, str):
            continue
        ends = [place for item in found for place in (item.start, item.end)]
        assert ends == sorted(ends)
        assert all(0 < place <= len(whole) for place in ends)


def parts_or_fault(body: bytes, content_type: str) -> list[Part] | str:
    try:
        return parts_of(body, content_type)
    except BadMultipart as fault:
        return str(fault)


@pytest.mark.parametrize(
    "body",
    [
        b"--xx " * 200_000,
        b"\r\n--x" * 200_000,
        b"--xx\r\n" * 150_000,
        field("name=" + '"a\\' * 2000),
        field(";" * 8000),
    ],
)
def test_hostile_bodies_are_refused_at_once(body: bytes) -> None:
    begin = time.thread_time()
    with pytest.raises(BadMultipart):
        parts_of(body, TYPE)
    assert time.thread_time() - begin < 1

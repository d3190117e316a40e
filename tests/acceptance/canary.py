"""Where a secret could turn up, and in what writing."""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import requests

from tests.acceptance.site import Site

# What every page links to and the crawl must leave alone.
LEFT_OUT = ("/admin/logout/", "/admin/jsi18n/")


def forms(value: str) -> set[str]:
    """The encodings of a value that are looked for, those of base64 at any place."""
    raw = value.encode()
    slashed = json.dumps(value)[1:-1]
    twice = json.dumps(slashed)[1:-1]
    found = {
        value, quote(value), quote(value, safe=""), quote(value, safe="").lower(),
        quote_plus(value), quote(quote(value, safe=""), safe=""), slashed, twice,
        slashed.replace("/", "\\/"), html.escape(value), raw.hex(), raw.hex().upper(),
        value.replace("\\", "\\\\"), slashed.replace("\\", "\\\\"),
    }  # fmt: skip
    for offset in range(3):
        coded = base64.b64encode(bytes(offset) + raw).decode()
        bits = 8 * (offset + len(raw))
        core = coded[-(-8 * offset // 6) : bits // 6]
        found |= {core, core.replace("+", "-").replace("/", "_")}
        found.add(quote(core, safe=""))
    return found


def leaks(canaries: dict[str, str], data: bytes) -> set[str]:
    """The names of the canaries that are in the data, in whatever writing."""
    return {
        name
        for name, value in canaries.items()
        if any(form.encode() in data for form in forms(value))
    }


def stored(site: Site) -> Iterator[tuple[str, bytes]]:
    """The dump of PostgreSQL or the files of SQLite, and the logs."""
    if site.database is not None:
        for style in ("--inserts", "--format=plain"):
            line = ["pg_dump", style, "--dbname", site.database]
            dump = subprocess.run(line, check=True, capture_output=True)
            yield f"pg_dump {style}", dump.stdout
    for path in sorted(site.folder.rglob("*")):
        keys = path.name in ("secrets.env", "workflows.yaml", "command.txt")
        if path.is_file() and not keys and "static" not in path.parts:
            yield str(path.relative_to(site.folder)), path.read_bytes()


def pages(site: Site, session: requests.Session, most: int) -> dict[str, str]:
    """Every page of the admin that links lead to, each list's first page of rows."""
    waiting, seen = ["/admin/"], {"/admin/": ""}
    while waiting:
        path = waiting.pop(0)
        answer = session.get(f"{site.url}{path}", timeout=90)
        assert answer.status_code == 200, (path, answer.status_code)
        assert "/admin/login/" not in answer.url, path
        seen[path] = f"{answer.text}\n{html.unescape(answer.text)}"
        for link in re.findall(r'href="([^"#]+)"', answer.text):
            parts = urlsplit(urljoin(path, html.unescape(link)))
            # Filters and order of lists show the same rows.
            query = f"?{parts.query}" if parts.path.endswith("/diff/") else ""
            other = f"{parts.path}{query}"
            inside = other.startswith("/admin/") and not parts.netloc
            if inside and other not in seen and not other.startswith(LEFT_OUT):
                seen[other] = ""
                waiting.append(other)
        assert len(seen) < most, "the crawl does not end"
    return seen


def signed_in(site: Site, email: str, password: str) -> requests.Session:
    """A browser's session of this person."""
    session = requests.Session()
    form = session.get(f"{site.url}/admin/login/", timeout=90)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert token
    fields = {
        "username": email,
        "password": password,
        "csrfmiddlewaretoken": token[1],
        "next": "/admin/",
    }
    headers = {"Referer": form.url}
    answer = session.post(form.url, data=fields, headers=headers, timeout=90)
    assert "Overview" in answer.text, answer.text[:2000]
    return session


def exported(site: Site) -> Iterator[tuple[str, bytes]]:
    """What the commands print that write something out."""
    for line in ("export_workflows", "doctor"):
        yield line, site.manage(line).encode()

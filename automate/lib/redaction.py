"""The one redactor: what people read passes through it, by value and by name."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from automate.lib import bodies, jsonio, sensitive
from automate.lib.jsonio import storable, storable_text
from automate.lib.secret_patterns import SHORTEST, finder
from automate.lib.sensitive import (
    PARAMETER,
    REDACTED_NAMES,
    REDACTED_PARAMETERS,
    REDACTED_PARTS,
    hidden_keys,
    normalise,
)

REDACTED = "[redacted]"

# Whether a text can hold a sensitive name is asked in two steps, for speed: most hold
# none of the stems.
_STEMS = (
    "auth", "cookie", "token", "secret", "pass", "pwd", "key", "sig", "credential",
    "session", "jwt", "assertion", "otp", "cvv", "cvc", "hmac",
)  # fmt: skip
_HINTS = (
    *REDACTED_PARTS,
    *(f"{name}{end}" for name in sorted(REDACTED_NAMES) for end in '"=\\'),
    *(f"{name}=" for name in sorted(REDACTED_PARAMETERS)),
)
_HINTS_BY_STEM = tuple(
    (stem, tuple(hint for hint in _HINTS if stem in hint)) for stem in _STEMS
)

LARGEST_PARSED = 1024 * 1024
MAX_NESTED_TEXTS = 3

_USERINFO = re.compile(r"(:(?:\\{0,7}/){2})[^/\s?#\"'<>\\]*@")
# Keys and values of JSON that does not parse, also of JSON in a text of JSON.
_KEY = re.compile(r'"([^"\\]{1,100}+)\\{0,7}+"\s{0,50}+:\s{0,50}+')
_ATOM = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?'
    r'|(\\{1,7})"(?:[\s\S]*?(?<!\\)\1"|[\s\S]*)'
    r'|[^\s,}\]"\\]++',
    re.DOTALL,
)
# The signature in the address of a step that waits: whoever reads it may answer.
_SLASH = r"(?:\\{0,7}/|%(?:25){0,2}2[fF])"
_ADDRESS = re.compile(
    rf"(v1{_SLASH}resume{_SLASH}[0-9a-f-]{{36}}{_SLASH}[\w-]{{1,100}}{_SLASH})"
    r"[a-z2-7]{32}(?![a-z2-7])"
)
_KEPT_ATOMS = frozenset({"null", "true", "false", '""'})


_learning = threading.Lock()


class Redactor:
    """Replaces secrets by "[redacted]": given values, and what sensitive names hold.

    Also the signatures in addresses at which steps that wait are answered.

    Values of fewer than 4 characters are not searched for. `names` are redacted in
    addition to the usual ones. Whatever comes out is storable (`jsonio.storable`).
    """

    def __init__(
        self, values: Iterable[str] = (), *, names: Iterable[str] = ()
    ) -> None:
        stripped = (value.strip() for value in values)
        self._values = frozenset(v for v in stripped if len(v) >= SHORTEST)
        self._finder = finder(self._values)
        self._names = frozenset(normalise(name) for name in names)

    def learn(self, *values: str) -> None:
        """From now on replace these too; for whoever shares this redactor."""
        known = frozenset(v for v in map(str.strip, values) if len(v) >= SHORTEST)
        if known <= self._values:
            return
        with _learning:
            self._values |= known
            self._finder = finder(self._values)

    def is_sensitive(self, name: str) -> bool:
        """Whether what `name` holds is never shown."""
        if sensitive.is_sensitive(name):
            return True
        return bool(self._names) and normalise(name) in self._names

    def text(self, text: str, content_type: str = "") -> str:
        """The text; JSON and forms are known by their content type or by their look."""
        text = self._by_value(text)
        if self._may_hold_names(text):
            looks_like_json = text.lstrip()[:1] in ("{", "[")
            if looks_like_json or bodies.kind_of(content_type) == "json":
                text = self._json(text, MAX_NESTED_TEXTS)
            else:
                text = self._urls(text)
        elif "@" in text:
            text = self._urls(text)
        return storable_text(text)

    def data(self, tree: Any) -> Any:
        """The JSON tree, with the values of sensitive names replaced as a whole."""
        return storable(self._tree(tree, jsonio.MAX_DEPTH, MAX_NESTED_TEXTS))

    def hide(self, tree: Any) -> Any:
        """The values alone, in a text or JSON tree that was redacted before: cheap."""
        if not self._values:
            return tree
        if isinstance(tree, str):
            return self._by_value(tree)
        if isinstance(tree, Mapping):
            return {self.hide(name): self.hide(item) for name, item in tree.items()}
        return [self.hide(item) for item in tree] if isinstance(tree, list) else tree

    def headers(
        self, headers: Mapping[str, str] | Iterable[tuple[str, str]]
    ) -> dict[str, str]:
        """The headers by name; the values of one that is repeated are joined."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        found: dict[str, str] = {}
        for raw_name, value in pairs:
            name = storable_text(self._by_value(raw_name))
            shown = REDACTED if self.is_sensitive(raw_name) else self.url(value)
            found[name] = f"{found[name]}, {shown}" if name in found else shown
        return found

    def url(self, url: str) -> str:
        """The URL without its user part and the values of sensitive parameters."""
        return storable_text(self._urls(self._by_value(url)))

    def body(self, body: bytes, content_type: str, limit: int) -> tuple[str, bool]:
        """A body as text of at most `limit` bytes of UTF-8, and whether it was cut.

        Redacted as a whole before it is cut; bytes that are no text become a note.
        """
        text = bodies.decode(body, content_type)
        if text is None:
            return f"[binary, {len(body)} bytes]", False
        return bodies.cut(self.text(text, content_type), limit)

    def _by_value(self, text: str) -> str:
        if self._values:
            text = self._finder.replace(text, REDACTED)
        return _ADDRESS.sub(rf"\1{REDACTED}", text) if "resume" in text else text

    def _may_hold_names(self, text: str) -> bool:
        """Whether it is worth looking for names: quick, and never wrongly False."""
        if "\\u00" in text or "\\/" in text or "%" in text:
            return True  # a name, or a URL's slashes, may be written in escapes
        plain = normalise(text)
        for stem, hints in _HINTS_BY_STEM:
            if stem in plain and any(hint in plain for hint in hints):
                return True
        return any(name in plain for name in self._names)

    def _urls(self, text: str) -> str:
        """User parts of URLs, and parameters: also those of a form."""
        if "@" in text:
            text = _USERINFO.sub(rf"\1{REDACTED}@", text)
        return PARAMETER.sub(self._parameter, text) if "=" in text else text

    def _parameter(self, match: re.Match[str]) -> str:
        before, raw_name, value = match.groups()
        name = unquote_plus(raw_name)
        if self.is_sensitive(name) or normalise(name) in REDACTED_PARAMETERS:
            return f"{before}{raw_name}={REDACTED}"
        if value[:3].upper() in ("%7B", "%5B"):
            # JSON in a form: payload=%7B..., as GitHub and Slack send it.
            decoded = unquote_plus(value)
            redacted = self._json(decoded, 0)
            if redacted != decoded:
                return f"{before}{raw_name}={quote_plus(redacted)}"
        return match[0]

    def _json(self, text: str, nested: int, depth: int = jsonio.MAX_DEPTH) -> str:
        """JSON as it was written when it holds nothing to redact, else compactly."""
        if len(text) > LARGEST_PARSED:
            return self._broken_json(text)
        try:
            tree = jsonio.loads(text)
        except jsonio.BadJSON:
            return self._broken_json(text)
        redacted = self._tree(tree, depth, nested)
        return text if redacted == tree else jsonio.dumps(redacted)

    def _tree(self, value: Any, depth: int, nested: int) -> Any:
        # One frame a level, without comprehensions: 200 levels must fit the stack.
        if isinstance(value, str):
            return self._leaf(value, depth, nested)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, Mapping):
            if not depth:
                return jsonio.TOO_DEEP
            hidden = hidden_keys(value, self.is_sensitive)
            found: dict[str, Any] = {}
            for name, item in value.items():
                found[self._by_value(str(name))] = (
                    REDACTED if name in hidden else self._tree(item, depth - 1, nested)
                )
            return found
        if isinstance(value, list | tuple | set | frozenset):
            if not depth:
                return jsonio.TOO_DEEP
            items: list[Any] = []
            for item in value:
                items.append(self._tree(item, depth - 1, nested))
            return items
        return self._leaf(str(value), depth, nested)

    def _leaf(self, text: str, depth: int, nested: int) -> str:
        text = self._by_value(text)
        if nested and text[:1] in ("{", "["):
            return self._json(text, nested - 1, depth)
        return self._urls(text)

    def _number(self, value: float) -> Any:
        if not self._values or (isinstance(value, int) and value.bit_length() > 1000):
            return value
        return REDACTED if str(value) in self._values else value

    def _broken_json(self, text: str) -> str:
        """JSON that does not parse (cut off, or too large), name by name."""
        pieces: list[str] = []
        start = 0
        while match := _KEY.search(text, start):
            pieces.append(text[start : match.end()])
            start = match.end()
            if not self.is_sensitive(match[1]):
                continue
            if text[start : start + 1] in ("{", "["):
                # Where it ends is anybody's guess.
                pieces.append(f'"{REDACTED}"')
                start = len(text)
            elif (atom := _ATOM.match(text, start)) and atom[0] not in _KEPT_ATOMS:
                quote = f'{atom[1] or ""}"'
                pieces.append(f"{quote}{REDACTED}{quote}")
                start = atom.end()
        return self._urls("".join([*pieces, text[start:]]))

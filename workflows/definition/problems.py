"""What is wrong with a definition, and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

# Comparing takes some 20 microseconds a name, for each problem of a document.
MAX_COMPARED = 100
MAX_PROBLEMS = 500

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`path` is the place in the document (`nodes[0].config.url`; "" is the whole).

    `rule` marks what the published JSON Schema does not say, such as a cycle: a
    document that the schema accepts has no other problems.
    """

    path: str
    message: str
    rule: bool = field(default=False, compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DefinitionError(ValueError):
    """A document that is not a definition; `problems` tells all at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def place(base: str, *keys: str | int) -> str:
    """The place below `base`: `place("nodes", 0, "id")` is `nodes[0].id`."""
    path = base
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _BARE_KEY.match(key):
            path += f".{key}" if path else key
        else:
            path += f'["{shorten(key)}"]'
    return path


def shorten(text: str, limit: int = 60) -> str:
    """At most `limit` characters of a text, for quoting in a message."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def suggest(word: object, known: Iterable[str]) -> str:
    """`; did you mean "x"?` when a known word is near, otherwise nothing."""
    if not isinstance(word, str):
        return ""
    names = list(known)
    lowered = {name.lower().replace("-", "_"): name for name in names}
    plain = word[:100].lower().replace("-", "_")
    if len(plain) < 2 or len(names) > MAX_COMPARED:
        return ""
    near = difflib.get_close_matches(plain, list(lowered), n=1, cutoff=0.6)
    near = near or [name for name in lowered if len(plain) > 2 and plain in name]
    if not near or lowered[near[0]] == word:
        return ""
    return f'; did you mean "{lowered[near[0]]}"?'


def listed(names: Collection[str], limit: int = 30) -> str:
    """Names for a sentence: sorted, comma separated, cut when there are many."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more


_KEY = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\["(.*?)"\]')
_NOWHERE = object()


def is_rewritten(path: str, given: object, there: str, read: object) -> bool:
    """Whether the value at a place is another than the one that was written.

    `path` in the document `given`, and `there` in the tree `read` that was made of it.
    Reading turns "5m" into 300: what is wrong with 300 is no fault of the text's form.
    """
    written, made = _value_at(given, path), _value_at(read, there)
    return type(written) is not type(made) or written != made


def _value_at(tree: Any, path: str) -> Any:
    for bare, number, quoted in _KEY.findall(path):
        try:
            tree = tree[int(number)] if number else tree[bare or quoted]
        except (LookupError, TypeError):
            return _NOWHERE
    return tree


_NUMBER = re.compile(r"\[(\d+)\]")


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each once, in the order of the document's lists; MAX_PROBLEMS, then a count."""

    def key(problem: Problem) -> tuple[str, str]:
        padded = _NUMBER.sub(lambda found: f"[{int(found[1]):09}]", problem.path)
        return padded, problem.message

    ordered = sorted(set(problems), key=key)
    more = len(ordered) - MAX_PROBLEMS
    if more <= 0:
        return ordered
    return [*ordered[:MAX_PROBLEMS], Problem("", f"and {more:,} more problems")]

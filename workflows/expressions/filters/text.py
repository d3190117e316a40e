"""Filters on text."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import quote

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.filters.base import (
    encoded,
    need_count,
    need_list,
    need_mapping,
    need_text,
    register,
)
from workflows.expressions.values import a_kind, is_mapping, text_of

_WORD = re.compile(r"\S+")


@register(example="'abc' | upper", result="ABC")
def upper(evaluation: Evaluation, value: Any) -> str:
    """The text in capitals."""
    return need_text(evaluation, value).upper()


@register(example="'ABC' | lower", result="abc")
def lower(evaluation: Evaluation, value: Any) -> str:
    """The text in small letters."""
    return need_text(evaluation, value).lower()


@register(example="'  a b ' | trim", result="a b")
def trim(evaluation: Evaluation, value: Any, characters: Any = None) -> str:
    """The text without white space, or the given characters, at both ends."""
    text = need_text(evaluation, value)
    if characters is None:
        return text.strip()
    given = need_text(evaluation, characters, "characters ")
    if len(given) > 50:
        raise RenderError("at most 50 characters can be trimmed")
    evaluation.spend(len(text) // 20)
    return text.strip(given)


@register(example='"it\'s a start" | title', result="It's A Start")
def title(evaluation: Evaluation, value: Any) -> str:
    """Each word with a capital first letter."""
    text = need_text(evaluation, value)
    evaluation.spend(len(text) // 4)
    return _WORD.sub(lambda word: _capital(word[0]), text)


@register(example="'hELLO you' | capitalize", result="Hello you")
def capitalize(evaluation: Evaluation, value: Any) -> str:
    """The first letter a capital, all others small."""
    return _capital(need_text(evaluation, value))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:].lower()


@register(example="'a-b-c' | replace('-', '+')", result="a+b+c")
def replace(evaluation: Evaluation, value: Any, old: Any, new: Any) -> str:
    """The text with every `old` replaced by `new`."""
    text = need_text(evaluation, value)
    old = need_text(evaluation, old, "old ")
    new = need_text(evaluation, new, "new ")
    if not old:
        raise RenderError("old is empty")
    evaluation.emit(text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new)


@register(example="'a, b' | split(', ')", result=["a", "b"])
def split(evaluation: Evaluation, value: Any, separator: Any = None) -> list[str]:
    """The parts of a text between separators; white space when none is given."""
    text = need_text(evaluation, value)
    if separator is None:
        evaluation.spend(len(text) // 2)
        return text.split()
    separator = need_text(evaluation, separator, "separator ")
    if not separator:
        raise RenderError("separator is empty")
    evaluation.spend(text.count(separator))
    return text.split(separator)


@register(example="['a', 1, true] | join(', ')", result="a, 1, true")
def join(evaluation: Evaluation, value: Any, separator: Any = "") -> str:
    """All items of a list as one text."""
    items = need_list(evaluation, value)
    separator = need_text(evaluation, separator, "separator ")
    evaluation.emit(len(separator) * len(items))
    texts = []
    for item in items:
        text = text_of(evaluation, item)
        evaluation.emit(len(text))
        texts.append(text)
    return str(separator.join(texts))


@register(example="[1, none] | string", result="[1,null]")
def string(evaluation: Evaluation, value: Any) -> str:
    """The value as it would stand within text; none is empty, lists are JSON."""
    text = text_of(evaluation, value)
    evaluation.emit(len(text))
    return text


@register(example="'Grüße, World!' | slugify", result="grusse-world")
def slugify(evaluation: Evaluation, value: Any) -> str:
    """The text as small ASCII letters, digits and single hyphens."""
    text = need_text(evaluation, value).casefold()
    evaluation.emit(4 * len(text))
    evaluation.spend(len(text))
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")


@register(example="'A long sentence' | truncate(7)", result="A long…")
def truncate(
    evaluation: Evaluation, value: Any, length: Any = 255, end: Any = "…"
) -> str:
    """At most `length` characters, the last of them `end` when some were cut off."""
    text = need_text(evaluation, value)
    length = need_count(length, "length")
    if len(text) <= length:
        return text
    end = need_text(evaluation, end, "end ")[:length]
    return str(text[: length - len(end)] + end)


@register(example="'a b&c/d' | urlencode", result="a%20b%26c%2Fd")
def urlencode(evaluation: Evaluation, value: Any) -> str:
    """A text as one part of a URL; a mapping as a query string."""
    if is_mapping(value):
        return "&".join(
            f"{_quoted(evaluation, key)}={_quoted(evaluation, item)}"
            for key, item in need_mapping(evaluation, value).items()
        )
    return _quoted(evaluation, value)


def _quoted(evaluation: Evaluation, value: Any) -> str:
    if value is not None and not isinstance(value, str | int | float):
        raise RenderError(f"needs text, not {a_kind(value)}")
    raw = encoded(text_of(evaluation, value))
    evaluation.emit(3 * len(raw) + 1)
    return quote(raw, safe="")

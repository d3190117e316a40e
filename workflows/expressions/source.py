"""From a text to its pieces: what is copied, and what is an expression.

Jinja's delimiters, cut here and not by Jinja: text is kept to the character, and
a sender's text can never reach a parser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from workflows.expressions.errors import TemplateError

MAX_EXPRESSION = 4_000
MAX_BRACKETS = 16
MAX_PREFIXES = 100

_TOO_LONG = f"an expression has at most {MAX_EXPRESSION} characters"
_OPENING = re.compile(r"\{\{|\{%|\{#")
_STRING = r"'(?:[^'\\]|\\.)*'" + r'|"(?:[^"\\]|\\.)*"'
# What decides where an expression ends, and how deeply Jinja's parser recurses.
_SCAN = re.compile(
    rf"(?P<string>{_STRING})|(?P<open>[\[({{])|(?P<close>[\])}}])"
    r"|(?P<prefix>\bnot\b|\belse\b|[-+])|(?P<quote>['\"])",
    re.DOTALL,
)
_BAD_ESCAPE = re.compile(
    r"\\(?!['\"\\nrtbf]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|\n)"
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
# Where a name is a filter, a test or a key, or one of a filter's arguments.
_NO_START = re.compile(r"(?:\||\.|\bis(?:\s+not)?\s)\s*$")
_NO_PATH = re.compile(r"\s*=(?!=)")
_START_OF_NAME = re.compile(r"[^\W\d]")


@dataclass(frozen=True, slots=True)
class Text:
    """What is copied as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Expression:
    """What stood between {{ and }}."""

    source: str


def is_template(text: str) -> bool:
    """Whether the text holds anything to evaluate, or to refuse."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def pieces(source: str) -> list[Text | Expression]:
    """The text and the expressions of a source in order, without its comments.

    Raises TemplateError for blocks and for what is not closed. As in Jinja, `{{-`
    and `-}}` eat the white space beside them.
    """
    found: list[Text | Expression] = []
    position, strip = 0, False
    while opening := _OPENING.search(source, position):
        text = source[position : opening.start()]
        text = text.lstrip() if strip else text
        start, strip = opening.end(), False
        if opening[0] == "{%":
            raise TemplateError("blocks, {% ... %}, are not part of the language")
        if opening[0] == "{#":
            end = source.find("#}", start)
            if end < 0:
                raise TemplateError("a comment, {#, is not closed by #}")
            position = end + 2
            found.append(Text(text))
            continue
        if source.startswith("-", start):
            text, start = text.rstrip(), start + 1
        end = _end_of_expression(source, start)
        position, strip = end + 2, source[start:end].endswith("-")
        found.append(Text(text))
        found.append(Expression(source[start : end - strip].strip()))
    rest = source[position:]
    found.append(Text(rest.lstrip() if strip else rest))
    return [piece for piece in found if isinstance(piece, Expression) or piece.text]


def _end_of_expression(source: str, start: int) -> int:
    """The index of the }} that closes; raises TemplateError when there is none."""
    for end, balanced in _scan(source, start):
        if balanced and source.startswith("}}", end):
            return end
    raise TemplateError("{{ is not closed by }}")


def _scan(source: str, start: int) -> Iterator[tuple[int, bool]]:
    """Each closing brace, and whether all brackets before it are closed.

    Raises TemplateError for strings and brackets that do not close, and for more
    nesting than the parser may be given.
    """
    stack: list[str] = []
    prefixes = 0
    for token in _SCAN.finditer(source, start):
        if token.start() - start > MAX_EXPRESSION:
            raise TemplateError(_TOO_LONG)
        kind = token.lastgroup
        if kind == "string":
            _check_escapes(token[0])
        elif kind == "quote":
            raise TemplateError(f"a string is not closed: {token[0]} is missing")
        elif kind == "prefix":
            prefixes += 1
        elif kind == "open":
            stack.append(token[0])
        else:
            if token[0] == "}":
                yield token.start(), not stack
            _close(stack, token[0])
        if len(stack) > MAX_BRACKETS or prefixes > MAX_PREFIXES:
            raise TemplateError("the expression is nested too deeply")
    if stack:
        raise TemplateError(f"'{stack[-1]}' is not closed")


def _close(stack: list[str], bracket: str) -> None:
    if not stack or stack.pop() != _PAIRS[bracket]:
        raise TemplateError(f"'{bracket}' closes nothing")


def check(expression: str) -> None:
    """Raise TemplateError for what must not reach the parser."""
    if len(expression) > MAX_EXPRESSION:
        raise TemplateError(_TOO_LONG)
    if not expression.strip():
        raise TemplateError("the expression is empty")
    for _ in _scan(expression, 0):
        pass


def _check_escapes(literal: str) -> None:
    without_pairs = literal.replace("\\\\", "")
    if "\\" in without_pairs and _BAD_ESCAPE.search(without_pairs):
        raise TemplateError("a \\ in a string is written \\\\")


def condition_source(condition: str) -> str:
    """One expression for a condition: each {{ x }} is bound as a value.

    `{{ a.b }} == 200` becomes `(a.b) == 200`; within quotes, `"{{ a.b }}-x"`
    becomes `(a.b) ~ "-x"`, so that it is compared as text. What has no braces is an
    expression already.
    """
    if not is_template(condition):
        return condition
    texts: list[str] = []
    quote = ""
    for piece in pieces(condition):
        if isinstance(piece, Text):
            text, quote = _outside(piece.text, quote)
            texts.append(text)
        else:
            check(piece.source)
            bound = f"({piece.source})"
            texts.append(f"{quote} ~ {bound} ~ {quote}" if quote else bound)
    return "".join(texts)


def _outside(text: str, quote: str) -> tuple[str, str]:
    """The text with brackets about its strings, and the quote open at its end."""
    written: list[str] = []
    escaped = False
    for character in text:
        if quote:
            written.append(character)
            if not escaped and character == quote:
                written.append(")")
                quote = ""
            escaped = character == "\\" and not escaped
        elif character in "'\"":
            quote = character
            written.append("(" + character)
        else:
            written.append(character)
    return "".join(written), quote


def hyphenated(names: Collection[str]) -> frozenset[str]:
    """The names that the parser would not take for one word."""
    return frozenset(name for name in names if not name.isidentifier())


def replace_names(
    expression: str, names: Collection[str]
) -> tuple[str, dict[str, str]]:
    """The expression with each such name as one word, and what the words stand for.

    The longest known name wins, at the start of a path or right after `steps.` and
    `run.urls.`; strings are left alone.
    """
    present = sorted((n for n in names if n in expression), key=len, reverse=True)
    if not present:
        return expression, {}
    prefix = "step_"
    while prefix in expression:
        prefix += "_"
    words = {name: f"{prefix}{number}" for number, name in enumerate(present)}
    starting = [name for name in present if _START_OF_NAME.match(name)]
    member = "|".join(map(re.escape, present))
    bare = "|".join(map(re.escape, starting)) or r"(?!)"
    pattern = re.compile(
        rf"(?P<string>{_STRING})"
        rf"|(?P<steps>(?<![\w.])(?:steps|run\s*\.\s*urls)\s*\.\s*)(?P<member>{member})(?!\w)"
        rf"|(?<![\w.])(?P<bare>{bare})(?!\w)",
        re.DOTALL,
    )

    def written(match: re.Match[str]) -> str:
        if match["string"]:
            return match[0]
        if match["member"]:
            return match["steps"] + words[match["member"]]
        return words[match["bare"]]

    return pattern.sub(written, expression), {w: n for n, w in words.items()}


def rename_roots(text: str, names: Collection[str], root: str) -> str:
    """The text with `root` wherever an expression's path starts with one of `names`.

    Everything else stays as it is, to the character; so does what cannot be read.
    """
    if not names or not is_template(text):
        return text
    bare = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    pattern = re.compile(
        rf"(?P<string>{_STRING})|(?<![\w.-])(?:{bare})(?![\w-])", re.DOTALL
    )

    def written(match: re.Match[str]) -> str:
        before, after = match.string[: match.start()], match.string[match.end() :]
        starts = not _NO_START.search(before) and not _NO_PATH.match(after)
        return match[0] if match["string"] or not starts else root

    parts: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        try:
            end = _end_of_expression(text, start + 2)
        except TemplateError:
            break
        parts += [text[position:start], pattern.sub(written, text[start:end])]
        position = end
    return "".join([*parts, text[position:]])

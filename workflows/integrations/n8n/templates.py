"""n8n's parameter values as values of a definition.

In n8n a text that begins with "=" is a template: `{{ ... }}` in it is JavaScript, and a
template that is one expression keeps its value's type. What has no counterpart becomes
an expression that cannot succeed and names what was there, so that a run fails at that
step and says so, instead of sending something else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from workflows.definition import extract_literals
from workflows.integrations.n8n.expr import Expr, literal, quoted
from workflows.integrations.n8n.js import parse
from workflows.integrations.n8n.js_tree import Call, Const, Member, Name, NotRead
from workflows.integrations.n8n.roots import Scope
from workflows.integrations.n8n.translate import Translator

_OPEN = re.compile(r"(\\?)\{\{")
_LOOKS_LIKE = re.compile(r"\{\{[^{}]*\$(?:json|node|env|vars|input|\(|credentials)")
_DELIMITERS = re.compile(r"\{\{|\{%|\{#")
LONGEST_KEPT = 300


@dataclass(frozen=True, slots=True)
class Code:
    """What stood between {{ and }}."""

    source: str


def pieces(template: str) -> list[str | Code]:
    """Texts and expressions of n8n's template, without the leading "="."""
    found: list[str | Code] = []
    position = 0
    pending = ""
    while match := _OPEN.search(template, position):
        pending += template[position : match.start()]
        if match[1]:
            pending += "{{"
            position = match.end()
            continue
        end = template.find("}}", match.end())
        if end < 0:
            pending += template[match.start() :]
            position = len(template)
            break
        if pending:
            found.append(pending)
            pending = ""
        found.append(Code(template[match.end() : end].strip()))
        position = end + 2
    pending += template[position:]
    if pending:
        found.append(pending)
    return found


def escaped(text: str) -> str:
    """A text in which nothing is an expression of ours."""
    return _DELIMITERS.sub(lambda match: f"{{{{ {quoted(match[0])} }}}}", text)


def holds_credential(source: str) -> bool:
    """Whether a token of a known vendor stands in it: there it cannot be a secret."""
    node = {"id": "x", "type": "set", "config": {"source": source}}
    return bool(extract_literals({"nodes": [node], "connections": []})[1])


class Values:
    """Converts the values of one node's parameters; `notes` collects what differs."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.translator = Translator(scope)

    @property
    def notes(self) -> list[str]:
        return self.translator.notes

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def value(self, given: Any) -> Any:
        """The value, whatever its type; objects and lists with all that is in them."""
        if isinstance(given, str):
            return self._text(given)
        if isinstance(given, dict):
            return {escaped(key): self.value(item) for key, item in given.items()}
        if isinstance(given, list):
            return [self.value(item) for item in given]
        return given

    def text(self, given: Any) -> str:
        """A value where ours must be text."""
        value = self.value(given)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        )

    def expression(self, given: Any) -> Expr:
        """A value as one expression; raises NotRead, because it decides something."""
        if not isinstance(given, str):
            return literal(given)
        template = self._template(given)
        if template is None:
            return Expr(quoted(given), "text", atom=True)
        found = pieces(template)
        if len(found) == 1 and isinstance(found[0], Code):
            return self.translator.expression(parse(found[0].source))
        parts = [
            Expr(quoted(piece), "text", atom=True)
            if isinstance(piece, str)
            else self.translator.expression(parse(piece.source))
            for piece in found
        ]
        return self.translator.joined(parts)

    def json_text(self, given: Any, *, plain: bool = False) -> Any:
        """The tree of a text that is JSON once its expressions are evaluated.

        Raises NotRead when it is none. With `plain` a text without "=" may hold none.
        """
        if not isinstance(given, str):
            return self.value(given)
        template = None if plain else self._template(given)
        if template is None:
            return self._loaded(given, [])
        found = pieces(template)
        if len(found) == 1 and isinstance(found[0], Code):
            return self._code(_without_stringify(found[0].source))
        return self._loaded(*_marked(found))

    def _loaded(self, text: str, codes: list[Code]) -> Any:
        try:
            tree = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            raise NotRead("the text is not JSON") from None
        return self._filled(tree, codes)

    def _filled(self, tree: Any, codes: list[Code]) -> Any:
        if isinstance(tree, str):
            return self._with_codes(tree, codes)
        if isinstance(tree, dict):
            return {
                self._with_codes(key, codes): self._filled(item, codes)
                for key, item in tree.items()
            }
        if isinstance(tree, list):
            return [self._filled(item, codes) for item in tree]
        return tree

    def _with_codes(self, text: str, codes: list[Code]) -> Any:
        alone = _BARE.fullmatch(text)
        if alone:
            return self._code(_without_stringify(codes[int(alone[1])].source))
        parts = _MARK.split(text)
        if len(parts) == 1:
            return escaped(text)
        found: list[str | Code] = [
            codes[int(part)] if position % 2 else part
            for position, part in enumerate(parts)
            if position % 2 or part
        ]
        if len(found) == 1 and isinstance(found[0], Code):
            return self._one(found[0], "{{{{ {} | string }}}}")
        return self._joined(found)

    def _text(self, given: str) -> Any:
        template = self._template(given)
        if template is None:
            return escaped(given)
        found = pieces(template)
        if len(found) == 1 and isinstance(found[0], Code):
            return self._code(found[0].source)
        return self._joined(found)

    def _template(self, given: str) -> str | None:
        """What stands behind the "="; None for a text that is no template."""
        if given.startswith("="):
            return given[1:]
        if _LOOKS_LIKE.search(given):
            self.note(
                'an expression stands in a text without the leading "=", which n8n '
                "takes literally: it was read as an expression"
            )
            return given
        return None

    def _code(self, source: str) -> Any:
        try:
            tree = parse(source)
        except NotRead as error:
            return self._failing(source, error)
        if isinstance(tree, Const) and not holds_credential(source):
            return escaped(tree.value) if isinstance(tree.value, str) else tree.value
        return self._one(Code(source), "{{{{ {} }}}}")

    def _one(self, code: Code, form: str) -> str:
        try:
            if holds_credential(code.source):
                raise NotRead("it holds a credential: make that a secret")
            found = self.translator.expression(parse(code.source))
            wrapped = found.source if form == "{{{{ {} }}}}" else found.operand
            return self.scope.checked(form.format(wrapped))
        except NotRead as error:
            return self._failing(code.source, error)

    def _joined(self, found: list[str | Code]) -> str:
        return "".join(
            escaped(piece)
            if isinstance(piece, str)
            else self._one(piece, "{{{{ {} }}}}")
            for piece in found
        )

    def _failing(self, source: str, error: NotRead) -> str:
        """An expression that leads nowhere, and says what it was."""
        plain = " ".join(source.split())[:LONGEST_KEPT]
        if holds_credential(source):
            plain = "an expression with a credential in it"
        self.note(
            f"not converted: {{{{ {plain} }}}}: {error}; the step fails until it is"
        )
        key = quoted(f"not converted: {plain}")
        return f"{{{{ variables[{key}] }}}}"


_MARK = re.compile("\ue000([0-9]+)\ue001")
_BARE = re.compile("\ue002([0-9]+)\ue001")


def _marked(found: list[str | Code]) -> tuple[str, list[Code]]:
    """The text with a mark for each expression, in quotes where it stands bare."""
    codes: list[Code] = []
    text = ""
    inside = False
    for piece in found:
        if isinstance(piece, Code):
            mark = f"\ue000{len(codes)}\ue001"
            text += mark if inside else f'"\ue002{len(codes)}\ue001"'
            codes.append(piece)
            continue
        clean = re.sub("[\ue000-\ue002]", "", piece)
        text += clean
        inside ^= len(re.findall(r'(?<!\\)(?:\\\\)*"', clean)) % 2 == 1
    return text, codes


def _without_stringify(source: str) -> str:
    """`JSON.stringify(x)` and `x.toJsonString()` in JSON are the value itself."""
    try:
        tree = parse(source)
    except NotRead:
        return source
    match tree:
        case Call(Member(Name("JSON"), Const("stringify")), (_, *_)):
            inner = re.fullmatch(r"JSON\s*\.\s*stringify\s*\((.*)\)\s*;?", source, re.S)
            return _first_argument(inner[1]) if inner else source
        case Call(Member(_, Const("toJsonString")), ()):
            return re.sub(r"\.\s*toJsonString\s*\(\s*\)\s*;?\s*\Z", "", source)
    return source


def _first_argument(text: str) -> str:
    """`$json, null, 2` without what shapes the text."""
    for end in (len(text), *(m.start() for m in re.finditer(",", text))):
        try:
            parse(text[:end])
        except NotRead:
            continue
        return text[:end]
    return text

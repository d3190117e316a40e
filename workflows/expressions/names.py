"""What a path may start with, and what its keys may be."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from jinja2 import nodes

from workflows.expressions.errors import TemplateError

ROOTS = ("trigger", "steps", "variables", "run", "item", "index", "secrets")


def root_path(name: str, known_names: Collection[str], text: str) -> list[str]:
    """The static path that a name stands for: a root, or ("steps", id).

    Raises TemplateError, with what was probably meant by `text`.
    """
    if name in ROOTS:
        return [name]
    if name in known_names:
        return ["steps", name]
    close = get_close_matches(name, [*ROOTS, *known_names], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    if re.search(rf"\w-{re.escape(name)}\b", text):
        hint = '; a key with a hyphen is written ["x-y"]'
    raise TemplateError(
        f"unknown name '{name}': a path starts with one of {', '.join(ROOTS)} "
        f"or with a step's id, and text stands in quotes{hint}"
    )


def constant_key(node: nodes.Node) -> str | int | None:
    """The key or index that stands in brackets; None when it has to be computed.

    Raises TemplateError for constants that can be neither.
    """
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const):
        number: object = node.node.value
        if isinstance(number, int) and not isinstance(number, bool):
            return -number
    if not isinstance(node, nodes.Const):
        return None
    key: object = node.value
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise TemplateError("a key is a string or a whole number")
    return key

"""The rules for expressions in a definition: what each place may name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.definition.problems import Problem, listed, place, shorten, suggest
from workflows.expressions import TemplateError, parse

ROOTS = ("run", "secrets", "steps", "trigger", "variables")
LOOP_ROOTS = frozenset({"item", "index"})


@dataclass(frozen=True)
class Place:
    """Who writes the expressions below a place, and what exists there.

    `before` are the steps that have run by then; `secret_fields` the places below
    `base` that may hold secrets.
    """

    base: str
    ids: Collection[str]
    before: Collection[str]
    owner: str = ""
    secret_fields: tuple[str, ...] = ()
    extra_roots: tuple[str, ...] = ()
    trigger_ids: Collection[str] = field(default=())


def strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each text in a tree with its place; keys are not expressions."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, place(path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from strings(item, place(path, position))


def check_templates(value: Any, at: Place) -> Iterator[Problem]:
    """Everything wrong with the expressions in a tree."""
    for path, source in strings(value, at.base):
        if "{" not in source:
            continue
        try:
            references = parse(source, known_names=at.ids).references
        except TemplateError as error:
            yield Problem(path, error.message)
            continue
        for reference in sorted(references, key=str):
            if reference and (message := _refusal(reference, path, at)):
                yield Problem(path, message)


def _refusal(reference: tuple[Any, ...], path: str, at: Place) -> str | None:
    root = reference[0]
    if root == "secrets":
        return _secret(reference, path, at)
    if root == "steps":
        return _step(reference[1] if len(reference) > 1 else None, at)
    if root in LOOP_ROOTS and root not in at.extra_roots:
        return f'"{root}" exists only inside a loop'
    if root in ROOTS or root in at.extra_roots:
        return None
    if root in at.ids:
        return _step(root, at)
    return unknown_root(str(root), at)


def unknown_root(root: str, at: Place) -> str:
    """What to say about a name that nothing bears."""
    if root in at.trigger_ids:
        return f'"{root}" is a trigger: what it received is in trigger.payload'
    hint = suggest(root, [*ROOTS, *at.ids])
    return f'unknown name "{shorten(root)}"; known are {listed(ROOTS)}{hint}'


def _step(name: Any, at: Place) -> str | None:
    if not isinstance(name, str) or name in at.before:
        return None
    if name not in at.ids:
        if name in at.trigger_ids:
            return f'"{name}" is a trigger: what it received is in trigger.payload'
        return f'there is no step "{shorten(name)}"{suggest(name, at.ids)}'
    if name == at.owner:
        return f'"{name}" cannot use its own output'
    return (
        f'the step "{name}" cannot have run yet: no connection leads from it to '
        f'"{at.owner}"'
    )


def _secret(reference: tuple[Any, ...], path: str, at: Place) -> str | None:
    if not any(_below(path, place(at.base, *f.split("."))) for f in at.secret_fields):
        fields = f": only in {listed(at.secret_fields)}" if at.secret_fields else ""
        return f"secrets cannot be used here{fields}"
    if len(reference) < 2 or not isinstance(reference[1], str):
        return "name one secret: secrets.NAME"
    return None


def _below(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def plain_values(value: Any, base: str) -> Iterable[Problem]:
    """Variables are data: an expression in them would stay as it is written."""
    for path, source in strings(value, base):
        if "{{" in source:
            yield Problem(path, "a variable is a plain value: it cannot be a template")

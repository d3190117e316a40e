"""The rules for expressions in a definition: what each place may name."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.definition.problems import Problem, listed, place, shorten, suggest
from workflows.expressions import (
    TemplateError,
    condition_places,
    parse,
    parse_condition,
)

LOOP_ROOTS = frozenset({"item", "index"})


@dataclass(frozen=True)
class Place:
    """Who writes the expressions below a place, and what exists there.

    `ids` are all steps, `before` those that have run by then, `answered` those that
    have an address, `run.urls.STEP` (None: addresses cannot be used here); `loops` are
    the loops around this place, `loops_of` those around each step. `secret_fields` are
    the places below `base` that may hold secrets, `condition_fields` those of a
    condition, which is an expression without braces too.
    """

    base: str
    ids: frozenset[str]
    before: Container[str]
    owner: str = ""
    answered: frozenset[str] | None = None
    loops: tuple[str, ...] = ()
    loops_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secret_fields: tuple[str, ...] = ()
    condition_fields: tuple[str, ...] = ()
    extra_roots: tuple[str, ...] = ()
    trigger_ids: frozenset[str] = frozenset()


def strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each text in a tree with its place; keys are texts that may be templates too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = place(path, key)
            if "{" in key:
                yield inner, key
            yield from strings(item, inner)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from strings(item, place(path, position))


def check_templates(value: Any, at: Place) -> Iterator[Problem]:
    """Everything wrong with the expressions in a tree."""
    # A trigger's id counts as known, so that there is a better answer than "unknown".
    known = at.ids | at.trigger_ids
    conditions = {
        place(at.base, *keys) for keys in condition_places(value, at.condition_fields)
    }
    for path, source in strings(value, at.base):
        is_condition = path in conditions
        if "{" not in source and not is_condition:
            continue
        read = parse_condition if is_condition else parse
        try:
            references = read(source, known).references
        except TemplateError as error:
            yield Problem(path, error.message, rule=True)
            continue
        for reference in sorted(references):
            if message := _refusal(reference, path, at):
                yield Problem(path, message, rule=True)


def _refusal(reference: tuple[str, ...], path: str, at: Place) -> str | None:
    root = reference[0]
    if root == "secrets":
        return _secret(reference, path, at)
    if root == "steps" and len(reference) > 1:
        return _step(reference[1], at)
    if root == "run" and reference[1:2] == ("urls",):
        return _address(reference[2:], at)
    if root in LOOP_ROOTS and not at.loops and root not in at.extra_roots:
        return f'"{root}" exists only inside a loop'
    return None


def _step(name: str, at: Place) -> str | None:
    if name in at.before:
        return None
    if name not in at.ids:
        if name in at.trigger_ids:
            return f'"{name}" is a trigger: what it received is in trigger.payload'
        return f'there is no step "{shorten(name)}"{suggest(name, at.ids)}'
    if name in at.loops:
        return f'the loop "{name}" is not over yet here: what it is at is in item'
    if name == at.owner:
        return f'"{name}" cannot use its own output'
    foreign = [loop for loop in at.loops_of.get(name, ()) if loop not in at.loops]
    if foreign:
        return (
            f'the step "{name}" is inside the loop "{foreign[0]}": what that gave is '
            f"in steps.{foreign[0]}"
        )
    return (
        f'the step "{name}" cannot have run yet: no connection leads from it to '
        f'"{at.owner}"'
    )


def _address(rest: tuple[str, ...], at: Place) -> str | None:
    if at.answered is None:
        return "run.urls cannot be used here: whoever has such an address may answer"
    if not rest:
        return "name one step that waits for an answer: run.urls.STEP"
    name = rest[0]
    if name not in at.ids:
        return f'there is no step "{shorten(name)}"{suggest(name, at.answered)}'
    if name not in at.answered:
        return f'"{name}" does not wait for an answer, so it has no address'
    if at.loops_of.get(name, ()) != at.loops:
        return f'"{name}" is in another graph: each item of a loop has its own address'
    return None


def _secret(reference: tuple[str, ...], path: str, at: Place) -> str | None:
    if not any(_below(path, place(at.base, *f.split("."))) for f in at.secret_fields):
        fields = f": only in {listed(at.secret_fields)}" if at.secret_fields else ""
        return f"secrets cannot be used here{fields}"
    if len(reference) < 2:
        return "name one secret: secrets.NAME"
    return None


def _below(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def plain_values(value: Any, base: str) -> Iterable[Problem]:
    """Variables are data: an expression in them would stay as it is written."""
    for path, source in strings(value, base):
        if "{{" in source:
            message = "a variable is a plain value: it cannot be a template"
            yield Problem(path, message, rule=True)

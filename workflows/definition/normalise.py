"""From a document as people write it to the canonical form of a definition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.definition.bodies import BODY_KINDS
from workflows.definition.json_tree import clean
from workflows.definition.problems import DefinitionError, Problem, in_order
from workflows.definition.reader import Reader, empty

TRIGGER_KINDS = frozenset({"webhook", "schedule", "manual", "api", "run_finished"})


@dataclass(frozen=True)
class Normalised:
    """A document taken apart.

    `triggers`: `{kind, config, start}` and, when given, `secret`, `node_id`,
    `is_active`; an empty `start` means every step without an incoming connection.
    `meta` holds the workflow's own keys (name, slug, ...), unchecked. `places` maps
    places in `definition` and `triggers` to those in the document.
    """

    definition: dict[str, Any]
    triggers: list[dict[str, Any]]
    warnings: list[Problem] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def original(self, path: str) -> str:
        """Where in the document a place of the canonical form was written."""
        end = len(path)
        while end > 0:
            if path[:end] in self.places:
                return self.places[path[:end]] + path[end:]
            end = max(path.rfind(".", 0, end), path.rfind("[", 0, end))
        return path


def normalise(
    document: Mapping[str, Any],
    *,
    trigger_kinds: Collection[str] = TRIGGER_KINDS,
    body_kinds: Collection[str] = BODY_KINDS,
) -> Normalised:
    """The canonical form; raises DefinitionError with all that cannot be read.

    `body_kinds` are the step kinds whose config holds steps of its own.
    """
    normalised, problems = attempt(
        document, trigger_kinds=trigger_kinds, body_kinds=body_kinds
    )
    if problems:
        raise DefinitionError(in_order(problems))
    return normalised


def attempt(
    document: object,
    *,
    trigger_kinds: Collection[str] = TRIGGER_KINDS,
    body_kinds: Collection[str] = BODY_KINDS,
) -> tuple[Normalised, list[Problem]]:
    """As much of the canonical form as can be had, and what is in the way."""
    tree, problems = clean(document)
    if not problems and not isinstance(tree, dict):
        problems = [Problem("", 'must be an object with "nodes" or "steps"')]
    if problems:
        return Normalised(empty(), []), problems
    reader = Reader(frozenset(trigger_kinds), frozenset(body_kinds))
    reader.read(tree)
    result = Normalised(
        reader.definition, reader.triggers, reader.warnings, reader.meta, reader.places
    )
    return result, reader.problems

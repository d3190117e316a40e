"""All that is wrong with a definition, told at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator, validators

from workflows.definition.bodies import MAX_LOOPS, kinds_with_body, walk_graphs
from workflows.definition.explain import explain
from workflows.definition.normalise import TRIGGER_KINDS, Normalised, attempt
from workflows.definition.problems import Problem, in_order, is_rewritten, place
from workflows.definition.rules import Registry, Rules, Triggers
from workflows.definition.schema import MAX_NODES, definition_schema


def check(
    document: object,
    registry: Registry,
    *,
    trigger_kinds: Collection[str] = TRIGGER_KINDS,
) -> tuple[Normalised, list[Problem]]:
    """Normalise and validate in one go; places are those of the document.

    The definition is canonical and sound exactly when there are no problems.
    """
    normalised, problems = attempt(
        document, trigger_kinds=trigger_kinds, body_kinds=kinds_with_body(registry)
    )
    found = _everything(normalised.definition, registry, normalised.triggers)
    if problems:
        # What could not be read is missing here: its absence is no second problem.
        found = [problem for problem in found if not _is_absence(problem.path)]
    for problem in found:
        path = normalised.original(problem.path)
        rewritten = is_rewritten(path, document, problem.path, normalised.definition)
        problems.append(replace(problem, path=path, rule=problem.rule or rewritten))
    return normalised, in_order(problems)


def _is_absence(path: str) -> bool:
    return path in ("", "nodes") or path.endswith(".config.nodes")


def validate(
    definition: Mapping[str, Any], registry: Registry, triggers: Triggers = ()
) -> list[Problem]:
    """Every problem of a canonical definition; places are those of this form.

    With `triggers`, steps that none of them leads to are problems too.
    """
    return in_order(_everything(definition, registry, triggers))


def structural_problems(
    definition: Mapping[str, Any], registry: Registry
) -> list[Problem]:
    """What the schema of the canonical form refuses, in plain words."""
    return in_order(_structural(definition, registry))


def _everything(
    definition: Mapping[str, Any], registry: Registry, triggers: Triggers
) -> list[Problem]:
    problems = list(_size(definition))
    if problems:
        return problems
    problems += _structural(definition, registry)
    nodes, edges = definition.get("nodes"), definition.get("connections")
    if not isinstance(nodes, list) or not isinstance(edges, list):
        return problems
    rules = Rules(definition, registry, triggers)
    return [*problems, *rules.problems({problem.path for problem in problems})]


def _size(definition: Mapping[str, Any]) -> Iterator[Problem]:
    """More than can be looked at in reasonable time, or followed to its depth."""
    total = 0
    for level in walk_graphs(definition):
        nodes = level.graph.get("nodes")
        count = len(nodes) if isinstance(nodes, list) else 0
        path = place(level.at, "nodes")
        if count > MAX_NODES:
            yield Problem(path, f"must have at most {MAX_NODES:,} entries")
            return
        total += count
        if len(level.loops) > MAX_LOOPS:
            message = f"loops may stand in one another {MAX_LOOPS} deep, no deeper"
            yield Problem(level.at, message, rule=True)
            return
    if total > MAX_NODES:
        message = (
            f"a definition has at most {MAX_NODES:,} steps, those in loops included; "
            f"this one has {total:,}"
        )
        yield Problem("nodes", message, rule=True)


def _all_of(
    validator: Any, parts: Sequence[Any], instance: object, _schema: object
) -> Iterator[Any]:
    """`allOf`, but of what is said of each type of step only what is said of this one.

    It decides the same: where the type differs, `if` fails and nothing follows. To try
    each of them took two thirds of the time that a large definition takes.
    """
    for index, part in enumerate(parts):
        match part:
            case {
                "if": {"required": ["type"], "properties": {"type": {"const": kind}}},
                "then": _,
                **rest,
            } if isinstance(instance, Mapping) and not rest:
                if instance.get("type") != kind:
                    continue
        yield from validator.descend(instance, part, schema_path=index)


_Validator = validators.extend(Draft202012Validator, {"allOf": _all_of})


def _structural(definition: Mapping[str, Any], registry: Registry) -> Iterator[Problem]:
    schema = definition_schema(
        {kind: info.config_schema for kind, info in registry.items()},
        kinds_with_body(registry),
    )
    for error in _Validator(schema).iter_errors(definition):
        yield from explain(error)

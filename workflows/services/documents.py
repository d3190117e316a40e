"""Documents: what the API, the admin and the import all read, and what is exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workflows.actions.base import all_actions
from workflows.definition import DefinitionError, Normalised, Problem, check
from workflows.definition.bodies import kinds_with_body
from workflows.definition.normalise import TRIGGER_KINDS, normalise
from workflows.definition.problems import (
    in_order,
    is_rewritten,
    listed,
    place,
    suggest,
)
from workflows.services.errors import DocumentError
from workflows.services.meta import Meta, read_meta
from workflows.triggers.base import TriggerKind, all_kinds, problems_of


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """A trigger as a document wants it; `config` is without `path`.

    `is_active` None: nothing was said. `place` is where it stands in the document.
    """

    kind: str
    config: dict[str, Any]
    start: tuple[str, ...] = ()
    node_id: str = ""
    path: str | None = None
    secret: str | None = field(default=None, repr=False)
    is_active: bool | None = None
    place: str = ""

    def as_document(self) -> dict[str, Any]:
        """As an entry of `triggers`, without the secret."""
        config = {**self.config, **({"path": self.path} if self.path else {})}
        entry: dict[str, Any] = {"kind": self.kind, "config": config}
        if self.node_id:
            entry["node_id"] = self.node_id
        if self.start:
            entry["start"] = list(self.start)
        if self.is_active is not None:
            entry["is_active"] = self.is_active
        return entry


@dataclass(frozen=True, slots=True)
class Document:
    """A document that could be read.

    `definition` is canonical and may still hold literal credentials. `names_triggers`
    is False when the document says nothing about triggers. `problems` stand in the
    way of publishing, not of a draft.
    """

    definition: dict[str, Any] = field(repr=False)
    triggers: tuple[TriggerSpec, ...]
    names_triggers: bool
    meta: Meta
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    normalised: Normalised = field(repr=False)

    def published_triggers(self) -> list[dict[str, Any]]:
        """The triggers that are stored with a version; none: it says nothing of them.

        Without their switches, which people turn between one version and the next.
        """
        specs = (replace(spec, is_active=None) for spec in self.triggers)
        return [spec.as_document() for spec in specs]

    def draft(self) -> dict[str, Any]:
        """The draft that is stored: the definition and its triggers, no secrets."""
        draft = dict(self.definition)
        if self.names_triggers:
            draft["triggers"] = [spec.as_document() for spec in self.triggers]
        return draft


def parse_document(
    document: Mapping[str, Any], *, allow_problems: bool = False
) -> Document:
    """A document in any of the accepted spellings, read and checked.

    Raises DocumentError with everything that is wrong; with `allow_problems` only
    when the document cannot be read at all, which no draft could hold.
    """
    kinds = all_kinds()
    known = TRIGGER_KINDS | kinds.keys()
    normalised, problems = check(document, all_actions(), trigger_kinds=known)
    meta, meta_problems = read_meta(normalised.meta)
    specs, trigger_problems, warnings = _triggers(document, normalised, kinds)
    problems = in_order([*problems, *meta_problems, *trigger_problems])
    if problems and (
        not allow_problems
        or meta_problems
        or trigger_problems
        or not _is_readable(document, known)
    ):
        raise DocumentError(problems)  # of a draft too, all of them at once
    return Document(
        definition=normalised.definition,
        triggers=tuple(specs),
        names_triggers=_names_triggers(document) or bool(normalised.triggers),
        meta=meta,
        warnings=tuple(dict.fromkeys([*normalised.warnings, *warnings])),
        problems=tuple(problems),
        normalised=normalised,
    )


def check_document(document: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with a document, without touching the database."""
    try:
        parse_document(document)
    except DocumentError as error:
        return list(error.problems)
    return []


def _is_readable(document: Mapping[str, Any], kinds: Iterable[str]) -> bool:
    """Whether a draft could hold it, whatever stands in the way of publishing it."""
    try:
        normalise(
            document,
            trigger_kinds=frozenset(kinds),
            body_kinds=kinds_with_body(all_actions()),
        )
    except DefinitionError:
        return False
    return True


def _names_triggers(document: Mapping[str, Any]) -> bool:
    inner = document.get("definition")
    return "triggers" in document or (
        isinstance(inner, Mapping) and "triggers" in inner
    )


def _triggers(
    given: Mapping[str, Any], normalised: Normalised, kinds: Mapping[str, TriggerKind]
) -> tuple[list[TriggerSpec], list[Problem], list[Problem]]:
    specs: list[TriggerSpec] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    paths: set[str] = set()
    for position, trigger in enumerate(normalised.triggers):
        where = normalised.original(place("triggers", position))
        kind = kinds.get(trigger["kind"])
        if kind is None:
            problems.append(Problem(where, _unknown_kind(trigger["kind"], kinds)))
            continue
        config = kind.normalise(trigger["config"])
        at = normalised.original(place("triggers", position, "config"))
        found = [
            _marked(problem, given, at, config)
            for problem in problems_of(kind, config, at)
        ]
        path = config.pop("path", None) if not found else None
        if path in paths:
            found.append(Problem(place(at, "path"), "is used twice", rule=True))
        if path:
            paths.add(path)
        if not found:
            found, notes = _secret_and_warnings(kind, config, trigger, where)
            warnings += notes
        problems += found
        specs.append(
            TriggerSpec(
                kind=kind.kind,
                config=config,
                start=tuple(trigger["start"]),
                node_id=trigger.get("node_id", ""),
                path=path,
                secret=trigger.get("secret"),
                is_active=trigger.get("is_active"),
                place=where,
            )
        )
    return specs, problems, warnings


def _marked(
    problem: Problem, given: Mapping[str, Any], at: str, config: Mapping[str, Any]
) -> Problem:
    """The problem, a rule where the config was read as another value than written."""
    there = "config" + problem.path.removeprefix(at)
    rewritten = is_rewritten(problem.path, given, there, {"config": config})
    return replace(problem, rule=problem.rule or rewritten)


def _unknown_kind(name: str, kinds: Mapping[str, TriggerKind]) -> str:
    return (
        f'the trigger kind "{name}" is not in this version; known are '
        f"{listed(kinds)}{suggest(name, kinds)}"
    )


def _secret_and_warnings(
    kind: TriggerKind, config: dict[str, Any], trigger: Mapping[str, Any], where: str
) -> tuple[list[Problem], list[Problem]]:
    warnings = [Problem(where, text) for text in kind.warnings(config)]
    secret = trigger.get("secret")
    if secret is None:
        return [], warnings
    if not kind.needs_secret(config):
        text = "its secret is not used: nothing is signed with this config"
        return [], [*warnings, Problem(where, text)]
    message = kind.check_secret(config, secret)
    if not message:
        return [], warnings
    return [Problem(place(where, "secret"), message, rule=True)], warnings

"""What a document says about the workflow itself: names, limits, search keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from automate.lib.durations import parse_duration
from workflows.definition import Problem
from workflows.definition.explain import explain
from workflows.definition.problems import place
from workflows.definition.schema import DURATION_MARK
from workflows.expressions import TemplateError, parse
from workflows.models import Workflow

MAX_SEARCH_KEYS = 3
SEARCH_ROOTS = frozenset({"trigger", "variables"})
_SLUG = {
    "type": "string",
    "pattern": r"^[-a-zA-Z0-9_]+$(?!\n)",
    "maxLength": 100,
    "x-message": "must be 1 to 100 letters, digits, hyphens and underscores",
}
# By name; the number is read too.
PRIORITIES = {choice.name.lower(): choice.value for choice in Workflow.Priority}
COUNT = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "slug": _SLUG,
        "id": _SLUG,
        "description": {"type": "string", "maxLength": 100_000},
        "status": {"enum": list(Workflow.Status.values)},
        "tags": {
            "type": "array",
            "maxItems": 50,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "maxLength": 50},
        },
        "team": _SLUG,
        "note": {"type": "string", "maxLength": 500},
        "max_concurrent_runs": COUNT,
        "exclusive": {"type": "string", "maxLength": 4_096},
        "priority": {"enum": [*PRIORITIES, *PRIORITIES.values()]},
        "run_timeout": {**COUNT, DURATION_MARK: True},
        "retention_days": {**COUNT, "minimum": 0, "maximum": 36_500},
        "search_keys": {
            "type": "object",
            "maxProperties": MAX_SEARCH_KEYS,
            "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$(?!\n)"},
            "additionalProperties": {"type": "string", "minLength": 1},
        },
    },
}
# Of these a document's null means "no limit"; elsewhere it means "nothing said".
_NULLABLE = {"max_concurrent_runs": None, "retention_days": None, "exclusive": ""}
FIELDS = (
    "name",
    "description",
    "tags",
    "max_concurrent_runs",
    "exclusive",
    "priority",
    "run_timeout",
    "retention_days",
    "search_keys",
)


@dataclass(frozen=True, slots=True)
class Meta:
    """The workflow's own keys; `fields` holds those that the document gave.

    `slug_key` is the name under which it gave the slug: `id` is another word for it.
    """

    slug: str = ""
    slug_key: str = "slug"
    status: str = ""
    team: str = ""
    note: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The given name, or an empty text."""
        return str(self.fields.get("name", ""))


def read_meta(given: Mapping[str, Any]) -> tuple[Meta, list[Problem]]:
    """The document's keys beside its definition, and what is wrong with them."""
    said = {key: value for key, value in given.items() if value is not None}
    if isinstance(said.get("run_timeout"), str):
        said["run_timeout"] = _seconds(said["run_timeout"])
    shape = [
        problem
        for error in Draft202012Validator(SCHEMA).iter_errors(said)
        for problem in explain(error)
    ]
    problems = [*shape, *_expressions(_sources(said))]
    if shape:
        return Meta(), problems
    if "priority" in said:
        said["priority"] = int(PRIORITIES.get(said["priority"], said["priority"]))
    slug, by_id = said.get("slug", ""), said.get("id", "")
    if slug and by_id and slug != by_id:
        text = "is another word for the slug, and they differ"
        problems.append(Problem("id", text, rule=True))
    fields = {key: said[key] for key in FIELDS if key in said}
    fields |= {
        key: empty
        for key, empty in _NULLABLE.items()
        if key in given and given[key] is None
    }
    meta = Meta(
        slug=slug or by_id,
        slug_key="id" if by_id and not slug else "slug",
        status=said.get("status", ""),
        team=said.get("team", ""),
        note=said.get("note", ""),
        fields=fields,
    )
    return meta, problems


def _seconds(text: str) -> Any:
    try:
        return int(parse_duration(text).total_seconds())
    except (ValueError, OverflowError):
        return text  # for the schema to refuse


def _sources(said: Mapping[str, Any]) -> dict[str, str]:
    """The expressions by their places; what is no text is the schema's to refuse."""
    keys = said.get("search_keys")
    found = {
        place("search_keys", str(name)): text
        for name, text in (keys.items() if isinstance(keys, Mapping) else ())
    }
    found["exclusive"] = said.get("exclusive") or ""
    return {where: text for where, text in found.items() if _is_source(text)}


def _is_source(text: object) -> bool:
    return isinstance(text, str) and text != ""


def _expressions(sources: Mapping[str, str]) -> list[Problem]:
    """What is wrong with expressions that are read when an event arrives."""
    problems = []
    for where, source in sources.items():
        try:
            template = parse(source)
        except TemplateError as error:
            problems.append(Problem(where, error.message, rule=True))
            continue
        if where == "exclusive" and not template.is_template:
            text = "must hold an expression, such as {{ trigger.payload.customer }}"
            problems.append(Problem(where, text, rule=True))
        roots = {str(path[0]) for path in template.references if path}
        problems += [
            Problem(
                where,
                f'cannot use "{root}": only trigger and variables exist',
                rule=True,
            )
            for root in sorted(roots - SEARCH_ROOTS)
        ]
    return problems

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
_COUNT = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
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
        "max_concurrent_runs": _COUNT,
        "run_timeout": _COUNT,
        "retention_days": {**_COUNT, "minimum": 0, "maximum": 36_500},
        "search_keys": {
            "type": "object",
            "maxProperties": MAX_SEARCH_KEYS,
            "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$(?!\n)"},
            "additionalProperties": {"type": "string", "minLength": 1},
        },
    },
}
# Of these a document's null means "no limit"; elsewhere it means "nothing said".
_NULLABLE = ("max_concurrent_runs", "retention_days")
FIELDS = (
    "name",
    "description",
    "tags",
    "max_concurrent_runs",
    "run_timeout",
    "retention_days",
    "search_keys",
)


@dataclass(frozen=True, slots=True)
class Meta:
    """The workflow's own keys; `fields` holds those that the document gave."""

    slug: str = ""
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
    problems = [
        problem
        for error in Draft202012Validator(SCHEMA).iter_errors(said)
        for problem in explain(error)
    ]
    if problems:
        return Meta(), problems
    problems = _search_keys(said.get("search_keys", {}))
    slug, by_id = said.get("slug", ""), said.get("id", "")
    if slug and by_id and slug != by_id:
        problems.append(Problem("id", "is another word for the slug, and they differ"))
    fields = {key: said[key] for key in FIELDS if key in said}
    fields |= {key: None for key in _NULLABLE if key in given and given[key] is None}
    meta = Meta(
        slug=slug or by_id,
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


def _search_keys(keys: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name, source in keys.items():
        where = place("search_keys", name)
        try:
            template = parse(source)
        except TemplateError as error:
            problems.append(Problem(where, error.message))
            continue
        roots = {str(path[0]) for path in template.references if path}
        problems += [
            Problem(where, f'cannot use "{root}": only trigger and variables exist')
            for root in sorted(roots - SEARCH_ROOTS)
        ]
    return problems

"""Checking a document as saving would, without saving it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.definition import Problem, extract_literals
from workflows.definition.problems import in_order
from workflows.models import Workflow
from workflows.services import credentials, matching, triggers
from workflows.services.calls import refused_calls
from workflows.services.documents import Document, parse_document
from workflows.services.errors import DocumentError
from workflows.services.long_waits import long_waits
from workflows.services.no_effect import no_effect
from workflows.services.out_of_reach import out_of_reach


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way of publishing a document, and what is worth knowing."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


def validate_document(document: Mapping[str, Any], workflow: Workflow) -> Checked:
    """Everything wrong with a document for this workflow, all at once; reads only.

    `workflow` may be new and unsaved: its team tells which names there are. What only
    a whole document can tell (paths and names that are missing) comes when it can be
    read.
    """
    try:
        parsed = parse_document(document)
    except DocumentError as error:
        return Checked(error.problems)
    problems = [*_names(parsed, workflow), *_slug(parsed, workflow)]
    try:
        rows = matching.rows_of(workflow)
        mine = matching.governed(parsed, rows)
        triggers.refuse_taken_paths(parsed.triggers, mine)
    except DocumentError as error:
        problems += error.problems
    if problems:
        return Checked(tuple(in_order(problems)), parsed.warnings)
    timeout = parsed.meta.fields.get("run_timeout", workflow.run_timeout)
    found = [
        *parsed.warnings,
        *long_waits(parsed.definition, timeout),
        *refused_calls(workflow, parsed.definition),
        *no_effect(parsed.definition),
        *out_of_reach(workflow, parsed.definition),
    ]
    return Checked((), tuple(dict.fromkeys(found)))


def problems_of_draft(workflow: Workflow) -> tuple[Problem, ...]:
    """What stands in the way of publishing the stored draft, as saving it tells."""
    try:
        document = parse_document(workflow.definition, allow_problems=True)
    except DocumentError as error:
        return error.problems
    names = _names(document, workflow)
    return tuple(in_order([*document.problems, *names]))


def _names(document: Document, workflow: Workflow) -> list[Problem]:
    """Secrets and connections that are missing; literals would become secrets."""
    definition, found, _ = extract_literals(document.definition)
    return [
        Problem(document.normalised.original(problem.path), problem.message)
        for problem in credentials.missing_names(definition, workflow.team, set(found))
    ]


def _slug(document: Document, workflow: Workflow) -> list[Problem]:
    slug = document.meta.slug
    if not slug or slug == workflow.slug:
        return []
    if not Workflow.objects.filter(slug=slug).exists():
        return []
    text = f'a workflow "{slug}" exists already'
    return [Problem(document.meta.slug_key, text)]

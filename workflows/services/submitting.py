"""Submitting a document that may have come before: the same again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from django.db.models import Q
from django.utils.text import slugify

from automate.accounts.models import Team
from workflows.definition import Problem, digest
from workflows.models import Workflow
from workflows.services.documents import parse_document
from workflows.services.drafts import (
    Actor,
    SaveResult,
    create_workflow,
    publish_as_said,
    store,
)
from workflows.services.errors import DocumentError
from workflows.services.transactions import lock, unit_of_work


def submit(
    document: Mapping[str, Any], *, by: Actor, team: Team | None, visible: Q
) -> SaveResult:
    """Publish a document as the workflow that it names, or that it was before.

    It is known by its slug, else by its name, else by its definition, among the
    workflows of `team` that `visible` permits; where there is none it is made. The same
    definition is the same version. Raises DocumentError and StateRefused.
    """
    wanted = parse_document(document)
    explicit = wanted.meta.slug
    base = explicit or slugify(wanted.meta.name)[:90]
    base = base or f"workflow-{digest(wanted.definition)[:12]}"
    with unit_of_work():
        slugs = _numbered(base)
        while True:
            slug = next(slugs)
            known = Workflow.objects.filter(slug=slug).select_related("team").first()
            if known is None:
                named = replace(wanted, meta=replace(wanted.meta, slug=slug))
                return create_workflow(named, by=by, team=team)
            if _is_meant(known, team, visible, explicit=bool(explicit)):
                saved = store(lock(known), wanted, by)
                return publish_as_said(saved, wanted, by)
            if explicit:
                text = f'a workflow "{slug}" exists already'
                raise DocumentError([Problem(wanted.meta.slug_key, text)])


def _numbered(base: str) -> Iterator[str]:
    yield base
    for number in count(2):
        yield f"{base}-{number}"


def _is_meant(
    known: Workflow, team: Team | None, visible: Q, *, explicit: bool
) -> bool:
    """A slug that was given means what the caller sees; a name their team's alone."""
    if not explicit and known.team != team:
        return False
    return Workflow.objects.filter(visible, pk=known.pk).exists()

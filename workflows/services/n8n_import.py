"""Workflows of n8n become drafts here, each once; nothing that runs is changed.

What is imported is a draft: nothing fires before somebody publishes it. The draft of a
workflow that was edited here since its last import is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.db.models import Q
from django.utils.text import slugify

from automate.accounts.models import ApiKey, User
from automate.accounts.visibility import visible_to
from workflows.definition import Problem, digest
from workflows.integrations.n8n.convert import Conversion, convert
from workflows.integrations.n8n.report import Report
from workflows.integrations.n8n.source import Source, mapping, text
from workflows.models import N8nImport, Workflow
from workflows.services.checking import problems_of_draft
from workflows.services.documents import check_document
from workflows.services.drafts import SaveResult, create_workflow, save_draft
from workflows.services.errors import DocumentError
from workflows.services.transactions import unit_of_work

Actor = User | ApiKey | None
Outcome = Literal["created", "updated", "unchanged", "kept", "failed"]
FILE = "file"
UNIQUE_ID = 12  # ids of this length are random: n8n's older ones are counted
KEPT = (
    "its draft was edited here since the last import, and n8n has something else now: "
    "it was left as it is"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which workflow of n8n's it is: the instance's address, or `file`, and its id."""

    source: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Given:
    """One workflow to import, or why it cannot be read."""

    origin: Origin
    source: Source | None = None
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one workflow of n8n's.

    `problems` stand in the way of publishing the draft, such as connections that are
    still to be made. Of what failed there is an `error` and nothing else.
    """

    origin: Origin
    outcome: Outcome
    name: str = ""
    workflow: Workflow | None = None
    report: Report | None = None
    messages: Sequence[Problem] = ()
    problems: Sequence[Problem] = ()
    error: str = ""
    code: str = ""


def import_all(
    given: Iterable[Given],
    *,
    by: Actor,
    team: str = "",
    owner: User | None = None,
    overwrite: bool = False,
) -> list[Imported]:
    """Import each by itself: one that fails takes no other with it.

    `team` is the slug of the team of new workflows, `owner` who owns those and any that
    nobody owned; else it is who makes them. Workflows that run each other find
    each other, in whatever order they come.
    """
    items = list(_once(given))
    known = _Known(by, items)
    slugs = known.slugs(items)
    done = []
    for item in items:
        row = known.row(item.origin)
        if row is not None and owner is not None:
            _own(row.workflow, owner)
        done.append(_import(item, row, slugs, by, team, owner, overwrite=overwrite))
    return done


def _once(given: Iterable[Given]) -> Iterable[Given]:
    """Two workflows of one origin would overwrite each other."""
    seen: set[Origin] = set()
    for item in given:
        if item.source is not None and item.origin in seen:
            error = (
                f'there are two of "{item.origin.source_id}" here: rename one of them'
            )
            yield Given(item.origin, error=error, code="TWICE")
            continue
        seen.add(item.origin)
        yield item


def converted(source: Source, slugs: Mapping[str, str] | None = None) -> Conversion:
    """The document and report of a workflow; its document passes our own check."""
    return convert(source, check_document, slugs)


@dataclass
class _Known:
    """The workflows that were imported before, as far as the caller may see them."""

    by: Actor
    given: Sequence[Given]
    rows: dict[Origin, N8nImport] = field(default_factory=dict)
    by_id: dict[str, N8nImport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = {item.origin.source_id for item in self.given}
        ids |= {id_ for item in self.given for id_ in _called(item.source)}
        user = self.by.user if isinstance(self.by, ApiKey) else self.by
        seen = Q() if user is None else visible_to(user, "workflow__")
        rows = N8nImport.objects.filter(seen, source_id__in=ids)
        rows = rows.exclude(workflow__status=Workflow.Status.ARCHIVED)
        for row in rows.select_related("workflow__owner", "workflow__team").order_by(
            "imported_at"
        ):
            self.rows[Origin(row.source, row.source_id)] = row
            if len(row.source_id) >= UNIQUE_ID:
                self.by_id[row.source_id] = row

    def row(self, origin: Origin) -> N8nImport | None:
        """A workflow that was synced and comes from a file now is the same one."""
        found = self.rows.get(origin)
        return found or self.by_id.get(origin.source_id)

    def slugs(self, items: Sequence[Given]) -> dict[str, str]:
        """The short names by ids of n8n's: of those that there are, and new ones."""
        sources = {item.origin.source for item in items}
        found = {
            origin.source_id: row.workflow.slug
            for origin, row in self.rows.items()
            if origin.source in sources or origin.source_id in self.by_id
        }
        taken = set(found.values())
        for item in items:
            if item.source is None or self.row(item.origin) is not None:
                continue
            found[item.origin.source_id] = slug = _free_slug(item.source, taken)
            taken.add(slug)
        return found


def _free_slug(source: Source, taken: set[str]) -> str:
    base = slugify(source.name)[:90] or "n8n-workflow"
    slug, number = base, 1
    while slug in taken or Workflow.objects.filter(slug=slug).exists():
        number += 1
        slug = f"{base}-{number}"
    return slug


def _called(source: Source | None) -> Iterable[str]:
    """The ids of the workflows that it runs."""
    for node in source.nodes if source else ():
        if node.kind == "executeWorkflow":
            given = node.parameters.get("workflowId")
            chosen = mapping(given)
            yield text(chosen.get("value") if chosen else given)[:200]


def _import(
    item: Given,
    row: N8nImport | None,
    slugs: Mapping[str, str],
    by: Actor,
    team: str,
    owner: User | None,
    *,
    overwrite: bool,
) -> Imported:
    if item.source is None:
        return Imported(item.origin, "failed", error=item.error, code=item.code)
    name = item.source.name
    conversion = converted(item.source, slugs)
    sha256 = digest(conversion.document)
    if row is not None and row.converted_sha256 == sha256:
        _tell_anew(row, conversion)
        return _same(item, "unchanged", row, conversion)
    if row is not None and _is_edited(row) and not overwrite:
        return _same(item, "kept", row, conversion)
    try:
        with unit_of_work():
            if row is None:
                new = {"slug": slugs[item.origin.source_id]}
                new |= {"team": team} if team else {}
                document = {**conversion.document, **new}
                saved = create_workflow(document, by=by, publish=False, owner=owner)
                outcome: Outcome = "created"
            else:
                saved = save_draft(row.workflow, conversion.document, by=by)
                outcome = "updated"
            _remember(item.origin, row, saved, conversion, sha256)
    except DocumentError as error:
        said = "; ".join(str(problem) for problem in error.problems)
        return Imported(item.origin, "failed", name, error=said, code="NOT_CONVERTED")
    return Imported(
        item.origin,
        outcome,
        name,
        saved.workflow,
        conversion.report,
        saved.messages,
        saved.problems,
    )


def _own(workflow: Workflow, owner: User) -> None:
    if workflow.owner_id is None:
        workflow.owner = owner
        workflow.save(update_fields=("owner",))


def _same(
    item: Given, outcome: Outcome, row: N8nImport, conversion: Conversion
) -> Imported:
    assert item.source is not None  # noqa: S101 - it was converted
    told = (Problem("", KEPT),) if outcome == "kept" else ()
    workflow = row.workflow
    return Imported(
        item.origin,
        outcome,
        item.source.name,
        workflow,
        conversion.report,
        told,
        problems_of_draft(workflow),
    )


def _tell_anew(row: N8nImport, conversion: Conversion) -> None:
    """A newer release may say more of what became the same."""
    report = conversion.report.as_data()
    if row.report != report:
        N8nImport.objects.filter(pk=row.pk).update(report=report)


def _is_edited(row: N8nImport) -> bool:
    return digest(row.workflow.definition) != row.draft_sha256


def _remember(
    origin: Origin,
    row: N8nImport | None,
    saved: SaveResult,
    conversion: Conversion,
    sha256: str,
) -> None:
    """The place that it was found at first stays its origin."""
    first = Origin(row.source, row.source_id) if row else origin
    N8nImport.objects.update_or_create(
        workflow=saved.workflow,
        defaults={
            "source": first.source[:300],
            "source_id": first.source_id[:200],
            "converted_sha256": sha256,
            "draft_sha256": digest(saved.workflow.definition),
            "report": conversion.report.as_data(),
        },
    )

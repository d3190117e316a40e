"""What changed between versions of a workflow, or between one and the draft."""

from __future__ import annotations

from workflows.definition import Change, diff
from workflows.models import Workflow, WorkflowVersion
from workflows.services.documents import parse_document
from workflows.services.errors import StateRefused


def diff_versions(old: WorkflowVersion, new: WorkflowVersion) -> list[Change]:
    """Every difference from one version's definition to another's."""
    return diff(old.definition, new.definition)


def diff_draft(workflow: Workflow, old: WorkflowVersion | None = None) -> list[Change]:
    """What the draft changes against the published version, or against `old`.

    Raises StateRefused when there is no version, DocumentError for a draft that
    cannot be read.
    """
    version = old or workflow.published
    if version is None:
        raise StateRefused("This workflow was never published.")
    draft = parse_document(workflow.definition, allow_problems=True)
    return diff(version.definition, draft.definition)

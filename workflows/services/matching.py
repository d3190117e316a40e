"""Which row is which trigger of a document, and which were made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflows.models import Trigger, Workflow
from workflows.services.documents import Document, TriggerSpec


def match(
    specs: Sequence[TriggerSpec], rows: Sequence[Trigger]
) -> tuple[list[Trigger | None], list[Trigger]]:
    """The row of each spec (None: a new one), and the rows that no spec claims.

    By node id, then by path, then by kind and position. Rows are in order of making.
    """
    found: list[Trigger | None] = [None] * len(specs)
    left = list(rows)

    def claim(same: Any) -> None:
        for position, spec in enumerate(specs):
            if found[position] is None:
                claimed = next((row for row in left if same(spec, row)), None)
                if claimed is not None:
                    found[position] = claimed
                    left.remove(claimed)

    claim(lambda s, r: s.node_id and (s.kind, s.node_id) == (r.kind, r.node_id))
    claim(lambda s, r: s.path and (s.kind, s.path) == (r.kind, r.path))
    claim(lambda s, r: s.kind == r.kind)
    return found, left


def governed(document: Document, rows: Sequence[Trigger]) -> list[Trigger]:
    """The rows that follow this document: the others were made by hand.

    Those with a node id always do. Those without do when the document has triggers
    without one, or says that there are none.
    """
    listed = any(not spec.node_id for spec in document.triggers)
    all_of_them = document.names_triggers and (listed or not document.triggers)
    return [row for row in rows if row.node_id or all_of_them]


def rows_of(workflow: Workflow) -> list[Trigger]:
    """All triggers of a workflow in the order in which they were made."""
    return list(Trigger.objects.filter(workflow=workflow).order_by("id"))

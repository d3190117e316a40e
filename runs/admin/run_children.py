"""The child runs of a run, counted by step and by how they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count

from automate.accounts.admin.html import list_of
from runs.admin.run_filters import UNFINISHED
from runs.models import Run
from runs.states import FINAL_RUN

FEW = 10  # children that are linked one by one
ORDER = (UNFINISHED, "succeeded", "failed", "dead_letter", "cancelled")


@dataclass(frozen=True, slots=True)
class Group:
    """So many children of one status, and the list of them."""

    status: str
    count: int
    url: str

    @property
    def words(self) -> str:
        """The status in words."""
        shown = "under way" if self.status == UNFINISHED else self.status
        return f"{self.count:,} {shown.replace('_', ' ')}"

    @property
    def colour(self) -> str:
        """The status whose colour it has."""
        shown = "running" if self.status == UNFINISHED else self.status
        return shown.replace("_", "-")


@dataclass(slots=True)
class Children:
    """What one step of a run has started; `few` of them are named."""

    node_id: str
    url: str
    total: int = 0
    groups: list[Group] = field(default_factory=list)
    few: list[tuple[UUID, str, int | None]] = field(default_factory=list)


def children_of(run: Run) -> dict[str, Children]:
    """The children by step, without redrives; two queries, one when there are few."""
    rows = run.children.filter(replay_of=None).order_by("id")
    first = list(
        rows.values_list("parent_node", "status", "pk", "item_index")[: FEW + 1]
    )
    if len(first) <= FEW:
        found = _grouped(run, [(node, status, 1) for node, status, _, _ in first])
        for node, status, pk, index in first:
            found[node].few.append((pk, status, index))
        return found
    counted = rows.order_by().values_list("parent_node", "status")
    return _grouped(run, counted.annotate(n=Count("pk")))


def _grouped(run: Run, counts: Iterable[tuple[str, str, int]]) -> dict[str, Children]:
    sums: dict[str, dict[str, int]] = {}
    for node, status, count in counts:
        shown = status if status in FINAL_RUN else UNFINISHED
        of_node = sums.setdefault(node, {})
        of_node[shown] = of_node.get(shown, 0) + count
    return {node: _children(run, node, sums[node]) for node in sorted(sums)}


def _children(run: Run, node: str, sums: Mapping[str, int]) -> Children:
    here = {"parent": run.pk, "parent_node": node, "replay_of__isnull": True}
    return Children(
        node,
        list_of(Run, **here),
        sum(sums.values()),
        [
            Group(status, sums[status], list_of(Run, **here, status=status))
            for status in ORDER
            if status in sums
        ],
    )

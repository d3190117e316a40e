"""What the page of a failed run says to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from automate.accounts.admin.html import list_of
from runs.admin.run_filters import UNREPAIRED
from runs.admin.run_redrive import newer_version
from runs.models import Run
from runs.services.unrepaired import BROKEN, stands_for, unrepaired
from runs.states import RunStatus
from workflows.models import WorkflowVersion

MOST = 1000


@dataclass(frozen=True, slots=True)
class Advice:
    """The latest version when the run had another, and the runs that failed alike.

    `again` is the redrive that stands for the run's event now: `similar` counts other
    events, of which nothing stands for the failed run.
    """

    again: Run | None
    latest: WorkflowVersion | None
    similar: int
    similar_url: str

    @property
    def is_repaired(self) -> bool:
        """Whether a redrive of it has succeeded."""
        return self.again is not None and self.again.status == RunStatus.SUCCEEDED

    @property
    def is_broken_again(self) -> bool:
        """Whether the redrive that stands for it failed, too."""
        return self.again is not None and self.again.status in BROKEN

    @property
    def others(self) -> str:
        """How many other runs failed alike, in words; empty when none did."""
        if not self.similar:
            return ""
        if self.similar > MOST:
            return f"More than {MOST:,} other runs"
        return "1 other run" if self.similar == 1 else f"{self.similar:,} other runs"

    @property
    def campaign_url(self) -> str:
        """Where all of them, and this one, are redriven."""
        _, _, query = self.similar_url.partition("?")
        return f"{reverse('admin:runs_run_redrive_all')}?{query}"


def advice_on(run: Run, seen: Any) -> Advice:
    """What a person can do who may see these runs; at most two queries."""
    alike = 0
    if run.error_fingerprint:
        root = run.root_run_id or run.pk
        same = unrepaired(seen.filter(error_fingerprint=run.error_fingerprint))
        others = same.exclude(pk=root).exclude(root_run=root)
        alike = others.order_by()[: MOST + 1].count()
    again = stands_for(run) if run.parent_id is None else None
    fingerprint = run.error_fingerprint
    url = list_of(Run, error_fingerprint=fingerprint, status=UNREPAIRED)
    return Advice(again, newer_version(run), alike, url)

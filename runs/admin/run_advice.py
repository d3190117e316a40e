"""What the page of a failed run says to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from automate.accounts.admin.html import list_of
from runs.admin.run_redrive import newer_version
from runs.models import Run
from workflows.models import WorkflowVersion

MOST = 1000


@dataclass(frozen=True, slots=True)
class Advice:
    """The latest version when the run had another, and the runs that failed alike."""

    latest: WorkflowVersion | None
    similar: int
    similar_url: str

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
    """What a person can do who may see these runs; one query, if there is an error."""
    alike = 0
    if run.error_fingerprint:
        same = seen.filter(error_fingerprint=run.error_fingerprint, replays=None)
        alike = same.exclude(pk=run.pk).order_by()[: MOST + 1].count()
    url = list_of(Run, error_fingerprint=run.error_fingerprint, redriven="no")
    return Advice(newer_version(run), alike, url)

"""The admin pages of runs: what happened, and repairing it."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from runs.admin.delivery_attempt import DeliveryAttemptAdmin
from runs.admin.log import RunLogAdmin
from runs.admin.run import RunAdmin
from runs.admin.step_run import StepRunAdmin
from runs.admin.worker import WorkerAdmin
from runs.models import DeliveryAttempt, Run, RunLog, StepRun, Worker


def register(site: AdminSite) -> None:
    """Put this package's pages on a site."""
    site.register(Run, RunAdmin)
    site.register(StepRun, StepRunAdmin)
    site.register(DeliveryAttempt, DeliveryAttemptAdmin)
    site.register(RunLog, RunLogAdmin)
    site.register(Worker, WorkerAdmin)

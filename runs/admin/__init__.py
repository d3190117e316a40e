"""The admin pages of runs: what happened, and repairing it."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from runs.admin.campaign import CampaignAdmin
from runs.admin.campaign_run import CampaignRunAdmin
from runs.admin.delivery_attempt import DeliveryAttemptAdmin
from runs.admin.log import RunLogAdmin
from runs.admin.run import RunAdmin
from runs.admin.step_run import StepRunAdmin
from runs.admin.wait_token import WaitTokenAdmin
from runs.admin.worker import WorkerAdmin
from runs.models import (
    Campaign,
    CampaignRun,
    DeliveryAttempt,
    Run,
    RunLog,
    StepRun,
    WaitToken,
    Worker,
)


def register(site: AdminSite) -> None:
    """Put this package's pages on a site."""
    site.register(Run, RunAdmin)
    site.register(StepRun, StepRunAdmin)
    site.register(DeliveryAttempt, DeliveryAttemptAdmin)
    site.register(RunLog, RunLogAdmin)
    site.register(WaitToken, WaitTokenAdmin)
    site.register(Campaign, CampaignAdmin)
    site.register(CampaignRun, CampaignRunAdmin)
    site.register(Worker, WorkerAdmin)

"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from runs.api.campaigns import (
    CampaignCount,
    CampaignDetail,
    CampaignList,
    CampaignRuns,
    CampaignSteer,
)
from runs.api.events import Events
from runs.api.execute import Execute
from runs.api.explain import Explain
from runs.api.history import AttemptList, LogList, StepList
from runs.api.repair import Cancel, Redrive
from runs.api.runs import RunDetail, RunList
from runs.api.trials import TryStep
from runs.api.trigger import Submit, Trigger
from runs.api.waits import AnswerWait, RunWaits, WaitList
from runs.api.workflow_runs import RunInFull, WorkflowRuns

urlpatterns: list[URLPattern] = [
    path(
        "workflows/<str:workflow>/execute", Execute.as_view(), name="workflow-execute"
    ),
    path("trigger", Trigger.as_view(), name="trigger"),
    path("workflow", Submit.as_view(), name="submit"),
    path("workflows/<str:workflow>/logs", WorkflowRuns.as_view(), name="workflow-logs"),
    path("logs/<uuid:run_id>", RunInFull.as_view(), name="run-in-full"),
    path("runs", RunList.as_view(), name="run-list"),
    path("runs/<uuid:run_id>", RunDetail.as_view(), name="run-detail"),
    path("runs/<uuid:run_id>/steps", StepList.as_view(), name="run-steps"),
    path("runs/<uuid:run_id>/attempts", AttemptList.as_view(), name="run-attempts"),
    path("runs/<uuid:run_id>/logs", LogList.as_view(), name="run-logs"),
    path("runs/<uuid:run_id>/events", Events.as_view(), name="run-events"),
    path("runs/<uuid:run_id>/explain", Explain.as_view(), name="run-explain"),
    path("runs/<uuid:run_id>/cancel", Cancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/redrive", Redrive.as_view(), name="run-redrive"),
    path("runs/<uuid:run_id>/waits", RunWaits.as_view(), name="run-waits"),
    path(
        "runs/<uuid:run_id>/waits/<str:step>",
        AnswerWait.as_view(),
        name="run-wait-answer",
    ),
    path("waits", WaitList.as_view(), name="wait-list"),
    path(
        "workflows/<str:workflow>/steps/<str:step>/try",
        TryStep.as_view(),
        name="workflow-try-step",
    ),
    path("campaigns", CampaignList.as_view(), name="campaign-list"),
    path("campaigns/count", CampaignCount.as_view(), name="campaign-count"),
    path("campaigns/<uuid:key>", CampaignDetail.as_view(), name="campaign-detail"),
    path("campaigns/<uuid:key>/runs", CampaignRuns.as_view(), name="campaign-runs"),
    *(
        path(
            f"campaigns/<uuid:key>/{verb}",
            CampaignSteer.as_view(verb=verb),
            name=f"campaign-{verb}",
        )
        for verb in ("pause", "resume", "stop")
    ),
]

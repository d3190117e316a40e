"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from runs.api.execute import Execute
from runs.api.explain import Explain
from runs.api.history import AttemptList, LogList, StepList
from runs.api.repair import Cancel, Redrive
from runs.api.runs import RunDetail, RunList

urlpatterns: list[URLPattern] = [
    path(
        "workflows/<str:workflow>/execute", Execute.as_view(), name="workflow-execute"
    ),
    path("runs", RunList.as_view(), name="run-list"),
    path("runs/<uuid:run_id>", RunDetail.as_view(), name="run-detail"),
    path("runs/<uuid:run_id>/steps", StepList.as_view(), name="run-steps"),
    path("runs/<uuid:run_id>/attempts", AttemptList.as_view(), name="run-attempts"),
    path("runs/<uuid:run_id>/logs", LogList.as_view(), name="run-logs"),
    path("runs/<uuid:run_id>/explain", Explain.as_view(), name="run-explain"),
    path("runs/<uuid:run_id>/cancel", Cancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/redrive", Redrive.as_view(), name="run-redrive"),
]

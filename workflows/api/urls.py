"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from workflows.api.connections import (
    ConnectionDetail,
    ConnectionList,
    ConnectionTest,
)
from workflows.api.n8n import N8nSync
from workflows.api.secrets import SecretDetail, SecretList
from workflows.api.versions import (
    Publish,
    Rollback,
    VersionDetail,
    VersionDiff,
    VersionList,
)
from workflows.api.workflows import (
    ValidateChange,
    ValidateNew,
    WorkflowDetail,
    WorkflowList,
)

ONE = "workflows/<str:workflow>"
LINK = "connections/<uuid:connection_id>"
VERSION = f"{ONE}/versions/<int:number>"

urlpatterns: list[URLPattern] = [
    path("workflows", WorkflowList.as_view(), name="workflow-list"),
    path("workflows/validate", ValidateNew.as_view(), name="workflow-validate-new"),
    path(ONE, WorkflowDetail.as_view(), name="workflow-detail"),
    path(f"{ONE}/validate", ValidateChange.as_view(), name="workflow-validate"),
    path(f"{ONE}/publish", Publish.as_view(), name="workflow-publish"),
    path(f"{ONE}/versions", VersionList.as_view(), name="workflow-versions"),
    path(VERSION, VersionDetail.as_view(), name="workflow-version"),
    path(f"{VERSION}/diff", VersionDiff.as_view(), name="workflow-diff"),
    path(f"{VERSION}/rollback", Rollback.as_view(), name="workflow-rollback"),
    path("secrets", SecretList.as_view(), name="secret-list"),
    path("secrets/<uuid:secret_id>", SecretDetail.as_view(), name="secret-detail"),
    path("connections", ConnectionList.as_view(), name="connection-list"),
    path(LINK, ConnectionDetail.as_view(), name="connection-detail"),
    path(f"{LINK}/test", ConnectionTest.as_view(), name="connection-test"),
    path("integrations/n8n/sync", N8nSync.as_view(), name="n8n-sync"),
]

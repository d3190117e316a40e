"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from webhooks.api.views import (
    WebhookDetail,
    WebhookList,
    WebhookPrevious,
    WebhookRotate,
    WebhookTest,
)

ONE = "webhooks/<uuid:webhook_id>"

urlpatterns: list[URLPattern] = [
    path("webhooks", WebhookList.as_view(), name="webhook-list"),
    path(ONE, WebhookDetail.as_view(), name="webhook-detail"),
    path(f"{ONE}/rotate", WebhookRotate.as_view(), name="webhook-rotate"),
    path(f"{ONE}/previous-secret", WebhookPrevious.as_view(), name="webhook-previous"),
    path(f"{ONE}/test", WebhookTest.as_view(), name="webhook-test"),
]

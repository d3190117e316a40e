"""Workflows of a running n8n become drafts here."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.models import ApiKey, User
from automate.accounts.models.api_key import Scope
from automate.lib.rest import StrictSerializer, invalid
from automate.lib.rest.described import described
from workflows.api import other_answers as answers
from workflows.services.n8n_import import Imported
from workflows.services.n8n_sync import MOST, sync


class IdField(serializers.CharField):
    """An id of n8n's: a text, or a number as old ones have."""

    json_schema: ClassVar = {"type": ["string", "integer"]}

    def to_internal_value(self, data: Any) -> str:
        """The text. Raises ValidationError for what is neither."""
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError("Give a text or a whole number.")
        return str(super().to_internal_value(data))


class SyncBody(StrictSerializer):
    """`{"n8n_url", "api_key", "workflow_ids"}`; without ids all workflows."""

    n8n_url = serializers.CharField(max_length=300)
    api_key = serializers.CharField(max_length=2_000, write_only=True)
    workflow_ids = serializers.ListField(
        child=IdField(max_length=100, min_length=1),
        required=False,
        allow_null=True,
        max_length=MOST,
        default=list,
    )


class N8nSync(APIView):
    """Reads an n8n's public API; its key is used and not kept."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "sync_n8n",
        {200: answers.Synced},
        body=SyncBody,
        refuses={400: "An address that is none, or not permitted."},
    )
    def post(self, request: Request) -> Response:
        """200 with what was synced, and an entry for each that was not."""
        body = SyncBody.read(request.data)
        by = cast("User | ApiKey", request.auth or request.user)
        try:
            synced = sync(
                body["n8n_url"], body["api_key"], body["workflow_ids"] or [], by=by
            )
        except ValueError as error:
            raise invalid([("n8n_url", str(error))]) from None
        return Response(
            {
                "synced_count": len(synced.done),
                "errors": [_error(item) for item in synced.failed],
                "workflows": [_workflow(item) for item in synced.done],
            }
        )


def _error(item: Imported) -> dict[str, Any]:
    """A refusal of everything has no workflow."""
    return {
        "workflow_id": item.origin.source_id or None,
        "code": item.code,
        "message": item.error,
    }


def _workflow(item: Imported) -> dict[str, Any]:
    row, report = item.workflow, item.report
    assert row is not None  # noqa: S101 - it did not fail
    assert report is not None  # noqa: S101
    return {
        "workflow_id": item.origin.source_id,
        "id": str(row.pk),
        "slug": row.slug,
        "name": row.name,
        "status": row.status,
        "outcome": item.outcome,
        "report": report.as_data(),
        "messages": [str(message) for message in item.messages],
        "problems": [str(problem) for problem in item.problems],
    }

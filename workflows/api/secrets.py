"""Secrets: values go in and never come out."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller, user_of
from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.lib.rest import ApiError, ListQuery, StrictSerializer, page
from automate.lib.rest.described import described, page_of
from automate.lib.rest.strict import StrictQuery
from workflows.api import other_answers as answers
from workflows.api.base import IN_USE, OWNED, told
from workflows.models import Secret
from workflows.services import owned
from workflows.services.secrets import change_secret, create_secret, delete_secret


def usable(request: Request) -> Q:
    """Rows of the caller's teams, and shared ones."""
    user = user_of(request)
    if user.is_superuser:
        return Q()
    return Q(team=None) | Q(team__in=user.teams.all())


class OwnedQuery(ListQuery):
    """Query parameters of the lists of secrets and connections."""

    name = serializers.CharField(required=False, max_length=100)
    team = serializers.CharField(required=False, max_length=100)


def narrowed(rows: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
    """Those of this name, of this team."""
    if "name" in query:
        rows = rows.filter(name=query["name"])
    if "team" in query:
        rows = rows.filter(team__slug=query["team"])
    return rows


class HostsField(serializers.ListField):
    """Host names."""

    child = serializers.CharField(max_length=253)


class NewSecret(StrictSerializer):
    """`{"name", "value", "allowed_hosts", "team"}`; the last two may be left out."""

    name = serializers.CharField(max_length=100)
    value = serializers.CharField(trim_whitespace=False, max_length=100_000)
    allowed_hosts = HostsField(required=False, default=list)
    team = serializers.CharField(required=False, default="", max_length=100)


class SecretChange(StrictSerializer):
    """`{"value", "allowed_hosts"}`: what is to change."""

    value = serializers.CharField(
        required=False, trim_whitespace=False, max_length=100_000
    )
    allowed_hosts = HostsField(required=False)


class SecretList(APIView):
    """Secrets by name, without their values."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ, "POST": Scope.SECRETS_WRITE}

    @described("list_secrets", {200: page_of(answers.Secret)}, query=OwnedQuery)
    def get(self, request: Request) -> Response:
        """`{"results": [secret], "next", "next_cursor"}`, newest first."""
        query = OwnedQuery.read_query(request)
        rows = Secret.objects.filter(usable(request)).select_related("team")
        found, further = page(narrowed(rows.defer("value"), query), request, query)
        return Response({"results": [shape(row) for row in found], **further})

    @described("create_secret", {201: answers.Secret}, body=NewSecret, refuses=OWNED)
    def post(self, request: Request) -> Response:
        """201 with the secret, without its value."""
        body = NewSecret.read(request.data)
        by = caller(request)
        with told():
            row = create_secret(
                body["name"],
                body["value"],
                team=owned.owner_for(by, body["team"]),
                allowed_hosts=body["allowed_hosts"],
                by=by,
            )
        return Response(shape(row), status=201)


class SecretDetail(APIView):
    """One secret."""

    scopes: ClassVar = {
        "GET": Scope.WORKFLOWS_READ,
        "PATCH": Scope.SECRETS_WRITE,
        "DELETE": Scope.SECRETS_WRITE,
    }

    @described("get_secret", {200: answers.Secret}, query=StrictQuery)
    def get(self, request: Request, secret_id: UUID) -> Response:
        """The secret without its value."""
        StrictQuery.read_query(request)
        return Response(shape(_find(request, secret_id)))

    @described("change_secret", {200: answers.Secret}, body=SecretChange, refuses=OWNED)
    def patch(self, request: Request, secret_id: UUID) -> Response:
        """Another value, or other hosts."""
        row = _find(request, secret_id)
        body = SecretChange.read(request.data)
        with told():
            row = change_secret(row, by=caller(request), **body)
        return Response(shape(row))

    @described("delete_secret", {204: None}, refuses=IN_USE)
    def delete(self, request: Request, secret_id: UUID) -> Response:
        """204."""
        row = _find(request, secret_id)
        with told():
            delete_secret(row, caller(request))
        return Response(status=204)


def shape(row: Secret) -> dict[str, Any]:
    """A secret; how steps write it is `written`."""
    return {
        "id": row.pk,
        "name": row.name,
        "written": f"{{{{ secrets.{row.name} }}}}",
        "team": row.team.slug if row.team else None,
        "allowed_hosts": row.allowed_hosts,
        "created_at": row.created_at,
        "rotated_at": row.rotated_at,
        "last_used_at": row.last_used_at,
    }


def _find(request: Request, secret_id: UUID) -> Secret:
    rows = Secret.objects.filter(usable(request)).select_related("team")
    row = rows.filter(pk=secret_id).first()
    if row is None:
        raise ApiError(404, Code.NOT_FOUND, f"There is no secret {secret_id}.")
    return row

"""Connections: how to reach and sign in to another system; credentials only go in."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller
from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.lib.rest import ApiError, StrictSerializer, page
from automate.lib.rest.described import NOTHING, described, page_of
from automate.lib.rest.strict import StrictQuery
from workflows.api import other_answers as answers
from workflows.api.base import FOREIGN, IN_USE, OWNED, listed, told
from workflows.api.secrets import HostsField, OwnedQuery, narrowed, usable
from workflows.models import Breaker, Connection
from workflows.services import owned
from workflows.services.connecting import (
    change_connection,
    create_connection,
    delete_connection,
)
from workflows.services.connection_check import check_connection
from workflows.services.out_of_reach import unreachable


class Texts(serializers.DictField):
    """Texts by name."""

    child = serializers.CharField(
        allow_blank=True, trim_whitespace=False, max_length=100_000
    )


class ConnectionChange(StrictSerializer):
    """What is to change; `credentials` and `options` are texts by name."""

    name = serializers.CharField(required=False, max_length=100)
    # DRF's metaclass takes the field out; the serializer's own `kind` stays.
    kind = serializers.CharField(required=False, max_length=40)  # type: ignore[assignment]
    base_url = serializers.CharField(required=False, allow_blank=True, max_length=200)
    allowed_hosts = HostsField(required=False)
    credentials = Texts(required=False)
    options = Texts(required=False)
    rate_limit = serializers.CharField(required=False, allow_blank=True, max_length=20)
    status = serializers.ChoiceField(["active", "inactive"], required=False)
    authorities = serializers.CharField(
        required=False, allow_blank=True, max_length=200_000
    )
    proxy = serializers.CharField(required=False, allow_blank=True, max_length=300)


class NewConnection(ConnectionChange):
    """A whole connection; `team` may be left out by who has one."""

    name = serializers.CharField(max_length=100)
    kind = serializers.CharField(max_length=40)
    team = serializers.CharField(required=False, default="", max_length=100)


class ConnectionList(APIView):
    """Connections, newest first."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ, "POST": Scope.SECRETS_WRITE}

    @described("list_connections", {200: page_of(answers.Connection)}, query=OwnedQuery)
    def get(self, request: Request) -> Response:
        """`{"results": [connection], "next", "next_cursor"}`."""
        query = OwnedQuery.read_query(request)
        rows = Connection.objects.filter(usable(request))
        rows = rows.select_related("team", "breaker")
        rows = narrowed(rows.defer("credentials", "token"), query)
        found, further = page(rows, request, query)
        return Response({"results": [shape(row) for row in found], **further})

    @described(
        "create_connection",
        {201: answers.Connection},
        body=NewConnection,
        refuses=OWNED,
    )
    def post(self, request: Request) -> Response:
        """201 with the connection, without its credentials."""
        body = NewConnection.read(request.data)
        by = caller(request)
        with told():
            team = owned.owner_for(by, body.pop("team"))
            row = create_connection(body, team=team, by=by)
        return Response(shape(row), status=201)


class ConnectionDetail(APIView):
    """One connection."""

    scopes: ClassVar = {
        "GET": Scope.WORKFLOWS_READ,
        "PATCH": Scope.SECRETS_WRITE,
        "DELETE": Scope.SECRETS_WRITE,
    }

    @described("get_connection", {200: answers.Connection}, query=StrictQuery)
    def get(self, request: Request, connection_id: UUID) -> Response:
        """The connection without its credentials."""
        StrictQuery.read_query(request)
        return Response(shape(_find(request, connection_id)))

    @described(
        "change_connection",
        {200: answers.Connection},
        body=ConnectionChange,
        refuses=OWNED,
    )
    def patch(self, request: Request, connection_id: UUID) -> Response:
        """Change what the body names."""
        row = _find(request, connection_id)
        body = ConnectionChange.read(request.data)
        with told():
            row = change_connection(row, body, by=caller(request))
        return Response(shape(row))

    @described("delete_connection", {204: None}, refuses=IN_USE)
    def delete(self, request: Request, connection_id: UUID) -> Response:
        """204."""
        row = _find(request, connection_id)
        with told():
            delete_connection(row, caller(request))
        return Response(status=204)


class ConnectionTest(APIView):
    """Asks the other system now."""

    scopes: ClassVar = {"POST": Scope.SECRETS_WRITE}

    @described(
        "check_connection",
        {200: answers.ConnectionTested},
        body=NOTHING,
        refuses={403: FOREIGN},
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        """`{"ok", "message", "connection"}`; the message is redacted."""
        row = _find(request, connection_id)
        StrictSerializer.read(request.data)
        by = caller(request)
        with told():
            owned.may_change(row, by)
        found = check_connection(row, by=by)
        shown = shape(_find(request, connection_id))
        return Response({"ok": found.ok, "message": found.message, "connection": shown})


def shape(row: Connection) -> dict[str, Any]:
    """A connection; nothing of it is secret."""
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "team": row.team.slug if row.team else None,
        "base_url": row.base_url or None,
        "allowed_hosts": row.allowed_hosts,
        "options": row.options,
        "rate_limit": row.rate_limit or None,
        "proxy": row.proxy or None,
        "authorities": row.authorities or None,
        "status": row.status,
        "status_reason": row.status_reason or None,
        "breaker": _breaker(row),
        "last_check": row.last_check or None,
        "last_checked_at": row.last_checked_at,
        "last_synced_at": row.last_synced_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "warnings": listed(unreachable(row)),
    }


def _breaker(row: Connection) -> dict[str, Any]:
    """Without a row it is closed: there were no failures."""
    found: Breaker | None = getattr(row, "breaker", None)
    if found is None:
        return {"state": Breaker.State.CLOSED, "opened_at": None, "probe_at": None}
    return {
        "state": found.state,
        "opened_at": found.opened_at,
        "probe_at": found.probe_at,
    }


def _find(request: Request, connection_id: UUID) -> Connection:
    rows = Connection.objects.filter(usable(request))
    rows = rows.select_related("team", "breaker")
    row = rows.filter(pk=connection_id).first()
    if row is None:
        raise ApiError(404, Code.NOT_FOUND, f"There is no connection {connection_id}.")
    return row

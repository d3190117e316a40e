"""API keys: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts import keys
from automate.accounts.api import answers
from automate.accounts.api.callers import caller, user_of
from automate.accounts.models import ApiKey
from automate.accounts.models.api_key import Scope, validate_rate, validate_scopes
from automate.accounts.sign_in.oauth import NOT_KEPT
from automate.accounts.visibility import seen_keys
from automate.lib.errors import Code
from automate.lib.rest import ApiError, ListQuery, StrictSerializer, page
from automate.lib.rest.described import RULES, described, page_of
from automate.lib.rest.strict import StrictQuery


class ScopesField(serializers.ListField):
    """Names of scopes, which `validate_scopes` checks."""

    json_schema: ClassVar = {
        "type": "array",
        "minItems": 1,
        "items": {"enum": Scope.values},
    }
    child = serializers.CharField()


class KeyBody(StrictSerializer):
    """`{"name", "scopes" or "permissions", "expires_at", "rate_limit"}`."""

    name = serializers.CharField(max_length=100)
    scopes = ScopesField(required=False)
    permissions = ScopesField(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    rate_limit = serializers.CharField(required=False, allow_blank=True, max_length=20)

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """The values, with `scopes` whichever name they came by."""
        body = super().read(data)
        field = "permissions" if "permissions" in body else "scopes"
        body["scopes"] = body.pop(field)
        return body

    def across(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What the scopes lack, by whichever name, and a rate that is none."""
        if "scopes" in data and "permissions" in data:
            yield "permissions", "Send scopes or permissions, not both."
        field = "permissions" if "permissions" in data else "scopes"
        scopes = data.get(field, [])
        if isinstance(scopes, list) and all(isinstance(one, str) for one in scopes):
            yield from _problems(field, validate_scopes, scopes)
        rate = data.get("rate_limit")
        if isinstance(rate, str) and rate.strip():
            yield from _problems("rate_limit", validate_rate, rate.strip())

    def validate_expires_at(self, moment: datetime | None) -> datetime | None:
        """Raises ValidationError for what is over already."""
        if moment is not None and moment <= timezone.now():
            raise serializers.ValidationError("Give a moment that is yet to come.")
        return moment


class KeyView(APIView):
    """A key does this with the scope `admin`, a person with their role's permission."""

    scopes: ClassVar[dict[str, Scope]] = {}
    of_people: ClassVar = {
        "GET": "accounts.view_apikey",
        "POST": "accounts.add_apikey",
        "DELETE": "accounts.change_apikey",
    }


class KeyList(KeyView):
    """One's own keys; for who changes people theirs too, for superusers all."""

    scopes: ClassVar = {"GET": Scope.ADMIN, "POST": Scope.ADMIN}

    @described("list_api_keys", {200: page_of(answers.Key)}, query=ListQuery)
    def get(self, request: Request) -> Response:
        """`{"results": [key], "next", "next_cursor"}`, newest first."""
        query = ListQuery.read_query(request)
        user = user_of(request)
        rows = ApiKey.objects.filter(seen_keys(user)).select_related("user")
        found, further = page(rows, request, query)
        return Response({"results": [shape(key) for key in found], **further})

    @described(
        "create_api_key",
        {201: answers.NewKey},
        body=KeyBody,
        sends=("Location",),
        refuses={400: RULES},
    )
    def post(self, request: Request) -> Response:
        """201 with the key in plain text, this once."""
        body = KeyBody.read(request.data)
        try:
            key, plain = keys.make(
                caller(request),
                body["name"],
                body["scopes"],
                expires_at=body.get("expires_at"),
                rate_limit=body.get("rate_limit", ""),
            )
        except keys.TooMuch as error:
            errors = [(error.field, error.message)]
            raise ApiError(403, Code.FORBIDDEN, error.message, errors=errors) from None
        where = reverse("api:key-detail", args=(key.pk,))
        headers = {"Location": request.build_absolute_uri(where), **NOT_KEPT}
        return Response({**shape(key), "key": plain}, status=201, headers=headers)


class KeyDetail(KeyView):
    """One key."""

    scopes: ClassVar = {"GET": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @described("get_api_key", {200: answers.Key}, query=StrictQuery)
    def get(self, request: Request, key_id: UUID) -> Response:
        """The key, without its text."""
        StrictQuery.read_query(request)
        return Response(shape(self.find(key_id)))

    @described("revoke_api_key", {204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        """204: revoked, from the next request on; also when it was before."""
        keys.revoke(self.find(key_id), by=caller(request))
        return Response(status=204)

    def find(self, key_id: UUID) -> ApiKey:
        """The key. Raises ApiError 404, also for another team's."""
        rows = ApiKey.objects.filter(seen_keys(user_of(self.request)))
        key = rows.select_related("user").filter(pk=key_id).first()
        if key is None:
            raise ApiError(404, Code.NOT_FOUND, f"There is no API key {key_id}.")
        return key


def shape(key: ApiKey) -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": key.prefix,
        "email": key.user.email,
        "scopes": key.scopes,
        "rate_limit": key.rate_limit or None,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _problems(field: str, check: Any, value: Any) -> list[tuple[str, str]]:
    try:
        check(value)
    except ValidationError as error:
        return [(field, message) for message in error.messages]
    return []

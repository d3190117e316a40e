"""Signing in with a password, going on with a refresh token, signing out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api import answers
from automate.accounts.api.authentication import CHALLENGE
from automate.accounts.models import User
from automate.accounts.scopes import scopes_of
from automate.accounts.sign_in import oauth, second_factor, tokens
from automate.accounts.sign_in.oauth import GRANT_TYPE, NOT_KEPT, is_form
from automate.accounts.sign_in.tokens import Tokens
from automate.lib.errors import Code
from automate.lib.rest import ApiError, StrictSerializer, invalid
from automate.lib.rest.described import NOTHING, TEXT, described
from automate.lib.rest.wire import FormParser, StrictJSONParser
from automate.lib.tokens import BadToken

WRONG = "The e-mail address or the password is wrong, or the account is switched off."
WRONG_CODE = (
    "This is not the code that the app shows now. Each code is good once; after wrong "
    "ones wait a moment."
)
A_FORM = "The request is not what it must be; all that a form is refused for."
GRANTS = ("password", "refresh_token")
GRANT: Mapping[str, Any] = {
    "title": "Grant",
    "description": "A form of OAuth 2 (RFC 6749, sections 4.3.2 and 6).",
    "type": "object",
    "properties": {
        "grant_type": {"enum": list(GRANTS)},
        "username": TEXT,
        "password": TEXT,
        "otp": TEXT,
        "refresh_token": TEXT,
        "scope": TEXT,
    },
    "required": ["grant_type"],
}


class _OfOAuth(StrictSerializer):
    """A form of OAuth 2: what it does not know it ignores (RFC 6749, section 3.2)."""

    is_closed = False

    def unknown(self, data: Any) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - as its base
        """Nothing: others may be there."""
        return iter(())


class _Proof(StrictSerializer):
    password = serializers.CharField(max_length=4096, trim_whitespace=False)
    otp = serializers.CharField(required=False, max_length=100)


class Credentials(_Proof):
    """`{"email", "password", "otp"}`; `otp` where the person has a second factor."""

    email = serializers.CharField(max_length=254)


class OAuthPassword(_OfOAuth, _Proof):
    """The same in a form (RFC 6749, section 4.3.2)."""

    username = serializers.CharField(max_length=254)


class RefreshBody(StrictSerializer):
    """`{"refresh_token"}`."""

    refresh_token = serializers.CharField(max_length=4096)


class OAuthRefresh(_OfOAuth, RefreshBody):
    """The same in a form (RFC 6749, section 6)."""


class RevokeBody(StrictSerializer):
    """`{"token"}`: a refresh token or an access token."""

    token = serializers.CharField(max_length=4096)


class OAuthRevoke(_OfOAuth, RevokeBody):
    """The same in a form (RFC 7009, section 2.1)."""


class JsonOnly(APIView):
    """For people who have yet to say who they are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class OpenView(JsonOnly):
    """The same; JSON, or a form as OAuth 2 has it."""

    parser_classes = (StrictJSONParser, FormParser)

    def error_answer(
        self,
        request: Request,
        status: int,
        code: str,
        message: str,
        *,
        errors: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> HttpResponse | None:
        """An error in the words of OAuth 2 for a form; None: as everywhere."""
        plain = request._request
        if not is_form(plain):
            return None
        grant = request.data.get(GRANT_TYPE, "") if errors else ""
        return oauth.answer(
            plain, status, code, message, errors=errors, headers=headers, grant=grant
        )


class Token(OpenView):
    """A password, and a code where there is a second factor, against tokens."""

    @described(
        "sign_in",
        {200: answers.TokenPair},
        body=Credentials,
        form=GRANT,
        refuses={
            400: A_FORM,
            401: WRONG,
            403: "A second factor must be set up first.",
        },
    )
    def post(self, request: Request) -> Response:
        """200 with the tokens. 401 for what is wrong, 429 after too many of those."""
        if not is_form(request._request):
            body = Credentials.read(request.data)
            return self._signed_in(request, body["email"], body)
        grant = request.data.get(GRANT_TYPE, "")
        if grant == "refresh_token":
            return exchanged(OAuthRefresh.read(request.data)["refresh_token"])
        if grant != "password":
            known = " or ".join(GRANTS)
            raise invalid([(GRANT_TYPE, f"Send {known}.")])
        body = OAuthPassword.read(request.data)
        return self._signed_in(request, body["username"], body)

    def _signed_in(
        self, request: Request, email: str, body: dict[str, Any]
    ) -> Response:
        plain: HttpRequest = request._request  # axes marks it
        found = authenticate(plain, username=email, password=body["password"])
        if not isinstance(found, User):
            raise refused(WRONG)
        has_code = _second_factor(plain, found, body.get("otp", ""))
        row, issued = tokens.begin(found, with_second_factor=has_code)
        user_logged_in.send(sender=User, request=plain, user=found)
        answer = shape(issued)
        if "scope" in request.data:  # it may be more or less than was asked for
            answer["scope"] = " ".join(scopes_of(row.user))
        return Response(answer, headers=NOT_KEPT)


class Refresh(OpenView):
    """A refresh token against new tokens; each is good once."""

    @described(
        "refresh_token",
        {200: answers.TokenPair},
        body=RefreshBody,
        form=OAuthRefresh,
        refuses={400: A_FORM, 401: "Not valid, or no longer."},
    )
    def post(self, request: Request) -> Response:
        """200 with other tokens, or 401."""
        reader = OAuthRefresh if is_form(request._request) else RefreshBody
        return exchanged(reader.read(request.data)["refresh_token"])


class Revoke(OpenView):
    """Signing out (RFC 7009): all tokens of that sign-in end at once."""

    @described(
        "revoke_token",
        {200: NOTHING},
        body=RevokeBody,
        form=OAuthRevoke,
        refuses={400: A_FORM},
    )
    def post(self, request: Request) -> Response:
        """200, also for a token that was none: its holder has what they want."""
        reader = OAuthRevoke if is_form(request._request) else RevokeBody
        tokens.end(reader.read(request.data)["token"])
        return Response({}, headers=NOT_KEPT)


def exchanged(refresh_token: str) -> Response:
    """The answer to a refresh token. Raises ApiError 401."""
    try:
        _row, issued = tokens.refreshed(refresh_token)
    except BadToken:
        raise refused(
            "The refresh token is not valid, or no longer: sign in."
        ) from None
    return Response(shape(issued), headers=NOT_KEPT)


def shape(issued: Tokens) -> dict[str, Any]:
    """`{"access_token", "token_type", "expires_in", "refresh_token"}`."""
    return {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh,
    }


def refused(message: str, code: Code = Code.UNAUTHORIZED) -> ApiError:
    """A 401 that names how one says who one is."""
    headers = {"WWW-Authenticate": CHALLENGE, **NOT_KEPT}
    return ApiError(401, code, message, headers=headers)


def _second_factor(request: HttpRequest, user: User, code: str) -> bool:
    """Whether a code was given; ApiError where one is due and no right one came."""
    if user.second_factor_since is None:
        if user.is_staff and second_factor.is_missing(user):
            raise ApiError(
                403,
                Code.SECOND_FACTOR_REQUIRED,
                "Set up a second factor first: sign in to the admin.",
                headers=NOT_KEPT,
            )
        return False
    if not code:
        raise refused(
            "This account has a second factor: send the app's code, or a recovery "
            "code, as otp.",
            Code.SECOND_FACTOR_REQUIRED,
        )
    device = second_factor.device_of(user)
    if device is None or second_factor.check(user, device, code) is None:
        tried = {"username": user.email}
        user_login_failed.send(sender=__name__, credentials=tried, request=request)
        raise refused(WRONG_CODE)
    return True

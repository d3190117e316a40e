"""Making one's own account, where the site permits it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts import limits, registration
from automate.accounts.api import answers
from automate.accounts.api.me import person
from automate.accounts.api.throttling import refusal
from automate.accounts.api.tokens import JsonOnly
from automate.accounts.models import User
from automate.accounts.sign_in.failures import client_address
from automate.accounts.sign_in.oauth import NOT_KEPT
from automate.lib.errors import Code
from automate.lib.rates import Rate
from automate.lib.rest import ApiError, StrictSerializer, invalid
from automate.lib.rest.described import described

# Of one address (of IPv6 one network), whether or not they succeed.
TRIES = Rate(10, 3600)
POLICY = "register"


class Registration(StrictSerializer):
    """`{"email", "password", "name"}`."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=4096, trim_whitespace=False)
    name = serializers.CharField(required=False, allow_blank=True, max_length=150)


class Register(JsonOnly):
    """A Developer in a team of their own; nobody confirms the address."""

    @described(
        "register",
        {201: answers.Person},
        body=Registration,
        refuses={
            400: "A password that is easy to guess.",
            403: "Registration is off.",
            409: "There is an account with this address.",
        },
    )
    def post(self, request: Request) -> Response:
        """201 with the person, who may sign in. 403 where the site does not permit it,
        409 for an address that has an account."""
        if not settings.REGISTRATION:
            raise ApiError(
                403,
                Code.FORBIDDEN,
                "Registration is off here: ask an administrator for an account.",
            )
        body = Registration.read(request.data)
        name = body.get("name", "")
        try:
            validate_password(body["password"], User(email=body["email"], name=name))
        except ValidationError as error:
            raise invalid([("password", text) for text in error.messages]) from None
        address = client_address(request._request)
        standing = limits.take(f"register:{address}", TRIES)
        if not standing.allowed:
            raise refusal(standing, POLICY)
        try:
            user = registration.register(body["email"], body["password"], name)
        except registration.Taken:
            raise ApiError(
                409, Code.CONFLICT, "There is an account with this address: sign in."
            ) from None
        return Response(person(user), status=201, headers=NOT_KEPT)

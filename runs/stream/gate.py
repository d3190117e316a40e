"""Who may watch: the views that a stream's request passes before it begins.

They are views of the API, so keys, scopes, rates, teams and refusals are those of every
other address.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django_otp.middleware import OTPMiddleware
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.permissions import HasScope
from automate.accounts.models import ApiKey, SignIn, User
from automate.accounts.models.api_key import Scope
from runs.api.base import RunView, visible_runs
from runs.stream.rights import KEY, SESSION, SIGN_IN, Grant, holds
from workflows.api.base import find_workflow


def our_origins() -> frozenset[str]:
    """The origins of our own pages."""
    urls = (settings.PUBLIC_URL, settings.STREAM_URL, *settings.CSRF_TRUSTED_ORIGINS)
    return frozenset(map(origin_of, urls))


def origin_of(url: str) -> str:
    """`scheme://host:port` of a URL, as browsers write an Origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class OurSession(BaseAuthentication):
    """The admin's session cookie, when the page that asks is one of ours.

    `request.auth` is the session's key. A page of the same origin sends no `Origin`
    with a GET; then the browser's word for that counts (Fetch Metadata).
    """

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        """None without a cookie of somebody who is signed in entirely."""
        plain = request._request
        if settings.SESSION_COOKIE_NAME not in plain.COOKIES or not _is_ours(plain):
            return None
        SessionMiddleware(_nobody).process_request(plain)
        AuthenticationMiddleware(_nobody).process_request(plain)
        OTPMiddleware(_nobody)(plain)
        user = cast("User", plain.user)
        if not user.is_authenticated:
            return None
        session = plain.session
        if not holds(dict(session.items()), user):
            return None
        return user, str(session.session_key)


def _is_ours(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    return origin.lower() in our_origins()


def _nobody(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class MayWatch(HasScope):
    """As everywhere in the API; a person with a session must see runs in the admin."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises PermissionDenied that says what is missing."""
        if not isinstance(request.auth, str):
            return super().has_permission(request, view)
        if not request.user.has_perm("runs.view_run"):
            raise PermissionDenied("Your role does not show you runs.")
        return True


class _Gate(RunView):
    scopes: ClassVar = {"GET": Scope.RUNS_READ}
    permission_classes = (MayWatch,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [*super().get_authenticators(), OurSession()]

    def granted(
        self, request: Request, kind: str, key: UUID, workflow: UUID
    ) -> Response:
        """An answer that holds the grant; it is for us, not for the client."""
        user, auth = cast("User", request.user), request.auth
        if isinstance(auth, ApiKey):
            by, credential = KEY, str(auth.pk)
        elif isinstance(auth, SignIn):
            by, credential = SIGN_IN, str(auth.pk)
        else:
            by, credential = SESSION, str(auth)
        response = Response()
        response.grant = Grant(  # type: ignore[attr-defined]
            user.pk, by, credential, kind, key, workflow
        )
        return response


class RunGate(_Gate):
    """Lets watch one run."""

    def get(self, request: Request, key: str) -> Response:
        """The grant. Raises ApiError 404, also for another team's."""
        runs = visible_runs(request).only("id", "workflow_id")
        run = self.find(runs, UUID(key))
        return self.granted(request, "run", run.pk, run.workflow_id)


class WorkflowGate(_Gate):
    """Lets watch the runs of a workflow."""

    def get(self, request: Request, key: str) -> Response:
        """The grant. Raises ApiError 404, also for another team's."""
        workflow = find_workflow(request, key)
        return self.granted(request, "workflow", workflow.pk, workflow.pk)


GATES: dict[str, type[_Gate]] = {"run": RunGate, "workflow": WorkflowGate}


def ask(scope: dict[str, Any], kind: str, key: str) -> Grant | HttpResponse:
    """What the gate says to this request (an ASGI scope): a grant, or the refusal."""
    request = ASGIRequest({**scope, "type": "http", "method": "GET"}, BytesIO())
    response = GATES[kind].as_view()(request, key=key)
    grant = getattr(response, "grant", None)
    if isinstance(grant, Grant):
        return grant
    if hasattr(response, "render"):
        response.render()
    return cast("HttpResponse", response)

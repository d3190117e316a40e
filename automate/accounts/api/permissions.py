"""Scopes: what a key, or a person who signed in, may do through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from automate.accounts.models import ApiKey, SignIn
from automate.accounts.scopes import may_use

if TYPE_CHECKING:
    # rest_framework.views imports this module: it is in its default settings.
    from rest_framework.views import APIView

# In a view's `scopes`: whoever has said who they are.
SIGNED_IN = ""


def has_scope(request: Request, scope: str) -> bool:
    """Whether the request's key carries the scope, or `admin`; of a person who signed
    in, whether their role does."""
    if isinstance(request.auth, ApiKey):
        return request.auth.allows(scope)
    return isinstance(request.auth, SignIn) and may_use(request.auth.user, scope)


class HasScope(BasePermission):
    """Wants the scope that the view's `scopes` names for the method.

    `scopes = {"GET": Scope.RUNS_READ}`; HEAD and OPTIONS are read as GET where the
    view has one. A view that names none for a method it serves is a programming error.
    `of_people = {"GET": "app.permission"}` names what a person needs instead, where no
    scope says it.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """False for strangers (401). Raises PermissionDenied that names the scope."""
        if request.user is None or not request.user.is_authenticated:
            return False
        scopes: dict[str, str] = getattr(view, "scopes", {})
        method = request.method or ""
        if method not in view.allowed_methods:
            return True  # the view answers 405
        if method in ("HEAD", "OPTIONS"):
            method = "GET" if "GET" in scopes else next(iter(scopes), "")
        if method not in scopes:
            name = type(view).__name__
            raise ImproperlyConfigured(f"{name}.scopes names no scope for {method}.")
        scope = scopes[method]
        needed: str = getattr(view, "of_people", {}).get(method, "")
        if needed and isinstance(request.auth, SignIn):
            if request.user.has_perm(needed):
                return True
            raise PermissionDenied(f"This needs a role that permits {needed}.")
        if scope == SIGNED_IN or has_scope(request, scope):
            return True
        if isinstance(request.auth, ApiKey):
            raise PermissionDenied(f"This needs a key with the scope {scope}.")
        raise PermissionDenied(f"This needs a role with the scope {scope}.")

"""Scopes: what a key, or a person in a browser, may do through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from automate.accounts.models import ApiKey
from automate.accounts.models.api_key import Scope

if TYPE_CHECKING:
    # rest_framework.views imports this module: it is in its default settings.
    from rest_framework.views import APIView


def has_scope(request: Request, scope: str) -> bool:
    """True when the request's key carries the scope, or `admin`."""
    return isinstance(request.auth, ApiKey) and request.auth.allows(scope)


class HasScope(BasePermission):
    """Wants the scope that the view's `scopes` names for the method.

    `scopes = {"GET": Scope.RUNS_READ}`; HEAD and OPTIONS are read as GET where the
    view has one. A view that names none for a method it serves is a programming error.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """False without a key (401). Raises PermissionDenied that names the scope."""
        if request.user is None or not request.user.is_authenticated:
            return False
        scopes: dict[str, Scope] = getattr(view, "scopes", {})
        method = request.method or ""
        if method not in view.allowed_methods:
            return True  # the view answers 405
        if method in ("HEAD", "OPTIONS"):
            method = "GET" if "GET" in scopes else next(iter(scopes), "")
        if method not in scopes:
            name = type(view).__name__
            raise ImproperlyConfigured(f"{name}.scopes names no scope for {method}.")
        if not has_scope(request, scopes[method]):
            raise PermissionDenied(f"This needs a key with the scope {scopes[method]}.")
        return True

"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from automate.accounts.api.keys import KeyDetail, KeyList
from automate.accounts.api.me import Me
from automate.accounts.api.register import Register
from automate.accounts.api.tokens import Refresh, Revoke, Token

urlpatterns: list[URLPattern] = [
    path("auth/register", Register.as_view(), name="register"),
    path("auth/token", Token.as_view(), name="token"),
    path("auth/token/refresh", Refresh.as_view(), name="token-refresh"),
    path("auth/token/revoke", Revoke.as_view(), name="token-revoke"),
    path("api-keys", KeyList.as_view(), name="key-list"),
    path("api-keys/<uuid:key_id>", KeyDetail.as_view(), name="key-detail"),
    path("users/me", Me.as_view(), name="me"),
]

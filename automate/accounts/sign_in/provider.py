"""The identity provider of the settings, asked by authlib under our guard.

OpenID Connect Core 1.0, the authorization code flow, with PKCE (RFC 7636), state and
nonce. What authlib leaves to its caller is done here: the provider must call itself
what the settings call it, a token must be for us, under a public-key signature.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.django_client import (  # type: ignore[import-untyped]
    DjangoIntegration,
    DjangoOAuth2App,
)
from authlib.integrations.requests_client import (  # type: ignore[import-untyped]
    OAuth2Session,
)
from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from automate.accounts.sign_in.errors import ProviderFailed
from automate.lib.net import Policy, guarded_session

logger = logging.getLogger(__name__)

NAME = "automate"
TIMEOUT = (5.0, 10.0)  # connect, read; seconds
SKEW = 30  # seconds that the provider's clock may differ
# Not `none`, and none whose key the provider's readers know (RFC 8725, section 3.1).
SIGNATURES = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
)  # fmt: skip
# What is used of a provider's description of itself. All else stays out: authlib would
# take `verify` or `proxies` of it for settings of the session.
ADDRESSES = (
    "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
)  # fmt: skip


class GuardedOAuth2Session(OAuth2Session):  # type: ignore[misc] # it has no types
    """Connects to permitted addresses only; follows nowhere, takes nothing from the
    environment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trust_env = False
        guarded = guarded_session(Policy(settings.ALLOWED_NETWORKS), timeout=TIMEOUT)
        for scheme in ("https://", "http://"):
            self.mount(scheme, guarded.get_adapter(scheme))

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """As requests', without redirects."""
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


class Provider(DjangoOAuth2App):  # type: ignore[misc] # it has no types
    """One provider, described by itself at its well-known address."""

    client_cls = GuardedOAuth2Session

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()

    def load_server_metadata(self) -> dict[str, Any]:
        """Its description (OpenID Connect Discovery 1.0), read once and checked before
        anybody sees it. Raises ProviderFailed.
        """
        found: dict[str, Any] = self.server_metadata
        with self._lock:
            if not found:
                found.update(self._described())
        return found

    def _described(self) -> dict[str, Any]:
        with self._get_session() as session:
            answer = session.request(
                "GET", self._server_metadata_url, withhold_token=True
            )
            if answer.status_code != HTTPStatus.OK:
                raise ProviderFailed(f"its description is a {answer.status_code}")
            found = answer.json()
        if found.get("issuer") != settings.OIDC_ISSUER:
            raise ProviderFailed(f"it calls itself {found.get('issuer')!r}")
        for name in ADDRESSES:
            address = found.get(name)
            if address is None and name == "userinfo_endpoint":
                continue
            if not isinstance(address, str) or not is_safe(address):
                raise ProviderFailed(f"its {name} is {address!r}, which is not https")
        kept = {name: found[name] for name in ADDRESSES if name in found}
        offered = found.get("id_token_signing_alg_values_supported") or SIGNATURES
        signatures = [one for one in SIGNATURES if one in offered]
        if not signatures:
            raise ProviderFailed(f"it signs with {offered!r} alone")
        return {**kept, "id_token_signing_alg_values_supported": signatures}


def is_safe(url: str) -> bool:
    """Whether what is sent there cannot be read on the way: https, or this host."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        return parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "https" and bool(parts.hostname)


def redirect_to(request: HttpRequest, back: str) -> HttpResponse:
    """To the provider, which sends the person back to this address.

    State, nonce and verifier are kept in the session. Raises ProviderFailed.
    """
    try:
        answer: HttpResponse = _provider().authorize_redirect(request, back)
    except _FAILURES as error:
        raise _failed(error) from error
    return answer


def claims_of(request: HttpRequest) -> dict[str, Any]:
    """What the provider says of the person who comes back. Raises ProviderFailed."""
    provider = _provider()
    expected = {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
    }
    try:
        token = provider.authorize_access_token(
            request, claims_options=expected, leeway=SKEW
        )
        claims = dict(token.get("userinfo") or {})
        if not claims.get("sub"):
            raise ProviderFailed("it sent no ID token")
        if "email" not in claims and provider.server_metadata.get("userinfo_endpoint"):
            more = provider.userinfo(token=token)
            if more.get("sub") != claims["sub"]:  # Core, section 5.3.2
                raise ProviderFailed("its user info is about somebody else")
            claims = {**more, **claims}
    except _FAILURES as error:
        raise _failed(error) from error
    return claims


# authlib raises RuntimeError where a description lacks something.
_FAILURES = (
    AuthlibBaseError, JoseError, requests.RequestException, ValueError, KeyError,
    TypeError, AttributeError, RuntimeError,
)  # fmt: skip


def _failed(error: Exception) -> ProviderFailed:
    logger.warning("sign-in by %s failed: %r", settings.OIDC_ISSUER, error)
    return ProviderFailed(str(error))


@lru_cache(maxsize=1)
def _provider() -> Provider:
    return Provider(
        DjangoIntegration(NAME),
        NAME,
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET or None,
        server_metadata_url=(
            f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration"
        ),
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            # A token that lives for a minute only is good for the one request.
            "leeway": 0,
        },
    )


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting.startswith("OIDC_") or setting == "ALLOWED_NETWORKS":
        _provider.cache_clear()


setting_changed.connect(_forget)

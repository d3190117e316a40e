"""Rate limits of API keys, and of the site for keys that have none of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from automate.accounts import limits
from automate.accounts.models import ApiKey
from automate.lib.errors import Code
from automate.lib.rates import Rate
from automate.lib.rest import ApiError
from automate.lib.sliding import Standing

if TYPE_CHECKING:
    # rest_framework.views imports this module: it is in its default settings.
    from rest_framework.views import APIView

POLICY = "api-key"
STANDING = "automate.standing"  # in a request's META, for the middleware


class KeyRate(BaseThrottle):
    """Counts the requests of a key, or of a person who came without one.

    DRF's own throttles count in Django's cache, which is each process' own here. A
    caller without a limit costs no query.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """True, or raises ApiError 429 that says when to come back."""
        scope, rate = limit_of(request)
        if rate is None:
            return True
        standing = limits.take(scope, rate)
        request._request.META[STANDING] = standing
        if not standing.allowed:
            raise refusal(standing, POLICY)
        return True


def limit_of(request: Request) -> tuple[str, Rate | None]:
    """Whose requests are counted, and the limit; None for strangers and without one."""
    site: Rate | None = settings.API_RATE
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.pk}", request.auth.rate or site
    if request.user is None or not request.user.is_authenticated:
        return "", None
    return f"user:{request.user.pk}", site


def refusal(standing: Standing, policy: str) -> ApiError:
    """The 429."""
    return ApiError(
        429,
        Code.RATE_LIMITED,
        f"You may make {standing.rate} requests; come back in {standing.wait} s.",
        headers=standing.headers(policy),
    )

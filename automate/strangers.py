"""Callers of the API who cannot say who they are: limited by their address."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from automate.accounts import limits
from automate.accounts.api.throttling import refusal
from automate.lib.proxies import source_ip
from automate.lib.rates import Rate
from automate.lib.rest import ApiError

POLICY = "unauthenticated"


def over_limit(request: HttpRequest) -> ApiError | None:
    """Count one more refused caller; the 429 when its address has had too many 401s.

    Only refused requests count, so that a valid key works whoever its neighbours are.
    None too when the database cannot count: a 401 must not depend on it.
    """
    rate: Rate | None = settings.API_STRANGER_RATE
    sender = source_ip(
        request.META.get("REMOTE_ADDR", ""),
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.TRUSTED_PROXIES,
    )
    if rate is None or sender is None:
        return None
    try:
        standing = limits.take(f"stranger:{_network(sender)}", rate)
    except DatabaseError:
        return None
    return None if standing.allowed else refusal(standing, POLICY)


def _network(sender: str) -> str:
    """The address; of IPv6 the /64, within which one host may choose at will."""
    if ipaddress.ip_address(sender).version == 4:
        return sender
    return str(ipaddress.ip_network(f"{sender}/64", strict=False))

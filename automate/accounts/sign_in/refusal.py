"""What somebody is told who has failed to sign in too often."""

from __future__ import annotations

import math
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from automate.accounts.sign_in import oauth
from automate.accounts.sign_in.failures import account_of, client_address, locked_until
from automate.lib.errors import Code, encode_error


def locked_out(
    request: HttpRequest, _response: HttpResponse | None, credentials: Any
) -> HttpResponse:
    """429 with Retry-After: a page, or the API's error. The same for every account."""
    account = account_of(request, credentials)
    left = locked_until(client_address(request), account) - timezone.now()
    seconds = max(1, math.ceil(left.total_seconds()))
    minutes = math.ceil(seconds / 60)
    message = f"Too many sign-ins have failed. Try again in {minutes} minute(s)."
    if request.path.startswith("/api/") and oauth.is_form(request):
        response = oauth.answer(request, 429, Code.RATE_LIMITED, message)
    elif request.path.startswith("/api/"):
        body, kind = encode_error(
            Code.RATE_LIMITED, message, 429, accept=request.headers.get("Accept", "")
        )
        response = HttpResponse(body, status=429, content_type=kind)
    else:
        context = {
            "title": "Too many failed sign-ins",
            "site_title": "Automate",
            "site_header": "Automate",
            "minutes": minutes,
        }
        response = render(request, "admin/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response

"""With DEBUG on, Django shows pages where programs need the API's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from automate.api import bad_request, for_machines, not_found, server_error

CRASHED = "automate_crashed"


class ErrorsForPrograms:
    """Gives programs the same errors with DEBUG as without; people keep the pages.

    It stands before all others, which may fail too. The log tells the cause either way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.DEBUG:
            raise MiddlewareNotUsed
        self._get_response = get_response
        got_request_exception.connect(_crashed, dispatch_uid=CRASHED)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if isinstance(response, HttpResponse) and for_machines(request):
            found = _in_place_of_a_page(request, response.status_code)
            if found is not None:  # the headers of the others stay
                response.content = found.content
                response.headers["Content-Length"] = str(len(found.content))
                for name in ("Content-Type", "Vary"):
                    response.headers[name] = found.headers[name]
        return response

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        """What a view did not find is told here; Django goes on with the rest."""
        if isinstance(error, Http404) and for_machines(request):
            return not_found(request, error)
        return None


def _crashed(request: HttpRequest | None = None, **_: Any) -> None:
    """Django sends this for what nobody caught, from whichever layer."""
    if request is not None:
        setattr(request, CRASHED, True)


def _in_place_of_a_page(request: HttpRequest, status: int) -> HttpResponse | None:
    if status == 500 and hasattr(request, CRASHED):
        return server_error(request)
    if status == 404:  # an event's own answer may be one too
        try:
            resolve(request.path_info)
        except Resolver404 as error:
            return not_found(request, error)
    if status == 400:
        try:
            request.get_host()
        except DisallowedHost as error:
            return bad_request(request, error)
    return None

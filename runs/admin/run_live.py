"""What keeps the page of a run up to date where the stream cannot be reached."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from automate.accounts.admin.base import ReadOnlyAdmin
from runs.stream.look import stamp_of

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = ReadOnlyAdmin


class RunLive(_Base):
    """The address that says whether a run is as it was."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the state."""
        view = self.admin_site.admin_view(self.state_view)
        name = "runs_run_state"
        return [path("<uuid:pk>/state/", view, name=name), *super().get_urls()]

    @method_decorator(require_safe)
    def state_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """200 with an ETag of the run's state; 304 for who knows it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        seen = self.get_queryset(request).filter(pk=pk).exists()
        stamp = stamp_of(pk) if seen else None
        if stamp is None:
            raise Http404("No such run.")
        etag = f'"{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"'
        response = HttpResponse(headers={"ETag": etag, "Cache-Control": "no-cache"})
        return (
            get_conditional_response(request, etag=etag, response=response) or response
        )

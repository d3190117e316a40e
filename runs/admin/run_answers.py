"""Answering a waiting step from the admin: approve, reject, resume with data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import page_of
from automate.lib import jsonio
from runs import services
from runs.services import Decision, Given

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = ReadOnlyAdmin

DONE = {
    Decision.APPROVED: "Approved. The run goes on.",
    Decision.REJECTED: "Rejected. The run goes on without it.",
    Decision.RECEIVED: "Resumed. The run goes on with these data.",
    Decision.HAPPENED: "The step is done. The run goes on.",
    Decision.NOT_HAPPENED: "The request is sent again.",
    Decision.GAVE_UP: "The step has failed.",
}


class RunAnswers(_Base):
    """The answers that the page of a run takes for its waiting steps."""

    def has_answer_permission(self, request: HttpRequest) -> bool:
        """Whether this person may answer steps that wait."""
        return request.user.has_perm("runs.answer_waittoken")

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of answers."""
        view = self.admin_site.admin_view(self.answer_view)
        name = "runs_run_answer"
        return [
            path("<uuid:pk>/answer/<str:node_id>/", view, name=name),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @method_decorator(csrf_protect)
    def answer_view(self, request: HttpRequest, pk: UUID, node_id: str) -> HttpResponse:
        """Answer the step, and show the run; a refusal is told on its page."""
        if not self.has_answer_permission(request):
            raise PermissionDenied
        run = self._one(request, pk)
        by: Any = request.user
        try:
            given = _given(request)
            services.resume(run.pk, node_id, given, by=by)
        except (services.RunServiceError, jsonio.BadJSON) as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, DONE[given.decision], messages.SUCCESS)
        return HttpResponseRedirect(page_of(run))


def _given(request: HttpRequest) -> Given:
    """The answer that the form holds. Raises BadJSON with what is wrong."""
    decision = request.POST.get("decision", "")
    if decision not in Decision.values:
        raise jsonio.BadJSON("Choose one of the answers.")
    comment = request.POST.get("comment", "")
    if decision not in (Decision.RECEIVED, Decision.HAPPENED):
        return Given(Decision(decision), comment=comment)
    text = request.POST.get("data", "").strip()
    if text:
        try:
            jsonio.loads(text)
        except jsonio.BadJSON as error:
            raise jsonio.BadJSON(f"The data are not JSON: {error.message}.") from None
    return Given(
        Decision(decision),
        comment=comment if decision == Decision.HAPPENED else "",
        body=text.encode(),
        content_type="application/json",
    )

"""Repairing runs from the admin: a page that asks, and a POST that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts import audit
from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import list_of, page_of
from runs import services
from runs.admin.run_page import exact
from runs.models import Run

if TYPE_CHECKING:
    _Base = ReadOnlyAdmin
else:
    _Base = object

AT_ONCE = 200
REASON = 500  # characters
VERSIONS = ("pinned", "latest")
csrf_checked = method_decorator(csrf_protect)


@dataclass(frozen=True, slots=True)
class Verb:
    """What is about to be done: its words, and the action that does it."""

    action: str
    title: str
    button: str
    is_redrive: bool = True
    start: str = "start"


FROM_START = Verb("redrive_from_start", "Redrive from the start", "Redrive")
FROM_FAILED = Verb(
    "redrive_from_failed", "Redrive from the failed step", "Redrive", start="failed"
)
CANCEL = Verb("cancel_runs", "Cancel", "Cancel the run", is_redrive=False)


class RunVerbs(_Base):
    """The verbs of the run admin: on one run's page, and on selected runs."""

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Whether this person may redrive runs."""
        return request.user.has_perm("runs.redrive_run")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether this person may cancel runs."""
        return request.user.has_perm("runs.cancel_run")

    def has_payload_permission(self, request: HttpRequest) -> bool:
        """Whether this person may read exact payloads."""
        return request.user.has_perm("runs.read_payloads")

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and those of the verbs."""
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/cancel/", wrap(self.cancel_view), name="runs_run_cancel"),
            path(
                "<uuid:pk>/payload/", wrap(self.payload_view), name="runs_run_payload"
            ),
            *super().get_urls(),
        ]

    # --- one run --------------------------------------------------------------

    @csrf_checked
    def cancel_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """GET asks, POST cancels."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        run = self._one(request, pk)
        if request.method != "POST":
            return self._ask(request, CANCEL, [run])
        return self._attempt(request, run, lambda: self._cancelled(request, run))

    @method_decorator(require_POST)
    @csrf_checked
    def payload_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The exact payload, after an audit entry; POST only, because it writes one."""
        if not self.has_payload_permission(request):
            raise PermissionDenied
        run = self._one(request, pk)
        by: Any = request.user
        audit.record("run.read_payload", run, by=by)
        context = {
            **self.admin_site.each_context(request),
            "title": "Exact payload",
            "subtitle": None,
            "opts": self.opts,
            "run": run,
            "parts": exact(run),
        }
        response = TemplateResponse(request, "admin/runs/run/payload.html", context)
        response.headers["Cache-Control"] = "no-store, private"
        return response

    # --- selected runs --------------------------------------------------------

    @admin.action(description="Redrive from the start", permissions=["redrive"])
    def redrive_from_start(
        self, request: HttpRequest, queryset: QuerySet[Run]
    ) -> HttpResponse | None:
        """Redrive each selected run from its first step."""
        return self._redrive_many(request, queryset, FROM_START)

    @admin.action(description="Redrive from the failed step", permissions=["redrive"])
    def redrive_from_failed(
        self, request: HttpRequest, queryset: QuerySet[Run]
    ) -> HttpResponse | None:
        """Redrive each selected run from the step that failed."""
        return self._redrive_many(request, queryset, FROM_FAILED)

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_runs(
        self, request: HttpRequest, queryset: QuerySet[Run]
    ) -> HttpResponse | None:
        """Cancel each selected run that has not ended."""
        by: Any = request.user
        why = _reason(request)
        return self._many(
            request,
            queryset,
            CANCEL,
            lambda run: services.cancel(run, by=by, reason=why),
        )

    # --- inside ---------------------------------------------------------------

    def _one(self, request: HttpRequest, pk: UUID) -> Run:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run: Run | None = self.get_queryset(request).filter(pk=pk).first()
        if run is None:
            raise Http404("No such run.")
        return run

    def _attempt(
        self, request: HttpRequest, run: Run, work: Callable[[], HttpResponse]
    ) -> HttpResponse:
        """What the verb answers; a refusal is told on the run's page."""
        try:
            return work()
        except services.RunServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(page_of(run))

    def _cancelled(self, request: HttpRequest, run: Run) -> HttpResponse:
        by: Any = request.user
        if services.cancel(run, by=by, reason=_reason(request)):
            self.message_user(request, "The run is cancelled.", messages.SUCCESS)
        else:
            self.message_user(request, "The run had ended already.", messages.WARNING)
        return HttpResponseRedirect(page_of(run))

    def _redrive_many(
        self, request: HttpRequest, queryset: QuerySet[Run], verb: Verb
    ) -> HttpResponse | None:
        by: Any = request.user
        version = _version(request)
        return self._many(
            request,
            queryset,
            verb,
            lambda run: services.redrive(run, by=by, start=verb.start, version=version),
        )

    def _many(
        self,
        request: HttpRequest,
        queryset: QuerySet[Run],
        verb: Verb,
        work: Callable[[Run], object],
    ) -> HttpResponse | None:
        """Ask first; when it was confirmed, do it and say what came of it."""
        runs = list(queryset[: AT_ONCE + 1])
        if len(runs) > AT_ONCE:
            note = f"Select at most {AT_ONCE} runs at once."
            if verb.is_redrive:
                note += " For more there is “Redrive all that match”."
            self.message_user(request, note, messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return self._ask(request, verb, runs)
        done, refused = 0, []
        for run in runs:
            try:
                done += bool(work(run))
            except services.RunServiceError as error:
                refused.append(error.message)
        self._tell(request, verb, done, len(runs) - done, refused)
        return None

    def _tell(
        self, request: HttpRequest, verb: Verb, done: int, left: int, why: list[str]
    ) -> None:
        if done:
            word = "redriven" if verb.is_redrive else "cancelled"
            self.message_user(request, f"{done} run(s) {word}.", messages.SUCCESS)
        if left:
            reason = why[0] if why else "They had ended already."
            note = f"{left} run(s) left as they were. {reason}"
            self.message_user(request, note, messages.WARNING)

    def _ask(
        self, request: HttpRequest, verb: Verb, runs: Iterable[Run]
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": verb.title,
            "subtitle": None,
            "opts": self.opts,
            "verb": verb,
            "runs": list(runs),
            "is_list": "action" in request.POST,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "list_url": list_of(Run),
        }
        return TemplateResponse(request, "admin/runs/run/confirm.html", context)


def _version(request: HttpRequest) -> str:
    given = request.POST.get("version", "")
    return given if given in VERSIONS else "pinned"


def _reason(request: HttpRequest) -> str:
    """Why, as the form says; empty when it says nothing."""
    return request.POST.get("reason", "").strip()[:REASON]

"""The admin site: its pages, its order, and what it says to do next."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.template.response import TemplateResponse

import automate.accounts.admin
import runs.admin
import webhooks.admin
import workflows.admin
from automate import next_steps
from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.names import list_name
from automate.accounts.admin.sign_in import SignInSite
from automate.accounts.models import AuditEntry

ORDER = ("runs", "workflows", "webhooks", "accounts", "auth", "django_q")

# Within an app the alphabet decides, after these.
FIRST = (
    "Run", "WaitToken", "Campaign", "StepRun", "DeliveryAttempt", "RunLog", "Workflow",
    "Trigger", "User",
)  # fmt: skip


class AutomateSite(SignInSite):
    """The operator's room."""

    site_header = "Automate"
    site_title = "Automate"
    index_title = "Overview"
    site_url = None
    # The bar at the top leaves lists the width that the side bar would take.
    enable_nav_sidebar = False
    empty_value_display = "–"  # noqa: RUF001 - a dash for "nothing"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The overview: what to do next, what runs, what changed lately."""
        return super().index(
            request, {**self._overview(request), **(extra_context or {})}
        )

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[Any]:
        """The apps in the order in which an operator needs them."""
        found = super().get_app_list(request, app_label)
        for app in found:
            for model in app["models"]:
                model["name"] = list_name(model["model"]._meta)
            app["models"].sort(key=lambda model: _place(FIRST, model["object_name"]))
        return sorted(found, key=lambda app: _place(ORDER, app["app_label"]))

    def _overview(self, request: HttpRequest) -> dict[str, Any]:
        changes: list[AuditEntry] = []
        if request.user.has_perm("accounts.view_auditentry"):
            seen = self._registry[AuditEntry].get_queryset(request)
            entries = seen.select_related("user", "api_key")
            changes = list(entries[:10])
        return {
            "next_steps": next_steps.of(request.user),
            "figures": next_steps.figures(request.user),
            "recent_changes": changes,
        }


def _place(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


class TaskAdmin(ReadOnlyAdmin):
    """django-q2's finished tasks. Their arguments are pickles, which no page opens."""

    list_display = ("name", "func", "group", "started", "stopped", "attempt_count")
    list_filter = ("started",)
    search_fields = ("name", "func")
    fields = ("id", "name", "func", "group", "started", "stopped", "attempt_count")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Finished tasks without their pickled columns."""
        rows = super().get_queryset(request)
        return rows.defer("args", "kwargs", "result", "hook")


class ScheduleAdmin(ReadOnlyAdmin):
    """django-q2's schedules: the site's own maintenance."""

    list_display = ("name", "func", "schedule_type", "minutes", "cron", "next_run")
    search_fields = ("name", "func")
    fields = list_display


class QueueAdmin(ReadOnlyAdmin):
    """django-q2's queue of ordinary tasks; the work of runs has a table of its own."""

    list_display = ("id", "key", "lock")
    fields = list_display
    ordering = ("id",)


site = AutomateSite()
for package in (
    automate.accounts.admin,
    workflows.admin,
    runs.admin,
    webhooks.admin,
):
    package.register(site)
# By name: only the broker and the tasks import django-q2 (pyproject.toml).
for name, page in (
    ("Success", TaskAdmin),
    ("Failure", TaskAdmin),
    ("Schedule", ScheduleAdmin),
    ("OrmQ", QueueAdmin),
):
    site.register(apps.get_model("django_q", name), page)

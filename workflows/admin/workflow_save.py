"""Saving a workflow's page: everything goes through `workflows.services`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join

from automate.accounts import audit
from automate.accounts.admin.base import AuditedAdmin
from workflows import services
from workflows.admin.pasted import entries_of
from workflows.admin.triggers import save_trigger, show_once
from workflows.definition import Problem
from workflows.models import Trigger, Workflow
from workflows.services.by_hand import document_of, entry_of

if TYPE_CHECKING:
    _Base = AuditedAdmin
else:
    _Base = object


class WorkflowSaving(_Base):
    """How the workflow admin saves: workflow, triggers, draft, and perhaps publish."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """As Django's; what the services refuse is told, and nothing is saved."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except services.WorkflowServiceError as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(
        self,
        request: HttpRequest,
        obj: Workflow,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Make a new workflow; of an old one, what no document may change."""
        by: Any = request.user
        data = form.cleaned_data
        if not change:
            document = {**form.meta(data), "slug": data["slug"]}
            document["definition"] = data["definition"]
            made = services.create_workflow(
                document, by=by, team=data.get("team"), publish=False
            )
            obj.__dict__.update(made.workflow.__dict__)
            return
        moved = {
            name: data[name] for name in ("slug", "team") if name in form.changed_data
        }
        if moved:
            Workflow.objects.filter(pk=obj.pk).update(**moved)
            shown = {name: str(value) for name, value in moved.items()}
            audit.record("workflow.change", obj, by=by, changes=shown)

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Save the triggers, each with its secret and its audit entry."""
        if formset.model is not Trigger:
            super().save_formset(request, form, formset, change)
            return
        by: Any = request.user
        saved = formset.save(commit=False)
        forms = {id(one.instance): one for one in formset.forms}
        for gone in formset.deleted_objects:
            audit.record("trigger.delete", gone, by=by)
            gone.delete()
        for trigger in saved:
            save_trigger(request, forms[id(trigger)], trigger)

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Triggers first, then the draft that names them, then perhaps publish."""
        super().save_related(request, form, formsets, change)
        workflow: Workflow = form.instance
        by: Any = request.user
        data = form.cleaned_data
        document = document_of(workflow, data["definition"], **form.meta(data))
        document["triggers"] = self._triggers(workflow, form)
        self.tell(request, form.notes, messages.WARNING)
        result = services.save_draft(workflow, document, by=by)
        self.tell(request, result.messages, messages.WARNING)
        if "_publish" in request.POST and self.has_publish_permission(request):  # type: ignore[attr-defined]
            self.publish(request, workflow)
            return
        self.tell(request, result.warnings, messages.WARNING)
        if result.problems:
            note = "The draft is saved. Before it can be published:"
            self.tell(request, result.problems, messages.WARNING, note)

    def _triggers(self, workflow: Workflow, form: Any) -> list[dict[str, Any]]:
        """The rows' and those that were pasted, which go before the rows they name."""
        rows = list(Trigger.objects.filter(workflow=workflow).order_by("id"))
        pasted, claimed = entries_of(form.pasted, rows)
        kept = [entry_of(row) for row in rows if row.pk not in claimed]
        return [*kept, *pasted]

    def publish(self, request: HttpRequest, workflow: Workflow) -> None:
        """Publish the stored draft and say what came of it."""
        by: Any = request.user
        try:
            done = services.publish_in_full(workflow, by=by)
        except services.WorkflowServiceError as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return
        word = "is published" if done.is_new else "was published already"
        note = f"{workflow}: {done.version} {word}."
        self.message_user(request, note, messages.SUCCESS)
        self.tell(request, [*done.messages, *done.warnings], messages.WARNING)
        rows = {trigger.pk: trigger for trigger in done.triggers}
        for pk, secret in done.new_secrets.items():
            show_once(request, rows[pk], secret)

    def tell(
        self, request: HttpRequest, problems: Any, level: int, note: str = ""
    ) -> None:
        """One message for all of them, each with its place if it has one."""
        if problems:
            self.message_user(request, listed(note, problems), level)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Stay on the page: it shows the trigger's address now."""
        stay(request)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Stay on the page after “Save and publish”."""
        if "_publish" in request.POST:
            stay(request)
        return super().response_change(request, obj)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """The services have kept it already."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """The services have kept it already."""


def stay(request: HttpRequest) -> None:
    """As if “Save and continue editing” had been pressed."""
    given = request.POST.copy()
    given["_continue"] = "1"
    request.POST = given  # type: ignore[assignment]


def refusal(error: services.WorkflowServiceError) -> str:
    """What a service refused, every problem with its place."""
    if isinstance(error, services.DocumentError):
        return listed("Not published:", error.problems)
    return error.message


def listed(note: str, problems: Any) -> str:
    """A sentence and a list of problems, or one problem alone."""
    texts = [
        one
        if isinstance(one, str)
        else str(Problem(one.path.removeprefix("definition."), one.message))
        for one in dict.fromkeys(problems)
    ]
    if not note and len(texts) == 1:
        return texts[0]
    items = format_html_join("", "<li>{}</li>", ((text,) for text in texts))
    return format_html("{}<ul>{}</ul>", note, items)

"""The form of a workflow: its draft as JSON, every problem told at the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from workflows import services
from workflows.admin.fields import LinesField, StrictJSONField
from workflows.admin.triggers import META
from workflows.definition import Problem
from workflows.models import Workflow

EXAMPLE: dict[str, Any] = {
    "nodes": [
        {
            "id": "notify",
            "type": "http_request",
            "name": "Tell another system",
            "config": {
                "method": "POST",
                "url": "https://example.com/hook",
                "headers": {"Content-Type": "application/json"},
                "body": {"event": "{{ trigger.id }}", "data": "{{ trigger.payload }}"},
            },
        }
    ]
}
IN_FORM = "Triggers are edited below, each in its own form: leave them out here."
CHANGED = (
    "Somebody else saved this workflow in the meantime. Open it again in another tab, "
    "compare, and repeat your change."
)
HELP = (
    "Steps run in the order of their connections; one step needs none. "
    "{{ trigger.payload }} is what arrived, {{ steps.ID.body }} what a step got, "
    "{{ secrets.NAME }} a secret."
)


class WorkflowForm(forms.ModelForm):  # type: ignore[type-arg]
    """A workflow and its draft; `document` is what the services save."""

    definition = StrictJSONField(label="Draft", help_text=HELP)
    tags = LinesField(required=False, help_text="One a line.")
    search_keys = StrictJSONField(
        rows=3,
        required=False,
        help_text='At most 3 names with an expression each: {"order": '
        '"{{ trigger.payload.order.id }}"}.',
    )
    seen_edit = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Workflow
        fields = ("name", "slug", "description", "team", *META[2:], "definition")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.definition or EXAMPLE
        shown = {key: value for key, value in stored.items() if key != "triggers"}
        self.initial["definition"] = shown
        self.initial["seen_edit"] = self.instance.edit_count

    @property
    def publishes(self) -> bool:
        """Whether “Save and publish” was pressed: then problems stand in the way."""
        return "_publish" in self.data

    def clean(self) -> dict[str, Any]:
        """The draft read as a document; its problems stand at the field."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance._state.adding:
            seen = data.get("seen_edit")
            if seen is not None and seen != self.instance.edit_count:
                raise forms.ValidationError(CHANGED)
        data["search_keys"] = data.get("search_keys") or {}
        definition = data.get("definition")
        if definition is not None:
            self._check(definition, data)
        return data

    def meta(self, data: dict[str, Any]) -> dict[str, Any]:
        """The document's keys beside its definition."""
        return {name: data.get(name) for name in META}

    def _check(self, definition: Any, data: dict[str, Any]) -> None:
        if not isinstance(definition, dict):
            self.add_error("definition", 'Write an object: {"nodes": [...]}.')
            return
        document = {**self.meta(data), "definition": definition}
        try:
            parsed = services.parse_document(
                document, allow_problems=not self.publishes
            )
        except services.DocumentError as error:
            self._tell(error.problems)
            return
        if parsed.names_triggers:
            self.add_error("definition", IN_FORM)

    def _tell(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            head = problem.path.split(".")[0].split("[")[0]
            if head in self.fields and head != "definition":
                self.add_error(head, str(problem))
            else:
                self.add_error("definition", at(problem))


def at(problem: Problem) -> str:
    """A problem with its place as it stands in the box."""
    return str(Problem(problem.path.removeprefix("definition."), problem.message))


def problems_of(workflow: Workflow) -> list[str]:
    """What stands in the way of publishing the stored draft."""
    found = services.check_document({"definition": workflow.definition})
    return [at(problem) for problem in found]

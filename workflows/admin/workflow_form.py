"""The form of a workflow: its draft as JSON, every problem told at the field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django import forms

from workflows import services
from workflows.admin.fields import LinesField, StrictJSONField
from workflows.admin.pasted import filled, taken_apart
from workflows.admin.triggers import META
from workflows.definition import Problem
from workflows.models import Workflow
from workflows.services.by_hand import entry_of
from workflows.services.documents import TriggerSpec

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
CHANGED = (
    "Somebody else saved this workflow in the meantime. Open it again in another tab, "
    "compare, and repeat your change."
)
HELP = (
    "Steps run in the order of their connections; one step needs none. "
    "{{ trigger.payload }} is what arrived, {{ steps.ID.body }} what a step got, "
    "{{ secrets.NAME }} a secret. A whole document may stand here too."
)


class WorkflowForm(forms.ModelForm):  # type: ignore[type-arg]
    """A workflow and its draft.

    In the box a whole document may stand too: its name and the like fill the fields
    that are empty (`notes` tell what they did not), its triggers are `pasted`.
    """

    use_required_attribute = False  # a document in the box brings the name

    definition = StrictJSONField(label="Draft", help_text=HELP)
    tags = LinesField(required=False, help_text="One a line.")
    search_keys = StrictJSONField(
        rows=3,
        required=False,
        help_text='At most 3 names with an expression each: {"order": '
        '"{{ trigger.payload.order.id }}"}.',
    )
    exclusive = forms.CharField(
        required=False,
        max_length=4_096,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="An expression that is read when an event arrives: runs of equal "
        "values never overlap, and go in the order of their arrival. "
        "{{ trigger.payload.customer }}",
    )
    seen_edit = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Workflow
        fields = ("name", "slug", "description", "team", *META[2:], "definition")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pasted: tuple[TriggerSpec, ...] = ()
        self.notes: list[str] = []
        self.wrong: list[Problem] = []
        if self.is_bound:
            self.data, self.wrong, self.notes = filled(self.data, self.fields)
        stored = self.instance.definition or EXAMPLE
        shown = {key: value for key, value in stored.items() if key != "triggers"}
        if waiting := self._without_row(stored.get("triggers", [])):
            shown["triggers"] = waiting
        self.initial["definition"] = shown
        self.initial["seen_edit"] = self.instance.edit_count
        if "priority" in self.fields:
            self.fields["priority"].required = False

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
                self.add_error(None, CHANGED)
        data["search_keys"] = data.get("search_keys") or {}
        self._check(data.get("definition"), data)
        return data

    def clean_priority(self) -> int:
        """As it was, or normal, when a client leaves it out."""
        chosen = self.cleaned_data.get("priority")
        return self.instance.priority if chosen is None or chosen == "" else int(chosen)

    def meta(self, data: dict[str, Any]) -> dict[str, Any]:
        """The document's keys beside its definition."""
        return {name: data.get(name) for name in META}

    def _check(self, definition: Any, data: dict[str, Any]) -> None:
        """Tell what is wrong; a draft that is no JSON does not hide the rest."""
        if definition is None:
            definition = EXAMPLE
        elif not isinstance(definition, dict):
            self.add_error("definition", 'Write an object: {"nodes": [...]}.')
            definition = EXAMPLE
        told = frozenset(self.errors)
        meta = {key: value for key, value in self.meta(data).items() if key not in told}
        document, _ = taken_apart(definition)
        try:
            parsed = services.parse_document(
                {**document, **meta}, allow_problems=not self.publishes
            )
        except services.DocumentError as error:
            self._tell([*self.wrong, *error.problems], told)
            return
        if self.wrong:
            self._tell(self.wrong, told)
        self.pasted = parsed.triggers
        data["definition"] = parsed.definition

    def _without_row(self, entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The draft's triggers that nobody has published: they stay in the box."""
        if self.instance._state.adding or not entries:
            return []
        rows = [entry_of(row) for row in self.instance.triggers.all()]
        known = {name for row in rows if (name := _name_of(row))}
        return [
            entry
            for entry in entries
            if entry not in rows and _name_of(entry) not in known and _name_of(entry)
        ]

    def _tell(self, problems: Iterable[Problem], told: Collection[str]) -> None:
        for problem in problems:
            head = problem.path.split(".")[0].split("[")[0]
            if head in told:
                continue
            if head in self.fields and head != "definition":
                self.add_error(head, str(problem))
            elif "definition" not in told:
                self.add_error("definition", at(problem))


def _name_of(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """What tells a trigger from others of its kind; None for nothing."""
    name = entry.get("node_id") or entry.get("config", {}).get("path")
    return (str(entry.get("kind")), str(name)) if name else None


def at(problem: Problem) -> str:
    """A problem with its place as it stands in the box."""
    return str(Problem(problem.path.removeprefix("definition."), problem.message))


def problems_of(workflow: Workflow) -> list[str]:
    """What stands in the way of publishing the stored draft."""
    document = {"definition": workflow.definition}
    found = services.validate_document(document, workflow)
    return [at(problem) for problem in found.problems]

"""Form fields of the workflow pages."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from automate.lib import jsonio
from workflows.services.owned import bad_host

SET, NOT_SET = "Is set. Empty keeps it.", "Not set yet."


class WriteOnlyField(forms.CharField):
    """A value that goes in and is never rendered back; empty keeps what there is."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "new-password", "class": "vTextField"}
        kwargs.setdefault("widget", forms.PasswordInput(attrs=attrs))
        kwargs.setdefault("required", False)
        kwargs.setdefault("strip", False)
        kwargs.setdefault("max_length", 100_000)
        super().__init__(**kwargs)

    def describe(self, *, is_set: bool) -> None:
        """Say whether a value is there; where none is, one is required."""
        self.help_text = SET if is_set else NOT_SET
        self.required = not is_set


class BlindText(forms.Textarea):
    """A large box for what goes in and is never rendered back, not after an error."""

    def format_value(self, value: Any) -> str:  # noqa: ARG002 - that is the point
        """Nothing."""
        return ""


class LinesField(forms.CharField):
    """A list of texts, written one a line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3, "cols": 40}))
        kwargs.setdefault("max_length", 20_000)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """One a line."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The lines that are not empty."""
        if isinstance(value, list):
            return value
        lines = (line.strip() for line in (value or "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the list differs."""
        return bool(self.to_python(initial or []) != self.to_python(data))


class HostsField(LinesField):
    """Host names, one a line, with `*.` in front for those below a domain."""

    def clean(self, value: Any) -> list[str]:
        """The hosts. Raises ValidationError for an address or a port."""
        hosts: list[str] = super().clean(value)
        for host in hosts:
            wrong = bad_host(host)
            if wrong:
                raise forms.ValidationError(wrong)
        return [host.lower() for host in hosts]


class StrictJSONField(forms.CharField):
    """A JSON value in a large monospaced box; says line and column of an error.

    Cleans to the value. What was typed stays in the box when it is wrong.
    """

    def __init__(self, rows: int = 24, **kwargs: Any) -> None:
        attrs = {"rows": rows, "cols": 80, "class": "vLargeTextField json-text"}
        attrs["spellcheck"] = "false"
        kwargs.setdefault("widget", forms.Textarea(attrs=attrs))
        kwargs.setdefault("strip", False)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """JSON over several lines; a text that was typed stays as it is."""
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        """The parsed value. Raises ValidationError with the place of the error."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return jsonio.loads(value)
        except jsonio.BadJSON as error:
            where = _line_and_column(value, getattr(error, "position", None))
            raise forms.ValidationError(f"This is not JSON{where}: {error}") from error

    def validate(self, value: Any) -> None:
        """Required means that something was typed."""
        if self.required and value is None:
            raise forms.ValidationError(self.error_messages["required"])

    def run_validators(self, value: Any) -> None:
        """Validators of texts do not apply to a value."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the value differs, however it is laid out."""
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except forms.ValidationError:
            return True


def _line_and_column(text: str, position: int | None) -> str:
    if position is None:
        return ""
    before = text[:position]
    line = before.count("\n") + 1
    return f" (line {line}, column {position - before.rfind(chr(10))})"

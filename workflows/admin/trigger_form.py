"""The form of one trigger: its config field by field, its secret typed in blind."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms

from workflows.admin.fields import LinesField, StrictJSONField, WriteOnlyField
from workflows.admin.trigger_kinds import kinds_with, options_help
from workflows.admin.triggers import secret_state
from workflows.definition import Problem
from workflows.models import Trigger
from workflows.triggers.base import TriggerKind, all_kinds, problems_of
from workflows.triggers.schemes import SCHEMES

# Config keys that have a field of their own; the rest is JSON in `more`.
OWN = ("scheme", "events", "path", "rate_limit", "cron", "timezone", "catch_up")
OF_SENDERS = ("scheme", "path", "events", "rate_limit", "new_secret", "generate")
OF_THE_CLOCK = ("cron", "timezone", "catch_up")
MOST_LINES = 16
ASK = "Say how senders prove who they are; “No signature” lets anybody in."


class TriggerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A trigger; `cleaned_config` is what its kind made of the fields."""

    kind = forms.ChoiceField(choices=())
    scheme = forms.ChoiceField(
        choices=(), required=False, label="Signature scheme", help_text=ASK
    )
    path = forms.CharField(
        required=False,
        max_length=200,
        help_text="A readable address besides the unguessable one: github/push.",
    )
    events = LinesField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 40}),
        help_text="Names or patterns, one a line: push, pull_request.*. Empty: all.",
    )
    rate_limit = forms.CharField(
        required=False,
        max_length=20,
        help_text="Events that it takes: 10/s, 100/m, 1000/h; more are answered 429. "
        "Empty: any number.",
    )
    cron = forms.CharField(
        required=False,
        max_length=200,
        help_text="A schedule: minute, hour, day, month, weekday, as 30 7 * * MON-FRI.",
    )
    timezone = forms.CharField(
        required=False,
        max_length=60,
        label="Time zone",
        help_text="Europe/Berlin. Empty: UTC.",
    )
    catch_up = forms.ChoiceField(
        choices=(
            ("", "the latest one (the usual)"),
            ("skip", "skip them"),
            ("one", "the latest one"),
            ("all", "all in order, 100 at most"),
        ),
        required=False,
        label="Missed moments",
        help_text="What to do about those that passed while nothing ran.",
    )
    new_secret = WriteOnlyField(label="Signing secret")
    generate = forms.BooleanField(
        required=False,
        label="Generate a secret",
        help_text="It is shown once, after saving. The one before works for a day.",
    )
    more = StrictJSONField(
        rows=2,
        required=False,
        label="Further options",
    )

    class Meta:
        model = Trigger
        fields = ("kind", "is_active", "path")

    class Media:
        js = ("automate/trigger.js",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config = dict(self.instance.config or {})
        self.cleaned_config: dict[str, Any] = config
        self._choices()
        self._tell_kinds()
        if self.instance._state.adding:
            self.initial["kind"] = self.initial.get("kind") or "webhook"
        for name in ("scheme", "rate_limit", "cron", "timezone", "catch_up"):
            self.initial.setdefault(name, config.get(name, ""))
        self.initial.setdefault("events", config.get("events", []))
        more = {key: value for key, value in config.items() if key not in OWN}
        self.initial.setdefault("more", more or "")
        if more and "more" in self.fields:
            lines = self.fields["more"].prepare_value(more).count("\n") + 2
            self.fields["more"].widget.attrs["rows"] = min(lines, MOST_LINES)
        if "new_secret" in self.fields:
            self.fields["new_secret"].help_text = secret_state(self.instance)

    def _tell_kinds(self) -> None:
        """Which kinds a box is for; trigger.js hides the others."""
        kinds = all_kinds().values()
        addressed = " ".join(kind.kind for kind in kinds if kind.addressed)
        timed = " ".join(
            kind.kind
            for kind in kinds
            if "cron" in kind.config_schema.get("properties", {})
        )
        further = " ".join(kind.kind for kind in kinds_with(OWN))
        whose_are = (
            (OF_SENDERS, addressed),
            (OF_THE_CLOCK, timed),
            (("more",), further),
        )
        for names, whose in whose_are:
            for name in names:
                if name in self.fields:
                    self.fields[name].widget.attrs["data-kinds"] = whose
        if "more" in self.fields:
            self.fields["more"].help_text = options_help(OWN)

    def _choices(self) -> None:
        kinds: Any = self.fields.get("kind")
        if kinds is not None:
            kinds.choices = [(kind.kind, kind.label) for kind in all_kinds().values()]
        schemes: Any = self.fields.get("scheme")
        if schemes is not None:
            known = [(scheme.name, scheme.label) for scheme in SCHEMES.values()]
            schemes.choices = [("", "– choose –"), *known]  # noqa: RUF001

    def clean_path(self) -> str | None:
        """No path is NULL, of which there may be many."""
        return (self.cleaned_data.get("path") or "").lstrip("/") or None

    def clean(self) -> dict[str, Any]:
        """The config as its kind wants it, every problem at the field it belongs to."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        kind = all_kinds().get(data.get("kind", ""))
        if kind is None:
            return data
        if kind.addressed and not data.get("scheme") and "scheme" not in self.errors:
            self.add_error("scheme", ASK)
        if data.get("cron") and "cron" not in kind.config_schema.get("properties", {}):
            self.add_error("cron", f"{kind.label} does not go by the clock.")
        if data.get("rate_limit") and not kind.addressed:
            outside = f"{kind.label} takes no events from other systems."
            self.add_error("rate_limit", outside)
        config = kind.normalise(self._config(kind, data))
        # What is wrong already says nothing about the rest; options need a scheme.
        told = {*self.errors, *(("more",) if "scheme" in self.errors else ())}
        for problem in problems_of(kind, config, ""):
            self._tell(problem, told)
        if not {"scheme", "more"} & set(self.errors):
            self._check_secret(kind, config, data)
        if not self.errors:
            config.pop("path", None)
            self.cleaned_config = config
        return data

    def _config(self, kind: TriggerKind, data: dict[str, Any]) -> dict[str, Any]:
        more = data.get("more") or {}
        if not isinstance(more, dict):
            self.add_error("more", 'Write an object: {"methods": ["POST"]}.')
            more = {}
        clash = sorted(set(more) & set(OWN))
        if clash:
            self.add_error("more", f"Use the field above for {', '.join(clash)}.")
        own = [key for key in OWN if key in kind.config_schema.get("properties", {})]
        given = {key: data[key] for key in own if data.get(key)}
        return {**more, **given}

    def _tell(self, problem: Problem, told: Collection[str]) -> None:
        head = problem.path.split(".")[0].split("[")[0]
        field = head if head in OWN else "more"
        if field in told:
            return
        text = problem.message if problem.path == field else str(problem)
        self.add_error(field if field in self.fields else None, text)

    def _check_secret(
        self, kind: TriggerKind, config: dict[str, Any], data: dict[str, Any]
    ) -> None:
        given, generate = data.get("new_secret"), data.get("generate")
        if not kind.needs_secret(config):
            if given or generate:
                text = "Nothing is signed with this scheme: it has no secret."
                self.add_error("new_secret" if given else "generate", text)
        elif given and generate:
            self.add_error("generate", "Type a secret or have one made, not both.")
        elif given:
            wrong = kind.check_secret(config, given)
            if wrong:
                self.add_error("new_secret", f"The secret {wrong}.")
        elif generate:
            self._check_generated(kind, config)
        else:
            self._check_kept(kind, config)

    def _check_generated(self, kind: TriggerKind, config: dict[str, Any]) -> None:
        try:
            kind.new_secret(config)
        except LookupError as error:
            self.add_error("generate", f"{error.args[0]} Type that one above.")

    def _check_kept(self, kind: TriggerKind, config: dict[str, Any]) -> None:
        if self.instance.secret is None:
            text = "This scheme needs a secret: type it, or tick “Generate a secret”."
            self.add_error("new_secret", text)
        elif isinstance(self.instance.secret, str):
            wrong = kind.check_secret(config, self.instance.secret)
            if wrong:
                text = f"The secret that is set is none of this scheme: it {wrong}."
                self.add_error("new_secret", text)

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's
        """The trigger with its config; the secret is `workflows.admin.triggers`'s."""
        self.instance.config = self.cleaned_config
        return super().save(commit=commit)

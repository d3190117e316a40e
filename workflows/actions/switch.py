"""Step kind `switch`: one of several ways, the first whose case fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from workflows import expressions
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome
from workflows.actions.schemas import CONDITION

DEFAULT = "default"
RESERVED = frozenset({DEFAULT, "success", "failure", "stopped"})
MAX_CASES = 100
_OWN_WORDS = ("equals", "in", "condition")

CASE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "x-template": False,
    "required": ["name"],
    "properties": {
        "name": {
            "title": "Name",
            "description": "The port that the case takes",
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": r"^[^\s\x00-\x1f\x7f](.*[^\s\x00-\x1f\x7f])?$(?!\n)",
            "x-message": "must be a text of 1 to 64 characters, without a template and "
            "without spaces at its ends",
            "x-template": False,
        },
        "equals": {"title": "Equals", "description": "What the value must be"},
        "in": {
            "title": "Is one of",
            "description": "A list that must hold the value",
            "type": "array",
            "maxItems": 1_000,
        },
        "condition": CONDITION,
    },
}


@register
class Switch(Action):
    """Takes the port of the first case that fits, else `default`; output `{"case"}`."""

    kind = "switch"
    label = "Switch"
    description = "Goes one of several ways: that of the first case that fits."
    ports = ("success", "failure", DEFAULT)
    condition_fields = ("cases.*.condition",)
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["cases"],
        "properties": {
            "value": {
                "title": "Value",
                "description": "What the cases are compared with",
            },
            "cases": {
                "title": "Cases",
                "description": "Each with a name and equals, in or condition",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_CASES,
                "items": CASE,
                "x-template": False,
            },
        },
    }

    def ports_for(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        cases = config.get("cases")
        given = [case.get("name") for case in _cases(cases)]
        names = [name for name in given if isinstance(name, str)]
        return tuple(dict.fromkeys((*self.ports, *names)))

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        seen: set[str] = set()
        for position, case in enumerate(_cases(config["cases"])):
            place, name = f"cases[{position}]", case["name"]
            if name in RESERVED:
                yield f"{place}.name", f'"{name}" is reserved; choose another name'
            elif name in seen:
                yield f"{place}.name", f'the case "{name}" is there twice'
            seen.add(name)
            tests = [word for word in _OWN_WORDS if word in case]
            if len(tests) != 1:
                yield place, 'needs one of "equals", "in" and "condition"'
            elif tests != ["condition"] and "value" not in config:
                yield "value", f'is required: the case "{name}" compares with it'

    def execute(self, context: Context) -> Outcome:
        config = context.config
        for case in config["cases"]:
            listed = case.get("in")
            if "in" in case and not isinstance(listed, list):
                message = (
                    f'"in" of the case "{case["name"]}" must be a list once its '
                    "template is evaluated"
                )
                return Fail(ErrorInfo("BadConfig", message))
        fitting = (case["name"] for case in config["cases"] if _fits(case, config))
        name = next(fitting, DEFAULT)
        return Done({"case": name}, port=name)


def _cases(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [case for case in value if isinstance(case, Mapping)]


def _fits(case: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    if "condition" in case:
        return bool(case["condition"])
    candidates = case["in"] if "in" in case else [case.get("equals")]
    return any(expressions.same(config.get("value"), item) for item in candidates)

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, ClassVar

import pytest
from jsonschema import Draft202012Validator

from tests.workflows.actions.conftest import MakeContext
from workflows.actions import base
from workflows.actions.base import (
    BUILT_IN,
    Action,
    ActionLoadError,
    Context,
    UnknownAction,
    all_actions,
    get,
    register,
)
from workflows.actions.outcomes import Done, Outcome
from workflows.definition import definition_schema

SCHEMA: dict[str, Any] = {"type": "object", "additionalProperties": False}


class Shout(Action):
    kind = "shout"
    label = "Shout"
    config_schema: ClassVar[dict[str, Any]] = SCHEMA

    def execute(self, context: Context) -> Outcome:
        return Done("!")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Action]]:
    """The registry as a copy, so that a test may add to it."""
    copy = dict(all_actions())
    monkeypatch.setattr(base._registry, "entries", copy)
    return copy  # type: ignore[return-value]


def test_the_kinds_of_this_version_are_registered() -> None:
    assert list(all_actions()) == sorted(BUILT_IN)
    assert get("set").kind == "set"


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(UnknownAction, match="unknown step type 'shout'"):
        get("shout")


def test_the_registry_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        all_actions()["x"] = get("set")  # type: ignore[index]


@pytest.mark.usefixtures("registry")
def test_registering_makes_a_kind_known_once() -> None:
    register(Shout)
    register(Shout)
    assert isinstance(get("shout"), Shout)

    class Other(Shout):
        pass

    with pytest.raises(ActionLoadError, match="already registered"):
        register(Other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": ""}, "needs a kind"),
        ({"label": ""}, "needs a kind and a label"),
        ({"config_schema": {"type": "object"}}, "additionalProperties"),
    ],
)
@pytest.mark.usefixtures("registry")
def test_an_incomplete_kind_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ActionLoadError, match=words):
        register(type("Broken", (Shout,), changes))
    assert "shout" not in all_actions()


def plugin(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entry = EntryPoint("shout", value, "automate.actions")
    monkeypatch.setattr(base._registry, "loaded", False)
    monkeypatch.setattr("workflows.registry.entry_points", lambda *, group: [entry])


def test_a_plugin_is_loaded_through_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, registry: dict[str, Action]
) -> None:
    module = ModuleType("shouting_plugin")
    module.register = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shouting_plugin", module)
    plugin(monkeypatch, "shouting_plugin:register")
    register(Shout)
    assert "shout" in all_actions()
    assert base._registry.loaded


@pytest.mark.usefixtures("registry")
def test_a_plugin_that_cannot_be_loaded_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(monkeypatch, "no_such_plugin")
    with pytest.raises(ActionLoadError, match=r"'shout' \(no_such_plugin\)"):
        all_actions()
    assert not base._registry.loaded


def test_every_kind_is_described_for_forms_and_strict() -> None:
    for action in all_actions().values():
        schema = action.config_schema
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert action.label
        assert action.description
        for name, field in schema["properties"].items():
            assert field.get("title"), f"{action.kind}.{name}"
        for place in action.secret_fields:
            assert place.split(".")[0] in schema["properties"]
        for place in action.condition_fields:
            assert place.split(".")[0] in schema["properties"]
        assert action.ports_for({})[:2] == ("success", "failure")
        assert not set(action.side_ports) & {"success", "failure"}
    Draft202012Validator.check_schema(
        definition_schema({k: a.config_schema for k, a in all_actions().items()})
    )


def test_a_context_prints_no_config(make_context: MakeContext) -> None:
    assert "hunter22" not in repr(make_context({"password": "hunter22"}))

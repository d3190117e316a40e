"""Trigger kinds are registered by a decorator, and found by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from workflows.services import parse_document
from workflows.triggers import base
from workflows.triggers.base import (
    TriggerKind,
    TriggerLoadError,
    UnknownTriggerKind,
    all_kinds,
    get,
    problems_of,
    register,
)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, TriggerKind]:
    all_kinds()
    kinds = dict(base._registry.entries)
    monkeypatch.setattr(base._registry, "entries", kinds)
    return kinds


class Doorbell(TriggerKind):
    kind = "doorbell"
    label = "Somebody rings"
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"floor": {"type": "integer"}},
    }


def test_the_built_in_kinds_are_there_in_order() -> None:
    built_in = ["api", "manual", "run_finished", "schedule", "webhook"]
    assert list(all_kinds()) == built_in
    assert [k for k, v in all_kinds().items() if v.addressed] == ["webhook"]


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UnknownTriggerKind, match="unknown trigger kind 'tide'"):
        get("tide")


def test_a_registered_kind_is_found_and_checks_configs(
    registry: dict[str, TriggerKind],
) -> None:
    register(Doorbell)
    kind = get("doorbell")
    assert problems_of(kind, {"floor": 2}) == []
    paths = [problem.path for problem in problems_of(kind, {"floor": "x", "y": 1})]
    assert paths == ["config.floor", "config.y"]
    assert kind.normalise({"floor": 2}) == {"floor": 2}
    assert not kind.needs_secret({})
    assert list(kind.warnings({})) == []
    with pytest.raises(LookupError):
        kind.new_secret({})


def test_registering_the_same_class_again_is_harmless(
    registry: dict[str, TriggerKind],
) -> None:
    register(Doorbell)
    register(Doorbell)
    assert "doorbell" in registry


def test_two_classes_cannot_share_a_kind(registry: dict[str, TriggerKind]) -> None:
    class Impostor(TriggerKind):
        kind = "webhook"
        label = "Not the webhook"

    with pytest.raises(TriggerLoadError, match="already registered"):
        register(Impostor)


def test_a_kind_needs_a_label_and_a_closed_schema(
    registry: dict[str, TriggerKind],
) -> None:
    class Nameless(TriggerKind):
        kind = "nameless"

    class Open(TriggerKind):
        kind = "open"
        label = "Open"
        config_schema: ClassVar[dict[str, Any]] = {"type": "object"}

    with pytest.raises(TriggerLoadError, match="a kind and a label"):
        register(Nameless)
    with pytest.raises(TriggerLoadError, match="additionalProperties"):
        register(Open)


def plugins(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entry = EntryPoint("doorbell", value, base.ENTRY_POINT_GROUP)
    monkeypatch.setattr("workflows.registry.entry_points", lambda group: [entry])
    monkeypatch.setattr(base._registry, "loaded", False)


PLUGIN = """
from workflows.triggers.base import TriggerKind, register

@register
class Tide(TriggerKind):
    kind = "tide"
    label = "High water"
"""


def test_a_plugin_is_loaded_by_its_entry_point(
    registry: dict[str, TriggerKind],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "tide_plugin.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plugins(monkeypatch, "tide_plugin:Tide")
    assert get("tide").label == "High water"
    steps = [{"type": "delay", "config": {"duration": 1}}]
    document = parse_document({"steps": steps, "triggers": [{"kind": "tide"}]})
    assert document.triggers[0].kind == "tide"


def test_a_plugin_that_cannot_be_loaded_is_named(
    registry: dict[str, TriggerKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins(monkeypatch, "no_such_package:Doorbell")
    with pytest.raises(TriggerLoadError, match=r"'doorbell'.*no_such_package"):
        all_kinds()

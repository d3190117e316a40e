"""The table of signature schemes, and those that packages add to it."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from workflows.triggers import schemes
from workflows.triggers.schemes import BUILT_IN, Scheme, SchemeLoadError, named

PIGEON = Scheme("pigeon", "Carrier pigeon", secret_required=True)


def plugged(monkeypatch: pytest.MonkeyPatch, data: Any) -> Any:
    """A table that has not been looked at, beside a package with this row."""
    module = ModuleType("pigeon_plugin")
    module.Pigeon = SimpleNamespace(data=data)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pigeon_plugin", module)
    entry = EntryPoint("pigeon", "pigeon_plugin:Pigeon", schemes.ENTRY_POINT_GROUP)
    monkeypatch.setattr(schemes, "entry_points", lambda *, group: [entry])
    return schemes._Schemes()


def test_a_packages_scheme_stands_beside_the_built_in_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = plugged(monkeypatch, PIGEON)
    assert table["pigeon"] is PIGEON
    assert set(table) == {*BUILT_IN, "pigeon"}
    assert len(table) == len(BUILT_IN) + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "no workflows.triggers.schemes.Scheme"),
        (Scheme("github", "GitHub", secret_required=True), "already"),
        (
            Scheme("p", "P", secret_required=True, options_schema={"type": "object"}),
            "additionalProperties",
        ),
    ],
)
def test_one_that_cannot_be_had_is_named_each_time(
    monkeypatch: pytest.MonkeyPatch, data: Any, words: str
) -> None:
    table = plugged(monkeypatch, data)
    for _ in range(2):
        with pytest.raises(SchemeLoadError, match=words) as caught:
            list(table)
        assert "'pigeon' (pigeon_plugin:Pigeon)" in str(caught.value)


def test_no_name_is_anothers_alias() -> None:
    for scheme in BUILT_IN.values():
        assert not {*scheme.aliases} & {*BUILT_IN}
        assert {named(alias) for alias in scheme.aliases} <= {scheme.name}
        assert named(scheme.name) == scheme.name
    others: list[Any] = [[], None, 3, "pigeon"]
    for other in others:
        assert named(other) is other


def test_a_scheme_whose_secret_is_made_elsewhere_says_where() -> None:
    for scheme in BUILT_IN.values():
        assert bool(scheme.shown_at) is (scheme.new_secret is None)

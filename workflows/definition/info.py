"""What validation needs to know of a step kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class ActionInfo(Protocol):
    """A step kind as the definition sees it; `workflows.actions.base.Action` fits.

    `body`: its config holds a definition of its own, below `nodes`, `connections` and
    `output`, which `config_schema` need not describe. `ports_for` may leave out
    `success` and `failure`, which every step has.
    Places in `secret_fields` are relative to the config: "headers" covers all below.
    A step whose kind is `answered_by` something has an address, `run.urls.STEP`.
    """

    @property
    def kind(self) -> str: ...
    @property
    def config_schema(self) -> Mapping[str, Any]: ...
    @property
    def secret_fields(self) -> tuple[str, ...]: ...
    @property
    def condition_fields(self) -> tuple[str, ...]: ...
    @property
    def extra_roots(self) -> tuple[str, ...]: ...
    @property
    def body(self) -> bool: ...
    @property
    def verifies(self) -> bool: ...
    @property
    def answered_by(self) -> str: ...

    def ports_for(self, config: Mapping[str, Any]) -> tuple[str, ...]: ...
    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]: ...

"""What the expressions of one node may read, and what they leave behind."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from workflows.expressions import TemplateError, parse
from workflows.integrations.n8n.data import Data
from workflows.integrations.n8n.expr import Expr, Key, with_path
from workflows.integrations.n8n.js_tree import NotRead

_NAME = re.compile(r"[^A-Za-z0-9_]+")


@dataclass
class NodeScope:
    """The scope of one node; `variables` is shared by all of a workflow."""

    node: str
    data: Data
    ids: Collection[str]
    variables: dict[str, str]
    workflow_name: str
    waits: tuple[str, ...] = ()
    noted: list[str] = field(default_factory=list)

    def read(self, node: str | None, path: tuple[Key, ...]) -> Expr:
        """`$json` at this node, or what another one gave."""
        if node is None or node == self.node:
            return self.data.arrived(self.node, self.node, path)
        return self.data.given(node, self.node, path)

    def variable(self, name: str) -> Expr:
        """An environment variable of n8n's is a variable of the workflow."""
        plain = _NAME.sub("_", name).strip("_")[:60] or "value"
        if plain[0].isdigit():
            plain = f"v_{plain}"
        self.variables.setdefault(plain, "")
        self.note(f"{name} is a variable of the workflow here: give it its value")
        return Expr(with_path("variables", (plain,)), "path", atom=True)

    def resume_address(self) -> Expr:
        """The address of the one step that waits for a call."""
        if len(self.waits) != 1:
            raise NotRead(
                "it is not clear which step is meant by the address to resume"
            )
        return Expr(f"run.urls.{self.waits[0]}", "text", atom=True)

    def note(self, text: str) -> None:
        if text not in self.noted:
            self.noted.append(text)

    def checked(self, template: str) -> str:
        """The template, when our language takes it."""
        try:
            parse(template, self.ids)
        except TemplateError as error:
            raise NotRead(error.message) from None
        return template

    @property
    def in_loop(self) -> bool:
        return bool(self.data.flow.loops_around(self.node))

"""The contract of a node's conversion, and the registry of those that exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from workflows.definition.names import slug
from workflows.expressions import TemplateError, parse_condition
from workflows.integrations.n8n.data import Data, Output, Path
from workflows.integrations.n8n.expr import Expr
from workflows.integrations.n8n.flow import LoopPorts
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.source import Node, mapping, text
from workflows.integrations.n8n.templates import Values

PACKAGE = "n8n-nodes-base."
MODULES = (
    "triggers",
    "http",
    "choices",
    "fields",
    "joining",
    "loops",
    "calls",
    "messages",
)


class Unsupported(NotRead):
    """The node becomes a placeholder; says why."""


@dataclass
class Made:
    """A step. `ports` has the ports of n8n's outputs; others are never taken."""

    type: str
    config: dict[str, Any]
    output: Output
    ports: dict[int, list[str]] = field(default_factory=lambda: {0: ["success"]})
    timeout: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """A trigger."""

    kind: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What whoever started a run gets in the end: the data of the last node.

    Without `sent` it is the run's output, else the answer to a sender that waits:
    `items` is `first`, `all` or `none`, `of` a field of the item.
    """

    sent: bool = False
    items: str = "first"
    of: Path = ()
    status: int | None = None
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass
class Starts:
    """The triggers that a node becomes, and where its data is then."""

    triggers: list[Start]
    output: Output
    answer: Answer | None = None


@dataclass
class Job:
    """One node on its way; `values` converts its parameters and takes notes."""

    node: Node
    id: str
    values: Values
    data: Data
    timezone: str = ""
    slugs: Mapping[str, str] = field(default_factory=dict)
    instance_timezone: bool = False
    answers: bool = False

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.node.parameters

    @property
    def options(self) -> Mapping[str, Any]:
        return mapping(self.node.parameters.get("options"))

    @property
    def root(self) -> str:
        """The step's output in an expression."""
        return f"steps.{self.id}"

    def note(self, sentence: str) -> None:
        self.values.note(sentence)

    def remark(self, sentence: str) -> None:
        """Something to know or to do, which makes the conversion no less exact."""
        self.values.scope.note(sentence)

    def plain(self, name: str, default: str = "") -> str:
        """A parameter that chooses something, which no expression may do."""
        value = self.parameters.get(name, default)
        if isinstance(value, str) and value.startswith("="):
            raise Unsupported(f"{name} is chosen by an expression")
        return text(value)

    def checked_condition(self, source: str) -> str:
        """The condition itself, if it is one of ours; raises NotRead."""
        try:
            parse_condition(source, self.values.scope.ids)
        except TemplateError as error:
            raise NotRead(error.message) from None
        return source

    def input(self) -> Expr:
        """All of `$json` as an expression."""
        return self.values.scope.read(None, ())

    def connection(self) -> str | None:
        """The name of the connection that stands for the node's credentials."""
        for credential in self.node.credentials:
            return connection_name(credential.name)
        return None

    def unknown_options(self, known: frozenset[str], of: Mapping[str, Any]) -> None:
        for name, value in of.items():
            if name not in known and value not in (None, "", False, [], {}):
                self.note(f"the option {name} has no counterpart")


def connection_name(name: str) -> str:
    """A connection's name is a slug."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", slug(name) or "n8n").strip("-")
    return plain[:100] or "n8n"


Converter = Callable[[Job], Made]
Starter = Callable[[Job], Starts]

_steps: dict[str, Converter] = {}
_starts: dict[str, Starter] = {}
_loops: dict[str, Callable[[Node], LoopPorts]] = {}
_gathering: set[str] = set()


def converts(*names: str) -> Callable[[Converter], Converter]:
    """Function decorator: what becomes of nodes of these types."""

    def note(function: Converter) -> Converter:
        _steps.update({PACKAGE + name: function for name in names})
        return function

    return note


def starts(*names: str) -> Callable[[Starter], Starter]:
    """Function decorator: what becomes of trigger nodes of these types."""

    def note(function: Starter) -> Starter:
        _starts.update({PACKAGE + name: function for name in names})
        return function

    return note


def loops(name: str) -> Callable[[Callable[[Node], LoopPorts]], Any]:
    """Function decorator: at which outputs of such a node its loop hangs."""

    def note(function: Callable[[Node], LoopPorts]) -> Any:
        _loops[PACKAGE + name] = function
        return function

    return note


def gathers(*names: str) -> None:
    """Nodes of these types end what n8n does once for each item."""
    _gathering.update(PACKAGE + name for name in names)


@cache
def load() -> None:
    """Import the modules once, so that they register what they have."""
    for name in MODULES:
        import_module(f"workflows.integrations.n8n.nodes.{name}")


def converter_of(node: Node) -> Converter | None:
    load()
    return _steps.get(node.type)


def starter_of(node: Node) -> Starter | None:
    load()
    return _starts.get(node.type)


def loop_ports(node: Node) -> LoopPorts | None:
    load()
    found = None if node.disabled else _loops.get(node.type)
    return found(node) if found else None


def is_gathering(node: Node) -> bool:
    load()
    return node.type in _gathering


def is_trigger(node: Node) -> bool:
    """A node that begins a workflow: n8n's own, and `...Trigger` of any package."""
    return starter_of(node) is not None or node.kind.lower().endswith("trigger")

"""Where the data of n8n's nodes is found in a run of ours.

In n8n each node hands a list of items to the next one: `$json` is the item that
arrived. Here a step has one output, which every later step reads by its id. So behind
an HTTP request `$json.a` is `steps.ID.body.a`; behind an IF it is what arrived there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from workflows.integrations.n8n.expr import Expr, Key, quoted, with_path
from workflows.integrations.n8n.flow import Flow
from workflows.integrations.n8n.js_tree import NotRead

Path = tuple[Key, ...]
LONGEST = 3_000
DEEPEST = 60


class Output(Protocol):
    """What a node gives."""

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:
        """The value at a path, as the node `reader` may write it; raises NotRead."""


@dataclass(frozen=True, slots=True)
class Plain:
    """All of it below one root of ours; `under` is a key of n8n's that is left out."""

    root: str
    under: str = ""
    unknown: frozenset[str] = frozenset()

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:  # noqa: ARG002
        if self.under and path[:1] == (self.under,):
            path = path[1:]
        elif self.under and path:
            raise NotRead(f'only "{self.under}" of it is known here')
        elif self.under:
            return Expr(f"{{{quoted(self.under)}: {self.root}}}", atom=True)
        if path and path[0] in self.unknown:
            raise NotRead(f'"{path[0]}" has no counterpart here')
        return Expr(with_path(self.root, path), "path", atom=True)


@dataclass(frozen=True, slots=True)
class Parts:
    """Some keys, each with its place here."""

    keys: Mapping[str, str]

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:  # noqa: ARG002
        if not path:
            inner = ", ".join(f"{quoted(key)}: {at}" for key, at in self.keys.items())
            return Expr(f"{{{inner}}}", atom=True)
        if not isinstance(path[0], str) or path[0] not in self.keys:
            raise NotRead(f'"{path[0]}" has no counterpart here')
        rest = path[1:]
        if self.keys[path[0]] == "trigger.headers":
            rest = tuple(key.lower() if isinstance(key, str) else key for key in rest)
        return Expr(with_path(self.keys[path[0]], rest), "path", atom=True)


@dataclass(frozen=True, slots=True)
class Through:
    """What arrived at the node, unchanged."""

    node: str

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:
        return data.arrived(self.node, reader, path, depth + 1)


@dataclass(frozen=True, slots=True)
class Over:
    """Fields of its own over what arrived: Edit Fields that keeps other fields."""

    node: str
    root: str
    fields: frozenset[Path]

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:
        if any(path[: len(own)] == own for own in self.fields):
            return Expr(with_path(self.root, path), "path", atom=True)
        other = data.arrived(self.node, reader, path, depth + 1)
        inside = [own for own in self.fields if own[: len(path)] == path]
        if not inside:
            return other
        if any(len(own) > len(path) + 1 for own in inside):
            raise NotRead("fields were set deep inside of it: read them one by one")
        own = with_path(self.root, path)
        return Expr(f"{other.operand} | merge({own})")


@dataclass(frozen=True, slots=True)
class Item:
    """What a loop is at.

    `field` is where n8n has what is no object, with `nested` all of it; `others` the
    node whose other fields n8n puts beside it.
    """

    loop: str
    field: str = ""
    nested: bool = False
    others: str = ""

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:
        if data.flow.loops_around(reader)[:1] != [self.loop]:
            raise NotRead(f'the item of the loop "{self.loop}" is known only within it')
        if not self.field:
            return Expr(with_path("item", path), "path", atom=True)
        if path[:1] == (self.field,):
            if self.nested:
                return Expr(with_path("item", path[1:]), "path", atom=True)
            own = with_path("item", path)
            plain = f"({own} if item is mapping else item)"
            return Expr(own if path[1:] else plain, "path", atom=True)
        if not self.nested:
            return Expr(with_path("item", path), "path", atom=True)
        if not path:
            whole = f"{{{quoted(self.field)}: item}}"
            if not self.others:
                return Expr(whole, atom=True)
            other = data.arrived(self.others, reader, path, depth + 1)
            return Expr(f"{other.operand} | merge({whole})")
        if not self.others:
            raise NotRead(f'only "{self.field}" of an item is known here')
        return data.arrived(self.others, reader, path, depth + 1)


@dataclass(frozen=True, slots=True)
class Listed:
    """Several items, as a list below one root."""

    root: str

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:  # noqa: ARG002
        if path:
            raise NotRead("it gives several items: which of them is meant is not said")
        return Expr(self.root, "path", atom=True)


@dataclass(frozen=True, slots=True)
class Combined:
    """The data of several inputs in one object; the last one wins."""

    inputs: tuple[str, ...]
    node: str

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:
        found = [data.given(name, reader, path, depth + 1) for name in self.inputs]
        if path:
            return either([*reversed(found)])
        first, *others = found
        source = first.operand
        for other in others:
            source += f" | merge({other.source})"
        return Expr(source)


@dataclass
class Data:
    """Reads what nodes give; `outputs` grows as nodes are converted."""

    flow: Flow
    outputs: dict[str, Output] = field(default_factory=dict)
    triggers: frozenset[str] = frozenset()
    before: dict[str, frozenset[str]] = field(default_factory=dict)
    joins: set[str] = field(default_factory=set)
    items: dict[str, Item] = field(default_factory=dict)
    _known: dict[tuple[str, str, str, Path], Expr | NotRead] = field(
        default_factory=dict
    )

    def _once(self, key: tuple[str, str, str, Path], read: Callable[[], Expr]) -> Expr:
        """Each question is answered once: diamonds in a row would double the work."""
        if key not in self._known:
            try:
                self._known[key] = read()
            except NotRead as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, NotRead):
            raise found
        return found

    def arrived(self, node: str, reader: str, path: Path, depth: int = 0) -> Expr:
        """What `$json` is at a node, as `reader` may write it."""
        key = ("in", node, reader, path)
        return self._once(key, lambda: self._arrived(node, reader, path, depth))

    def _arrived(self, node: str, reader: str, path: Path, depth: int) -> Expr:
        if depth > DEEPEST:
            raise NotRead("the data passes through too many nodes unchanged")
        owner = self.flow.level_of.get(node, "")
        level = self.flow.levels[owner]
        found: dict[str, Expr] = {}
        reason: NotRead | None = None
        sources: list[Output] = [
            self.outputs[edge.source]
            for edge in level.into(node)
            if edge.source in self.outputs
        ]
        if owner and node in level.entries:
            sources.append(self.item(owner))
        for output in sources:
            try:
                expr = output.read(self, reader, path, depth)
            except NotRead as error:
                reason = error
                continue
            found.setdefault(expr.source, expr)
        if not found:
            if reason is not None:
                raise reason
            return Expr(with_path("trigger.payload", path), "path", atom=True)
        if len(found) > 1:
            self.joins.add(reader)
        return either(list(found.values()))

    def item(self, loop: str) -> Item:
        """What a loop is at."""
        return self.items.get(loop, Item(loop))

    def given(self, node: str, reader: str, path: Path, depth: int = 0) -> Expr:
        """What another node gave."""
        key = ("out", node, reader, path)
        return self._once(key, lambda: self._given(node, reader, path, depth))

    def _given(self, node: str, reader: str, path: Path, depth: int) -> Expr:
        if node in self.triggers:
            return self.outputs[node].read(self, reader, path, depth)
        around = self.flow.loops_around(reader)
        if node in around:
            return self.item(node).read(self, reader, path, depth)
        if node not in self.outputs and node not in self.flow.level_of:
            raise NotRead(f'there is no node "{node[:100]}"')
        if node not in self.before.get(reader, frozenset()):
            raise NotRead(f'"{node[:100]}" does not always run before it')
        return self.outputs[node].read(self, reader, path, depth)


def either(found: list[Expr]) -> Expr:
    """The first of several that there is."""
    *first, last = found
    if not first:
        return last
    source = last.source
    for expr in reversed(first):
        source = f"({expr.source} if {expr.operand} is defined else {source})"
        if len(source) > LONGEST:
            raise NotRead("it may come from too many nodes")
    return Expr(source, "path", atom=True)


def ancestors(flow: Flow) -> dict[str, frozenset[str]]:
    """For each node those that have run when it starts, outside of its loops too."""
    result: dict[str, frozenset[str]] = {}
    waiting = [""]
    while waiting:
        owner = waiting.pop()
        outside = result.get(owner, frozenset())
        level = flow.levels[owner]
        for name in flow.order(owner):
            mine = set(outside)
            for edge in level.into(name):
                mine.add(edge.source)
                mine |= result.get(edge.source, frozenset())
            result[name] = frozenset(mine)
            if name in flow.levels:
                waiting.append(name)
    return result

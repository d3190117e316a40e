"""The graph of an n8n workflow in the form that a definition can have.

n8n draws loops as circles. Here a loop is a step with a body: what hangs on its loop
output and leads back to it. `SplitOut` has no circle: what follows it runs once for
each item, up to a node that gathers items again. Circles of any other kind are cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from workflows.integrations.n8n.source import Edge, Node

DEEPEST = 5
DONE = -1  # the output of a loop after its last item, whatever n8n numbers it


@dataclass(frozen=True, slots=True)
class LoopPorts:
    """Where a loop node gives each item, and where what comes after the last one.

    `gathers` says that n8n draws no way back: the loop ends at nodes that gather.
    """

    each: int
    done: int | None = None
    gathers: bool = False


@dataclass
class Level:
    """One graph: the whole workflow (`owner` is ""), or the body of a loop."""

    owner: str
    members: list[str]
    edges: list[Edge]
    entries: list[str]
    cut: list[Edge] = field(default_factory=list)
    ends: list[Edge] = field(default_factory=list)  # out of a body, of its own nodes

    def into(self, name: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.target == name]


@dataclass
class Flow:
    """The levels by their owner; `broken` says why a loop is none here."""

    levels: dict[str, Level] = field(default_factory=dict)
    level_of: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def loops_around(self, name: str) -> list[str]:
        """The loops that a node is in, the innermost first."""
        found = []
        owner = self.level_of.get(name, "")
        while owner:
            found.append(owner)
            owner = self.level_of.get(owner, "")
        return found

    def order(self, owner: str) -> list[str]:
        """A level's nodes, each after those that lead to it."""
        level = self.levels[owner]
        waiting = dict.fromkeys(level.members, 0)
        after: dict[str, list[str]] = {name: [] for name in level.members}
        for edge in level.edges:
            if edge.source in after and edge.target in waiting:
                after[edge.source].append(edge.target)
                waiting[edge.target] += 1
        ready = deque(name for name in level.members if not waiting[name])
        done = []
        while ready:
            name = ready.popleft()
            done.append(name)
            for target in after[name]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        return done


class Builder:
    """Takes loops out of the graph, the outermost first, and cuts other circles."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        ports: Callable[[Node], LoopPorts | None],
        is_gathering: Callable[[Node], bool],
    ) -> None:
        self.nodes = nodes
        self.ports = ports
        self.is_gathering = is_gathering
        self.flow = Flow()

    def build(
        self, members: Iterable[str], edges: Iterable[Edge], entries: Iterable[str]
    ) -> Flow:
        top = Level("", list(members), list(edges), list(entries))
        waiting = deque([(top, 0)])
        while waiting:
            level, depth = waiting.popleft()
            for body in self._take_loops(level, depth):
                waiting.append((body, depth + 1))
            self._cut(level)
            self.flow.levels[level.owner] = level
            for name in level.members:
                self.flow.level_of[name] = level.owner
        return self.flow

    def _take_loops(self, level: Level, depth: int) -> Iterator[Level]:
        for name in _reached(level.entries, _after(level.edges)):
            ports = self.ports(self.nodes[name]) if name in self.nodes else None
            if ports is None or name not in level.members:
                continue
            body = self._body(level, name, ports)
            if depth >= DEEPEST:
                body = f"loops may stand in one another {DEEPEST} deep, no deeper"
            if isinstance(body, str):
                self.flow.broken[name] = body
                continue
            yield self._taken(level, name, ports, body)

    def _body(self, level: Level, loop: str, ports: LoopPorts) -> set[str] | str:
        """The nodes of a loop's body; or why it is none that a definition can have."""
        first = [
            edge.target
            for edge in level.edges
            if edge.source == loop and edge.output == ports.each
        ]
        if loop in first or not first:
            return "nothing is connected to its loop output"
        after = _after(level.edges)
        stops = {loop}
        if ports.gathers:
            stops |= {n for n in level.members if self.is_gathering(self.nodes[n])}
            first = [name for name in first if name not in stops]
            if not first:
                return "nothing happens between it and the node that gathers the items"
        body = set(_reached(first, after, stops)) - stops
        if not body <= set(level.members):
            return "a trigger is connected within it"
        for edge in level.edges:
            own = edge.source == loop and edge.output == ports.each
            if edge.target in body and edge.source not in body and not own:
                return f'"{edge.source}" leads into it from outside'
        return body

    def _taken(
        self, level: Level, loop: str, ports: LoopPorts, body: set[str]
    ) -> Level:
        inner, outer, ends = [], [], []
        entries: list[str] = []
        for edge in level.edges:
            inside = edge.source in body
            if edge.source == loop and edge.output == ports.each:
                if edge.target in body:
                    entries.append(edge.target)
                else:  # straight to the node that gathers
                    outer.append(replace(edge, output=DONE))
            elif edge.source == loop and edge.output == ports.done:
                outer.append(replace(edge, output=DONE))
            elif inside and edge.target in body:
                inner.append(edge)
            elif inside:
                ends.append(edge)
                if edge.target != loop:
                    outer.append(replace(edge, source=loop, output=DONE))
            elif not inside:
                outer.append(edge)
        members = [name for name in level.members if name in body]
        level.members = [name for name in level.members if name not in body]
        level.edges = list(dict.fromkeys(outer))
        return Level(loop, members, inner, list(dict.fromkeys(entries)), ends=ends)

    def _cut(self, level: Level) -> None:
        """Take out the connections that lead back to where a walk came from."""
        after: dict[str, list[Edge]] = {}
        for edge in level.edges:
            after.setdefault(edge.source, []).append(edge)
        cut: set[Edge] = set()
        state: dict[str, int] = {}  # 1: on the way, 2: left behind
        for start in (*level.entries, *level.members):
            if start in state:
                continue
            state[start] = 1
            stack = [(start, iter(after.get(start, ())))]
            while stack:
                name, left = stack[-1]
                following = next(left, None)
                if following is None:
                    state[name] = 2
                    stack.pop()
                    continue
                target = following.target
                if state.get(target) == 1:
                    cut.add(following)
                elif target not in state:
                    state[target] = 1
                    stack.append((target, iter(after.get(target, ()))))
        level.cut = [edge for edge in level.edges if edge in cut]
        level.edges = [edge for edge in level.edges if edge not in cut]


def _after(edges: Iterable[Edge]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {}
    for edge in edges:
        after.setdefault(edge.source, []).append(edge.target)
    return after


def _reached(
    start: Iterable[str], after: Mapping[str, list[str]], stops: Iterable[str] = ()
) -> list[str]:
    """The nodes of `start` and all behind them, nearest first; none beyond `stops`."""
    end = set(stops)
    found = dict.fromkeys(start)
    ready = deque(found)
    while ready:
        name = ready.popleft()
        if name in end:
            continue
        for target in after.get(name, ()):
            if target not in found:
                found[target] = None
                ready.append(target)
    return list(found)


def reached(edges: Iterable[Edge], start: Iterable[str]) -> set[str]:
    """The nodes of `start` and all that the connections lead to."""
    return set(_reached(start, _after(edges)))

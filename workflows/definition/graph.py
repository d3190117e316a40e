"""The graph of a definition: who comes before whom, and whether that can be."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any


class Members(Set[str]):
    """Some of a graph's nodes, a bit each: a thousand such sets cost little."""

    __slots__ = ("_bits", "_mask")

    def __init__(self, bits: Mapping[str, int], mask: int) -> None:
        self._bits = bits
        self._mask = mask

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._mask & self._bits.get(name, 0))

    def __iter__(self) -> Iterator[str]:
        return (name for name, bit in self._bits.items() if self._mask & bit)

    def __len__(self) -> int:
        return self._mask.bit_count()


@dataclass(frozen=True)
class Either:
    """What is in one of the sets."""

    sets: tuple[Container[str], ...]

    def __contains__(self, name: object) -> bool:
        return any(name in one for one in self.sets)


@dataclass(frozen=True)
class Graph:
    """Adjacency of well-formed nodes; edges to unknown ids are left out."""

    ids: tuple[str, ...]
    after: Mapping[str, Sequence[str]] = field(repr=False)
    before: Mapping[str, Sequence[str]] = field(repr=False)

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Graph:
        """From a canonical definition, skipping what is malformed."""
        ids = dict.fromkeys(
            node["id"]
            for node in definition.get("nodes", ())
            if isinstance(node, Mapping) and isinstance(node.get("id"), str)
        )
        after: dict[str, list[str]] = {name: [] for name in ids}
        before: dict[str, list[str]] = {name: [] for name in ids}
        for edge in definition.get("connections", ()):
            if not isinstance(edge, Mapping):
                continue
            source, target = edge.get("from"), edge.get("to")
            known = isinstance(source, str) and isinstance(target, str)
            if known and source in after and target in before:
                after[source].append(target)
                before[target].append(source)
        return cls(tuple(ids), after, before)

    def roots(self) -> list[str]:
        """Nodes without an incoming connection, in the definition's order."""
        return [name for name in self.ids if not self.before[name]]

    def order(self) -> list[str]:
        """Each node after those before it; nodes on or behind a cycle are missing."""
        waiting = {name: len(self.before[name]) for name in self.ids}
        ready = deque(name for name in self.ids if not waiting[name])
        done = []
        while ready:
            name = ready.popleft()
            done.append(name)
            for target in self.after[name]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        return done

    def cycle(self) -> list[str] | None:
        """One cycle as a path that ends where it began, or None."""
        rest = set(self.ids).difference(self.order())
        if not rest:
            return None
        # Each node left has a predecessor among those left: walking back must repeat.
        name = next(name for name in self.ids if name in rest)
        seen: dict[str, int] = {}
        path: list[str] = []
        while name not in seen:
            seen[name] = len(path)
            path.append(name)
            name = next(source for source in self.before[name] if source in rest)
        loop = [name, *reversed(path[seen[name] :])]
        return _from_first(loop, self.ids)

    def reachable(self, start: Iterable[str]) -> set[str]:
        """The nodes of `start` and all that come after them."""
        found = {name for name in start if name in self.after}
        ready = list(found)
        while ready:
            for target in self.after[ready.pop()]:
                if target not in found:
                    found.add(target)
                    ready.append(target)
        return found

    def ancestors(self) -> dict[str, Members]:
        """For each node outside cycles, all nodes that lead to it."""
        bits = {name: 1 << position for position, name in enumerate(self.ids)}
        masks: dict[str, int] = {}
        for name in self.order():
            masks[name] = 0
            for source in self.before[name]:
                masks[name] |= masks[source] | bits[source]
        return {name: Members(bits, mask) for name, mask in masks.items()}


def _from_first(loop: list[str], ids: Sequence[str]) -> list[str]:
    """The same loop, begun at the node that the definition names first."""
    members = loop[:-1]
    first = min(range(len(members)), key=lambda place: ids.index(members[place]))
    turned = members[first:] + members[:first]
    return [*turned, turned[0]]

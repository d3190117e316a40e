"""What changed between two definitions, in the words of the domain."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from workflows.definition.bodies import own_config, walk_graphs
from workflows.definition.canonical import canonical_json
from workflows.definition.problems import place, shorten

MAX_SHOWN = 120


class Absent:
    """Stands where one of the two definitions has nothing: null is a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


class ChangeKind(StrEnum):
    STEP_ADDED = "step_added"
    STEP_REMOVED = "step_removed"
    STEP_MOVED = "step_moved"
    STEP_RENAMED = "step_renamed"
    STEP_TYPE_CHANGED = "step_type_changed"
    CONFIG_CHANGED = "config_changed"
    RETRY_CHANGED = "retry_changed"
    TIMEOUT_CHANGED = "timeout_changed"
    ON_ERROR_CHANGED = "on_error_changed"
    ON_UNKNOWN_CHANGED = "on_unknown_changed"
    SETTING_CHANGED = "setting_changed"
    CONNECTION_ADDED = "connection_added"
    CONNECTION_REMOVED = "connection_removed"
    VARIABLE_ADDED = "variable_added"
    VARIABLE_CHANGED = "variable_changed"
    VARIABLE_REMOVED = "variable_removed"
    OUTPUT_CHANGED = "output_changed"
    ORDER_CHANGED = "order_changed"


_OF_KEY = {
    "name": ChangeKind.STEP_RENAMED,
    "type": ChangeKind.STEP_TYPE_CHANGED,
    "config": ChangeKind.CONFIG_CHANGED,
    "retry": ChangeKind.RETRY_CHANGED,
    "timeout": ChangeKind.TIMEOUT_CHANGED,
    "on_error": ChangeKind.ON_ERROR_CHANGED,
    "on_unknown": ChangeKind.ON_UNKNOWN_CHANGED,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    `step` is the step's id, `loop` the innermost loop around it or around the
    connection ("" outside), `place` what changed within the step, the variables or
    the output (`config.url`). `old` and `new` are whole values, ABSENT where there is
    none; whoever shows them redacts: see `text`.
    """

    kind: ChangeKind
    step: str = ""
    loop: str = ""
    place: str = ""
    old: Any = field(default=ABSENT, repr=False)
    new: Any = field(default=ABSENT, repr=False)

    def text(self, redact: Callable[[Any], Any] = lambda value: value) -> str:
        """One sentence for people, its values redacted and cut to size."""
        return _SENTENCES.get(self.kind, _changed)(self, redact)

    def __str__(self) -> str:
        return self.text()


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every difference between two canonical definitions; none when they are equal.

    Steps are the same when their ids are, wherever they stand. Steps come in the
    order of the new definition, removed ones last; then connections, variables,
    output.
    """
    before, after = _steps(old), _steps(new)
    changes: list[Change] = []
    for name, (loop, node) in after.items():
        if name in before:
            changes += _step(name, before[name], (loop, node))
        else:
            changes.append(Change(ChangeKind.STEP_ADDED, name, loop, new=node))
    changes += [
        Change(ChangeKind.STEP_REMOVED, name, loop, old=node)
        for name, (loop, node) in before.items()
        if name not in after
    ]
    changes += _connections(old, new)
    changes += _variables(old.get("variables"), new.get("variables"))
    for keys, was, now in _values(_get(old, "output"), _get(new, "output"), "output"):
        changes.append(Change(ChangeKind.OUTPUT_CHANGED, place=keys, old=was, new=now))
    if not changes and not _same(old, new):
        changes.append(Change(ChangeKind.ORDER_CHANGED))
    return changes


Step = tuple[str, dict[str, Any]]


def _steps(definition: Mapping[str, Any]) -> dict[str, Step]:
    """The innermost loop and the step without its body, by id.

    A draft may use an id twice, or one that is no text: it gets a name here.
    """
    found: dict[str, Step] = {}
    for level in walk_graphs(definition):
        loop = level.loops[-1] if level.loops else ""
        nodes = level.graph.get("nodes")
        for node in nodes if isinstance(nodes, list) else ():
            given = node if isinstance(node, Mapping) else {"id": node}
            name = _name(given.get("id"))
            while name in found:
                name += "'"
            found[name] = (loop, _without_body(given))
    return found


def _without_body(node: Mapping[str, Any]) -> dict[str, Any]:
    config = own_config(node)
    result = {key: value for key, value in node.items() if key != "id"}
    if "config" in node:
        result["config"] = config
        whole = node["config"]
        # The output of a loop's body is its own, as a part of the config.
        if isinstance(whole, Mapping) and isinstance(config, dict):
            result["config"] |= {k: whole[k] for k in ("output",) if k in whole}
    return result


def _step(name: str, old: Step, new: Step) -> Iterator[Change]:
    (old_loop, was), (loop, now) = old, new
    if old_loop != loop:
        yield Change(ChangeKind.STEP_MOVED, name, loop, old=old_loop, new=loop)
    for key in dict.fromkeys((*was, *now)):
        kind = _OF_KEY.get(key, ChangeKind.SETTING_CHANGED)
        for keys, before, after in _values(_get(was, key), _get(now, key), key):
            yield Change(kind, name, loop, keys, before, after)


def _connections(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _edges(old), _edges(new)
    for counted, kind, side in (
        (Counter(after) - Counter(before), ChangeKind.CONNECTION_ADDED, "new"),
        (Counter(before) - Counter(after), ChangeKind.CONNECTION_REMOVED, "old"),
    ):
        for (loop, text), count in counted.items():
            values: dict[str, Any] = {side: json.loads(text)}
            yield from [Change(kind, loop=loop, **values)] * count


def _edges(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The innermost loop and the connection as JSON, which is hashable."""
    found = []
    for level in walk_graphs(definition):
        edges = level.graph.get("connections")
        for edge in edges if isinstance(edges, list) else ():
            loop = level.loops[-1] if level.loops else ""
            found.append((loop, canonical_json(edge).decode()))
    return found


def _variables(old: Any, new: Any) -> Iterator[Change]:
    was = old if isinstance(old, Mapping) else {}
    now = new if isinstance(new, Mapping) else {}
    for name in dict.fromkeys((*was, *now)):
        before, after = _get(was, name), _get(now, name)
        if before is ABSENT:
            kind = ChangeKind.VARIABLE_ADDED
        elif after is ABSENT:
            kind = ChangeKind.VARIABLE_REMOVED
        else:
            kind = ChangeKind.VARIABLE_CHANGED
        for keys, one, other in _values(before, after, place("", name)):
            yield Change(kind, place=keys, old=one, new=other)


def _values(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The smallest places at which two values differ, with both sides."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _values(_get(old, key), _get(new, key), place(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _values(one, other, place(path, position))
    elif not _same(old, new):
        yield path, old, new


def _same(old: Any, new: Any) -> bool:
    if old is ABSENT or new is ABSENT:
        return old is new
    return canonical_json(old) == canonical_json(new)


def _get(mapping: Mapping[str, Any], key: Hashable) -> Any:
    return mapping.get(key, ABSENT)  # type: ignore[call-overload]


def _name(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()


# --- sentences ------------------------------------------------------------------

Redact = Callable[[Any], Any]


def _shown(value: Any, redact: Redact) -> str:
    text = json.dumps(redact(value), ensure_ascii=False, default=str)
    return shorten(text, MAX_SHOWN)


def _within(change: Change) -> str:
    return f' in the loop "{change.loop}"' if change.loop else ""


def _subject(change: Change) -> str:
    if change.step:
        return f'Step "{change.step}": {change.place}'
    if change.kind is ChangeKind.OUTPUT_CHANGED:
        return f"Output: {change.place}"
    return f'Variable "{change.place}"'


def _changed(change: Change, redact: Redact) -> str:
    if change.old is ABSENT:
        verb = "added" if change.kind is ChangeKind.VARIABLE_ADDED else "set"
        return f"{_subject(change)} {verb}: {_shown(change.new, redact)}"
    if change.new is ABSENT:
        return f"{_subject(change)} removed; it was {_shown(change.old, redact)}"
    values = f"{_shown(change.old, redact)} -> {_shown(change.new, redact)}"
    return f"{_subject(change)} changed: {values}"


def _step_sentence(change: Change, _redact: Redact) -> str:
    verb = "added" if change.kind is ChangeKind.STEP_ADDED else "removed"
    node = change.new if change.old is ABSENT else change.old
    return f'Step "{change.step}" ({node.get("type")}) {verb}{_within(change)}'


def _moved(change: Change, _redact: Redact) -> str:
    where = f'into the loop "{change.loop}"' if change.loop else "out of its loop"
    return f'Step "{change.step}" moved {where}'


def _connection(change: Change, _redact: Redact) -> str:
    verb = "added" if change.kind is ChangeKind.CONNECTION_ADDED else "removed"
    edge = change.new if change.old is ABSENT else change.old
    if not isinstance(edge, Mapping):
        return f"Connection {verb}{_within(change)}"
    port = edge.get("on", "success")
    on = "" if port == "success" else f' on "{port}"'
    ends = f'"{edge.get("from")}" -> "{edge.get("to")}"{on}'
    return f"Connection {ends} {verb}{_within(change)}"


_SENTENCES: dict[ChangeKind, Callable[[Change, Redact], str]] = {
    ChangeKind.STEP_ADDED: _step_sentence,
    ChangeKind.STEP_REMOVED: _step_sentence,
    ChangeKind.STEP_MOVED: _moved,
    ChangeKind.CONNECTION_ADDED: _connection,
    ChangeKind.CONNECTION_REMOVED: _connection,
    ChangeKind.ORDER_CHANGED: lambda _change, _redact: (
        "The same steps and connections are written in another order"
    ),
}

"""What `$json`, `$node[...]`, `$execution` and the like stand for here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from workflows.integrations.n8n.expr import Expr, Key, literal
from workflows.integrations.n8n.js_tree import Call, Const, Member, NotRead
from workflows.integrations.n8n.moments import NOW, SAID, moment


class Scope(Protocol):
    """What the expressions of one node may read; all raise NotRead."""

    def read(self, node: str | None, path: tuple[Key, ...]) -> Expr:
        """The data that arrived (None), or that a node of this name gave."""

    def variable(self, name: str) -> Expr:
        """A value that the environment of n8n had."""

    def resume_address(self) -> Expr:
        """Where whoever ends the workflow's wait calls."""

    def note(self, text: str) -> None:
        """Something differs."""

    def checked(self, template: str) -> str:
        """The template itself, if it is one of ours."""

    @property
    def ids(self) -> Collection[str]:
        """The ids of all steps."""

    @property
    def workflow_name(self) -> str: ...

    @property
    def in_loop(self) -> bool: ...


# One step behind a root: a key, or the arguments of a call.
Step = tuple[str, Any, bool]


def flat(tree: Any) -> tuple[Any, list[Step]]:
    steps: list[Step] = []
    while isinstance(tree, Member | Call):
        if isinstance(tree, Member):
            steps.append(("key", tree.key, tree.maybe))
        else:
            steps.append(("call", tree.args, False))
        tree = tree.of
    return tree, steps[::-1]


def _is_key(step: Step, *names: str) -> bool:
    kind, key, _ = step
    return kind == "key" and isinstance(key, Const) and key.value in names


def is_call(step: Step) -> bool:
    return step[0] == "call"


class Roots:
    """Reads the roots in the expressions of one node; `note` takes what differs."""

    def __init__(self, scope: Scope, note: Callable[[str], None]) -> None:
        self.scope = scope
        self.note = note

    def read(self, name: str, steps: list[Step]) -> tuple[Expr, list[Step]] | None:
        """The data that a root stands for, and what is left behind it.

        None for what is no root of n8n's.
        """
        found = (
            self._of_items(name, steps)
            or self._of_the_present(name, steps)
            or self._of_the_run(name, steps)
        )
        if found is None and name.startswith("$"):
            raise NotRead(f"{name} has no counterpart here")
        return found

    def _of_items(self, name: str, steps: list[Step]) -> tuple[Expr, list[Step]] | None:
        """The data of this node's item, or of another node's."""
        match name:
            case "$json":
                return self._data(None, steps)
            case "$input":
                return self._items(None, steps)
            case "$node" if steps and steps[0][0] == "key":
                return self._of_node(self._name_of(steps[0][1]), steps[1:])
            case "$" if steps and is_call(steps[0]) and len(steps[0][1]) == 1:
                return self._items(self._name_of(steps[0][1][0]), steps[1:])
            case "$items" if steps and is_call(steps[0]) and len(steps[0][1]) <= 1:
                node = self._name_of(steps[0][1][0]) if steps[0][1] else None
                return self._indexed(node, steps[1:])
            case "$item" if len(steps) > 2 and _is_key(steps[1], "$node"):
                return self._of_node(self._name_of(steps[2][1]), steps[3:])
        return None

    def _of_the_present(
        self, name: str, steps: list[Step]
    ) -> tuple[Expr, list[Step]] | None:
        """`$now`, `$today`, `new Date()` and `Date.now()`."""
        if name == "new Date":
            if not steps or steps[0] != ("call", (), False):
                raise NotRead("a date that is made of something has no counterpart")
            steps = steps[1:]
        elif name == "DateTime" and steps and _is_key(steps[0], "now", "local"):
            steps = steps[2:]
        elif name == "Date" and steps and _is_key(steps[0], "now"):
            pass
        elif name not in ("$now", "$today"):
            return None
        if not steps and name != "$today":
            self.note(SAID)
            return NOW, steps
        if (
            len(steps) < 2
            or not is_call(steps[1])
            or not isinstance(steps[0][1], Const)
        ):
            raise NotRead(f"{name} has no counterpart here")
        method = str(steps[0][1].value)
        if name == "$today" and method not in ("toISODate", "format", "toFormat"):
            raise NotRead(f"$today.{method}() has no counterpart here")
        found = moment(method, steps[1][1])
        self.note(SAID)
        return found, steps[2:]

    def _of_the_run(
        self, name: str, steps: list[Step]
    ) -> tuple[Expr, list[Step]] | None:
        """What n8n knows of the execution, the workflow and its surroundings."""
        if name == "$resumeWebhookUrl":
            return self.scope.resume_address(), steps
        if name == "$itemIndex":
            place = "index" if self.scope.in_loop else "0"
            return Expr(place, "number", atom=True), steps
        key = steps[0][1] if steps and steps[0][0] == "key" else None
        word = key.value if isinstance(key, Const) else None
        if not isinstance(word, str):
            return None
        found: Expr | None = None
        match name, word:
            case "$execution", "id":
                found = Expr("run.id", "text", atom=True)
            case "$execution", "resumeUrl":
                found = self.scope.resume_address()
            case "$workflow", "name":
                found = literal(self.scope.workflow_name)
            case "$workflow", "id":
                self.note("$workflow.id is the workflow's short name here")
                found = Expr("run.workflow", "text", atom=True)
            case "$env" | "$vars", _:
                found = self.scope.variable(word)
        return None if found is None else (found, steps[1:])

    def _name_of(self, tree: Any) -> str:
        if isinstance(tree, Const) and isinstance(tree.value, str):
            return tree.value
        raise NotRead("a node's name that is computed")

    def _of_node(self, node: str, steps: list[Step]) -> tuple[Expr, list[Step]]:
        if steps and _is_key(steps[0], "json", "data"):
            return self._data(node, steps[1:])
        raise NotRead("only the data (.json) of a node is known here")

    def _items(self, node: str | None, steps: list[Step]) -> tuple[Expr, list[Step]]:
        """`.item.json`, `.first().json`, `.last().json`, `.all()[0].json`."""
        if steps and _is_key(steps[0], "item"):
            steps = steps[1:]
        elif len(steps) > 1 and _is_key(steps[0], "first", "last", "itemMatching"):
            if _is_key(steps[0], "last", "itemMatching"):
                self.note("there is one item here: the last one is the first")
            steps = steps[2:]
        elif len(steps) > 2 and _is_key(steps[0], "all") and is_call(steps[1]):
            return self._indexed(node, steps[2:])
        else:
            raise NotRead("lists of items have no counterpart here")
        if steps and _is_key(steps[0], "json"):
            return self._data(node, steps[1:])
        raise NotRead("only the data (.json) of an item is known here")

    def _indexed(self, node: str | None, steps: list[Step]) -> tuple[Expr, list[Step]]:
        is_first = steps and steps[0][0] == "key" and steps[0][1] == Const(0)
        if is_first and len(steps) > 1 and _is_key(steps[1], "json"):
            return self._data(node, steps[2:])
        raise NotRead("lists of items have no counterpart here")

    def _data(self, node: str | None, steps: list[Step]) -> tuple[Expr, list[Step]]:
        """As many plain keys as there are, read from the node's data."""
        path: list[Key] = []
        maybe = False
        for position, step in enumerate(steps):
            key = step[1]
            plain = isinstance(key, Const) and isinstance(key.value, str | int)
            if step[0] != "key" or not plain or isinstance(key.value, bool):
                break
            called = steps[position + 1 : position + 2]
            if (called and is_call(called[0])) or key.value == "length":
                break
            path.append(key.value)
            maybe = maybe or step[2]
        found = self.scope.read(node, tuple(path))
        if maybe and found.kind == "path":
            found = Expr(f"{found.source} | default(none)")
        return found, steps[len(path) :]

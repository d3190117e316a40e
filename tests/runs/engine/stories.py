"""What stories of the engine are about: graphs, and the world that receives effects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.runs.flows import calling, edge, given, loop, node
from tests.runs.kinds import sent, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Retry

WEATHER = ("fine", "busy", "refusing", "silent")
FEW = {"max_attempts": 3, "initial": 60}
ITEMS = (10, 20, 30)
PAYLOAD = "{{ trigger.payload.n }}"
CALLEE = "called-by-stories"

Graph = dict[str, Any]


def effect(key: str, value: str = PAYLOAD, **more: Any) -> Graph:
    """A step that sends a value, as the weather lets it, and gives it back."""
    config = {"value": value}
    return told(key, "send", sends=True, retry=FEW, config=config, **more)


def of(key: str) -> str:
    """The value that this step gave."""
    return f"{{{{ steps.{key}.n }}}}"


def _line() -> Graph:
    first = given("a", n=PAYLOAD)
    return {"nodes": [first, effect("b", of("a")), effect("c", of("b"))]}


def _diamond() -> Graph:
    nodes = [
        effect("a"),
        effect("b", of("a")),
        effect("c", of("a"), on_error="continue"),
        effect("d", of("b")),
    ]
    links = [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")]
    return {"nodes": nodes, "connections": links}


def _rescue() -> Graph:
    nodes = [effect("a", on_error="branch"), effect("b", of("a")), effect("c")]
    return {"nodes": nodes, "connections": [edge("a", "b"), edge("a", "c", "failure")]}


def _once() -> Graph:
    return {"nodes": [effect("once", on_unknown="fail"), effect("b", of("once"))]}


def _approval() -> Graph:
    ask = node("ask", "approval", {"message": "Go on?", "timeout": "1h"})
    nodes = [effect("a"), ask, effect("b", of("a")), effect("c"), effect("d", of("a"))]
    links = [
        edge("a", "ask"),
        edge("ask", "b"),
        edge("ask", "c", "rejected"),
        edge("a", "d"),
    ]
    return {"nodes": nodes, "connections": links}


def _answer() -> Graph:
    hook = node("hook", "wait_for_webhook", {"timeout": "1h"})
    nodes = [effect("a"), hook, effect("b", of("a")), effect("c"), effect("d")]
    links = [
        edge("a", "hook"),
        edge("hook", "b", "received"),
        edge("hook", "c", "timeout"),
        edge("a", "d"),
    ]
    return {"nodes": nodes, "connections": links}


def _delay() -> Graph:
    return {"nodes": [effect("a"), node("w", "delay", {"duration": 60}), effect("b")]}


def _continue() -> Graph:
    each = effect("each", "{{ item }}")
    over = loop("loop", list(ITEMS), each, concurrency=2, on_item_error="continue")
    nodes = [effect("a"), over, effect("b"), effect("c")]
    links = [edge("a", "loop"), edge("loop", "b"), edge("loop", "c", "item_failed")]
    return {"nodes": nodes, "connections": links}


def _stop() -> Graph:
    ask = node("inner", "wait_for_webhook", {"timeout": "1h"})
    body = [effect("each", "{{ item }}"), ask, effect("then", of("each"))]
    links = [edge("each", "inner"), edge("each", "then")]
    over = loop("loop", list(ITEMS), *body, concurrency=2, connections=links)
    over["config"]["output"] = {"n": of("then")}
    return {"nodes": [over, effect("b")]}


def _call() -> Graph:
    asked = {"n": PAYLOAD}
    then = effect("b", "{{ steps.call.output.n }}")
    return {"nodes": [effect("a"), calling("call", CALLEE, asked), then]}


def called() -> list[Graph]:
    """The steps of the workflow that `call` runs."""
    return [effect("x"), effect("y", of("x"))]


GRAPHS: dict[str, Callable[[], Graph]] = {
    "line": _line,
    "diamond": _diamond,
    "rescue": _rescue,
    "once": _once,
    "approval": _approval,
    "answer": _answer,
    "delay": _delay,
    "continue": _continue,
    "stop": _stop,
    "call": _call,
}


@dataclass
class World:
    """What lies outside of the engine: the receiver, and what it was sent.

    `values` and `keys` hold what the effects of each (run, step) carried; `ended` the
    graphs of which a story went to its end.
    """

    weather: str = "fine"
    ended: set[str] = field(default_factory=set)
    sent: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    values: dict[tuple[str, str], set[Any]] = field(
        default_factory=lambda: defaultdict(set)
    )
    keys: dict[tuple[str, str], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def begin_again(self) -> None:
        """Another story."""
        self.weather = "fine"
        for seen in (self.sent, self.values, self.keys):
            seen.clear()

    def send(self, context: Context) -> Outcome:
        """The deed of every step that sends."""
        step, value = (context.run.id, context.node_id), context.config["value"]
        self.keys[step].add(context.idempotency_key)
        self.values[step].add(value)
        error = ErrorInfo("Weather", self.weather)
        match self.weather:
            case "fine":
                self.sent[step] += 1
                return Done({"n": value}, sent())
            case "busy":
                return Retry(error, attempt=sent(outcome="rejected"))
            case "silent":
                self.sent[step] += 1
                return Retry(error, attempt=sent(outcome="unknown"))
            case _:
                return Fail(error, attempt=sent(outcome="rejected"))

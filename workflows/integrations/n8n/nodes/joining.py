"""Nodes that wait, bring branches together, or do nothing."""

from __future__ import annotations

from typing import Any

from workflows.integrations.n8n.data import Combined, Listed, Plain, Through
from workflows.integrations.n8n.expr import literal
from workflows.integrations.n8n.flow import DONE
from workflows.integrations.n8n.nodes.base import (
    Job,
    Made,
    Unsupported,
    converts,
    gathers,
)
from workflows.integrations.n8n.source import listed, mapping, number, text

gathers("aggregate", "summarize", "itemLists", "limit")
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_LONGEST = 366 * 86_400
_EMPTY: dict[str, Any] = {"values": {}}


@converts("noOp")
def no_operation(job: Job) -> Made:
    if any(value not in ({}, None, "") for value in job.parameters.values()):
        job.note(
            "it does nothing, as in n8n, but has settings of another node: it was "
            f"probably replaced before the export{_was(job)}"
        )
    elif job.node.credentials:
        job.note(f"it does nothing, as in n8n, but signs in{_was(job)}")
    return Made("set", dict(_EMPTY), Through(job.node.name))


def _was(job: Job) -> str:
    return f" ({job.node.notes[:120]})" if job.node.notes else ""


@converts("merge")
def merge(job: Job) -> Made:
    """A step begins when all connections into it are decided: that is the waiting."""
    inputs = _inputs(job)
    mode = job.plain("mode", "append")
    if mode == "combine":
        default = "combineByPosition" if job.node.version < 3 else "combineByFields"
        mode = job.plain("combineBy", job.plain("combinationMode", default))
    match mode:
        case "append" | "passThrough":
            if mode == "passThrough":
                return _chosen(job, inputs, job.plain("output", "input1"))
            if len(inputs) > 1:
                job.note(
                    "n8n hands on the items of all inputs one by one; here what "
                    "follows happens once, with the data of the first input that ran"
                )
            return Made("set", dict(_EMPTY), Through(job.node.name))
        case "chooseBranch":
            chosen = job.parameters.get("useDataOfInput", job.parameters.get("output"))
            return _chosen(job, inputs, text(chosen) or "input1")
        case "wait":
            return Made("set", dict(_EMPTY), Through(job.node.name))
        case "combineByPosition" | "mergeByPosition" | "mergeByIndex":
            return _combined(job, inputs)
        case "combineAll" | "multiplex":
            return _combined(job, inputs)
    raise Unsupported(f'it merges lists of items ("{mode[:40]}")')


def _inputs(job: Job) -> list[list[str]]:
    """The nodes at each input, in the order of the inputs."""
    flow = job.data.flow
    level = flow.levels[flow.level_of[job.node.name]]
    found: dict[int, list[str]] = {}
    for edge in sorted(level.into(job.node.name), key=lambda edge: edge.input):
        found.setdefault(edge.input, []).append(edge.source)
    return list(found.values())


def _chosen(job: Job, inputs: list[list[str]], which: str) -> Made:
    position = int(number(which.removeprefix("input"), 1)) - 1
    if not 0 <= position < len(inputs) or len(inputs[position]) != 1:
        raise Unsupported(f'it hands on "{which[:20]}", which is not one node')
    if which == "empty":
        return Made("set", dict(_EMPTY), Plain(job.root))
    output = Combined((inputs[position][0],), job.node.name)
    return Made("set", dict(_EMPTY), output)


def _combined(job: Job, inputs: list[list[str]]) -> Made:
    if not inputs or any(len(names) != 1 for names in inputs):
        raise Unsupported("several connections lead to one of its inputs")
    if len(inputs) > 1:
        job.note("one item of each input is combined: n8n combines lists of them")
    output = Combined(tuple(names[0] for names in inputs), job.node.name)
    return Made("set", dict(_EMPTY), output)


@converts("wait")
def wait(job: Job) -> Made:
    resume = job.plain("resume", "timeInterval")
    if resume == "timeInterval":
        newer = job.node.version >= 1.1
        amount = job.parameters.get("amount", 5 if newer else 1)
        unit = job.plain("unit", "seconds" if newer else "hours")
        return Made(
            "delay", {"duration": _duration(job, amount, unit)}, Through(job.node.name)
        )
    if resume == "specificTime":
        until = job.values.text(job.parameters.get("dateTime", ""))
        if not until:
            raise Unsupported("it does not say until when it waits")
        job.note("a time without an offset is UTC here")
        return Made("delay", {"until": until}, Through(job.node.name))
    if resume == "webhook":
        return _webhook(job)
    raise Unsupported(f'it waits for "{resume[:40]}"')


def _duration(job: Job, amount: Any, unit: str) -> Any:
    factor = _SECONDS.get(unit)
    if factor is None:
        raise Unsupported(f'it waits for a number of "{unit[:20]}"')
    if isinstance(amount, str) and amount.startswith("="):
        found = job.values.expression(amount)
        product = (
            f"{found.operand} | float"
            if factor == 1
            else f"({found.operand} | float) * {factor}"
        )
        return job.values.scope.checked(f"{{{{ {product} }}}}")
    seconds = number(amount, -1) * factor
    if not 0 <= seconds <= _LONGEST:
        raise Unsupported("it waits longer than 366 days, or for no number")
    return int(seconds) if seconds == int(seconds) else seconds


def _webhook(job: Job) -> Made:
    config: dict[str, Any] = {}
    if job.parameters.get("limitWaitTime") is True:
        amount = job.parameters.get("resumeAmount", 1)
        unit = text(job.parameters.get("resumeUnit")) or "hours"
        seconds = number(amount, 1) * _SECONDS.get(unit, 3600)
        config["timeout"] = int(min(max(seconds, 1), _LONGEST))
        job.note("when nobody calls in time the step fails, and n8n goes on")
    else:
        config["timeout"] = "366d"
        job.note(
            "it waits 366 days at most, and the workflow's run_timeout ends it earlier"
        )
    if text(job.parameters.get("httpMethod")) not in ("POST", "PUT"):
        job.note("whoever resumes it calls its address with POST or PUT")
    output = Plain(f"{job.root}.payload", "body")
    return Made("wait_for_webhook", config, output)


@converts("stopAndError")
def stop_and_error(job: Job) -> Made:
    """A step that fails with the message."""
    given = job.parameters
    if text(given.get("errorType")) == "errorObject":
        message = job.values.text(given.get("errorObject", ""))
    else:
        message = job.values.text(given.get("errorMessage", given.get("message", "")))
    config = {"reason": message or "the workflow stops here"}
    return Made("placeholder", config, Plain(job.root), ports={})


@converts("aggregate")
def aggregate(job: Job) -> Made:
    """Gathers what a loop gave; without a loop there is one item."""
    given = job.parameters
    whole = text(given.get("aggregate")) == "aggregateAllItemData"
    results = _results(job)
    if whole:
        name = text(given.get("destinationFieldName")) or "data"
        found = results or f"[{job.input().source}]"
        values = {name: job.values.scope.checked(f"{{{{ {found} }}}}")}
        if results is None:
            job.note("there is one item here")
        return Made("set", {"values": values}, Plain(job.root))
    values = {}
    for item in listed(mapping(given.get("fieldsToAggregate")).get("fieldToAggregate")):
        path = text(mapping(item).get("fieldToAggregate"))
        name = text(mapping(item).get("outputFieldName")) or path.rpartition(".")[2]
        if not path:
            continue
        attribute = literal(path).source
        if results is not None:
            found = f"{results} | map(attribute={attribute}) | select('!=', none)"
        else:
            keys = tuple(path.split("."))
            found = f"[{job.values.scope.read(None, keys).source}]"
            job.note("there is one item here")
        values[name] = job.values.scope.checked(f"{{{{ {found} }}}}")
    if not values:
        raise Unsupported("it names no fields")
    return Made("set", {"values": values}, Plain(job.root))


def _results(job: Job) -> str | None:
    """What the loop before it gave, when it follows one."""
    flow = job.data.flow
    level = flow.levels[flow.level_of[job.node.name]]
    for edge in level.into(job.node.name):
        found = job.data.outputs.get(edge.source)
        if isinstance(found, Listed):
            # A turn that a filter stopped gives none, and n8n no item.
            return (
                f"{found.root} | select('!=', none)"
                if edge.output == DONE
                else found.root
            )
    return None


@converts("limit")
def limit(job: Job) -> Made:
    job.note("there is one item here, so that there is nothing to limit")
    return Made("set", dict(_EMPTY), Through(job.node.name))

"""IF, Filter, Switch: which way the data goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.integrations.n8n.conditions import (
    filter_condition,
    old_condition,
    old_conditions,
)
from workflows.integrations.n8n.data import Through
from workflows.integrations.n8n.nodes.base import Job, Made, Unsupported, converts
from workflows.integrations.n8n.source import listed, mapping, number, text

MOST_OUTPUTS = 100


@converts("if")
def if_node(job: Job) -> Made:
    condition = _condition(job)
    return Made(
        "branch",
        {"condition": job.checked_condition(condition)},
        Through(job.node.name),
        ports={0: ["true"], 1: ["false"]},
    )


@converts("filter")
def filter_node(job: Job) -> Made:
    condition = job.checked_condition(_condition(job))
    return Made("filter", {"condition": condition}, Through(job.node.name))


def _condition(job: Job) -> str:
    given = mapping(job.parameters.get("conditions"))
    if "conditions" in given or "combinator" in given or job.node.version >= 2:
        return filter_condition(job.values, given, loose=_is_loose(job.parameters))
    combine = text(job.parameters.get("combineOperation"))
    combine = combine or text(job.parameters.get("combineConditions")).lower()
    if combine == "or":
        combine = "any"
    return old_conditions(job.values, given, combine)


def _is_loose(parameters: Mapping[str, Any]) -> bool:
    option = mapping(parameters.get("options")).get("looseTypeValidation")
    return parameters.get("looseTypeValidation", option) is True


@converts("switch")
def switch(job: Job) -> Made:
    mode = job.plain("mode", "rules")
    if mode == "expression":
        return _by_number(job)
    rules = mapping(job.parameters.get("rules"))
    if job.node.version >= 3 or "values" in rules:
        listing = listed(rules.get("values")) or listed(rules.get("rules"))
        if listing and "conditions" in mapping(listing[0]):
            return _by_conditions(job, listing)
    return _by_rules(job, listed(rules.get("rules")))


def _by_number(job: Job) -> Made:
    """The expression gives the number of the output."""
    if "output" not in job.parameters:
        raise Unsupported("it chooses by the number of the item")
    value = job.values.expression(job.parameters["output"])
    given = job.parameters.get("numberOutputs", job.parameters.get("outputsAmount", 4))
    count = int(min(max(number(given, 4), 1), MOST_OUTPUTS))
    source = value.operand if value.kind == "number" else f"{value.operand} | int(-1)"
    cases = [{"name": f"output-{index}", "equals": index} for index in range(count)]
    template = job.values.scope.checked(f"{{{{ {source} }}}}")
    return _made(job, cases, list(range(count)), None, {"value": template})


def _by_conditions(job: Job, listing: list[Any]) -> Made:
    """Since version 3: each rule has conditions of its own."""
    names = _names([text(mapping(rule).get("outputKey")) for rule in listing])
    cases = []
    for name, rule in zip(names, listing, strict=True):
        given = mapping(mapping(rule).get("conditions"))
        loose = _is_loose(job.parameters)
        if job.options.get("ignoreCase") is True:
            options = {**mapping(given.get("options")), "caseSensitive": False}
            given = {**given, "options": options}
        condition = filter_condition(job.values, given, loose=loose)
        cases.append({"name": name, "condition": job.checked_condition(condition)})
    if job.options.get("allMatchingOutputs") is True:
        job.note("only the first output that fits is taken, not all of them")
    fallback = job.options.get("fallbackOutput")
    return _made(
        job, cases, list(range(len(cases))), _fallback(fallback, len(cases)), {}
    )


def _by_rules(job: Job, listing: list[Any]) -> Made:
    """Versions 1 and 2: one value, compared by each rule."""
    kind = job.plain("dataType", "number")
    left = job.parameters.get("value1")
    names = _names([text(mapping(rule).get("outputKey")) for rule in listing])
    cases, outputs = [], []
    for position, (name, rule) in enumerate(zip(names, listing, strict=True)):
        given = mapping(rule)
        condition = old_condition(job.values, kind, given, left)
        cases.append({"name": name, "condition": job.checked_condition(condition)})
        # In version 1 a rule names its output; since then its place is its output.
        is_first = job.node.version < 2
        outputs.append(int(number(given.get("output"), 0)) if is_first else position)
    fallback = job.parameters.get("fallbackOutput", job.options.get("fallbackOutput"))
    return _made(job, cases, outputs, _fallback(fallback, len(cases)), {})


def _fallback(given: Any, count: int) -> int | None:
    if given in ("extra", "last"):
        return count
    found = int(number(given, -1))
    return found if found >= 0 else None


def _made(
    job: Job,
    cases: list[dict[str, Any]],
    outputs: list[int],
    fallback: int | None,
    config: dict[str, Any],
) -> Made:
    """`outputs` has the output of each case; several cases may share one."""
    if not cases:
        raise Unsupported("it has no rules")
    ports: dict[int, list[str]] = {}
    for case, output in zip(cases, outputs, strict=True):
        ports.setdefault(output, []).append(case["name"])
    if fallback is not None:
        ports.setdefault(fallback, []).append("default")
    return Made(
        "switch",
        {**config, "cases": cases},
        Through(job.node.name),
        ports=ports,
    )


def _names(given: list[str]) -> list[str]:
    """A name for each case: n8n's if it is plain, and there once."""
    names: list[str] = []
    for position, wanted in enumerate(given):
        plain = "".join(c if c.isalnum() and c.isascii() else "-" for c in wanted)
        name = plain.strip("-").lower()[:50] or f"output-{position}"
        if name in names or name in ("default", "success", "failure"):
            name = f"{name}-{position}"
        names.append(name)
    return names

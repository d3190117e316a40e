"""Lists that are gone through item by item."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workflows.integrations.n8n.data import Item, Listed
from workflows.integrations.n8n.expr import with_path
from workflows.integrations.n8n.flow import DONE, LoopPorts
from workflows.integrations.n8n.nodes.base import (
    Job,
    Made,
    Unsupported,
    converts,
    loops,
)
from workflows.integrations.n8n.nodes.paths import lodash_path
from workflows.integrations.n8n.source import Node, number, text

PLAIN = "noOtherFields"


@loops("splitInBatches")
def batches(node: Node) -> LoopPorts:
    """Since version 3 the output of the end is the first one."""
    return LoopPorts(each=1, done=0) if node.version >= 3 else LoopPorts(each=0, done=1)


@loops("splitOut")
def items(node: Node) -> LoopPorts:  # noqa: ARG001 - it has one output
    return LoopPorts(each=0, gathers=True)


@converts("splitInBatches")
def split_in_batches(job: Job) -> Made:
    size = number(job.parameters.get("batchSize"), 10 if job.node.version < 3 else 1)
    if size != 1:
        job.note("items are taken one by one, not in batches")
    if job.options.get("reset") not in (None, False):
        job.note("it cannot be reset")
    arrived = job.input()
    flow = job.data.flow
    for edge in flow.levels[flow.level_of[job.node.name]].into(job.node.name):
        if edge.source in job.data.items and edge.source not in flow.levels:
            item = replace(job.data.items[edge.source], loop=job.node.name)
            job.data.items[job.node.name] = item
            return _loop(job, arrived.source)
    source = (
        f"{arrived.operand} if {arrived.operand} is sequence else [{arrived.source}]"
    )
    return _loop(job, source)


@converts("splitOut")
def split_out(job: Job) -> Made:
    name = text(job.parameters.get("fieldToSplitOut")).strip().removeprefix("$json.")
    if name.startswith("=") or not name or "," in name:
        raise Unsupported("it splits several fields, or one that is computed")
    dotted = job.options.get("disableDotNotation") is not True
    found = job.values.scope.read(None, lodash_path(name) if dotted else (name,))
    job.data.items[job.node.name] = _item(job, name)
    flow = job.data.flow
    if job.node.name in flow.levels or job.node.name in flow.broken:
        return _loop(job, found.source)
    # Nothing behind it, or a loop, which has the list.
    template = job.values.scope.checked(f"{{{{ {found.source} }}}}")
    output = Listed(with_path(job.root, ("items",)))
    return Made("set", {"values": {"items": template}}, output)


def _item(job: Job, name: str) -> Item:
    """Where n8n puts what it split out: an object's fields stand by themselves."""
    named = text(job.options.get("destinationFieldName")).strip()
    include = text(job.parameters.get("include")) or PLAIN
    if include == PLAIN:
        return Item(job.node.name, named or name, nested=bool(named))
    return Item(job.node.name, named or name, nested=True, others=job.node.name)


def _loop(job: Job, source: str) -> Made:
    reason = job.data.flow.broken.get(job.node.name)
    if reason:
        raise Unsupported(f"its loop has no form here: {reason}")
    template = job.values.scope.checked(f"{{{{ {source} }}}}")
    job.note(
        "each item is a run of its own; what comes after the loop happens once, and "
        "reads all results"
    )
    config: dict[str, Any] = {"items": template, "concurrency": 1}
    output = Listed(with_path(job.root, ("results",)))
    return Made("for_each", config, output, ports={DONE: ["success"]})

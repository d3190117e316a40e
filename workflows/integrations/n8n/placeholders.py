"""Steps that stand where a node is not converted, and keep what it was."""

from __future__ import annotations

import json
from typing import Any

from workflows.integrations.n8n.source import Node
from workflows.integrations.n8n.templates import escaped

KEPT = 8_000  # characters of a node's parameters that a placeholder keeps
_WHY = {
    "code": "code in JavaScript or Python does not run here",
    "function": "code in JavaScript does not run here",
    "functionItem": "code in JavaScript does not run here",
}


def why_not(node: Node) -> str:
    """Why nothing converts a node of this type."""
    return _WHY.get(node.kind, "this node has no counterpart here")


def stands_for(
    node: Node, reason: str, *, passes: bool, bare: bool = False
) -> dict[str, Any]:
    """A placeholder's config: what it tells those who replace it.

    A run that reaches it goes on with `passes`, else fails. `bare` leaves out the
    node's parameters.
    """
    config: dict[str, Any] = {
        "was": escaped(f"{node.type} {node.version:g}"[:200]),
        "reason": escaped(reason[:1_000]),
        "reached": "pass" if passes else "fail",
    }
    if node.parameters and not bare:
        kept = json.dumps(dict(node.parameters), ensure_ascii=False, indent=1)
        more = "\n[cut]" if len(kept) > KEPT else ""
        config["parameters"] = escaped(kept[:KEPT] + more)
    return config


def leads_back(id_: str, target: str) -> dict[str, Any]:
    """The step in which a circle to the node `target` ends."""
    reason = (
        f'n8n goes back to "{target}" here: steps are repeated by for_each, or by a '
        "retry of the step that asks"
    )
    config = {"was": "a connection back", "reason": escaped(reason), "reached": "fail"}
    return {
        "id": id_,
        "type": "placeholder",
        "name": f"Back to {target}"[:200],
        "config": config,
    }

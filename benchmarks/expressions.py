"""What one render costs: `python -m benchmarks.expressions` prints microseconds."""

from __future__ import annotations

import timeit
from typing import Any

from workflows.expressions import parse, render, truth

SCOPE: dict[str, Any] = {
    "trigger": {
        "payload": {
            "order": {"id": 7, "lines": [{"price": 2.5, "count": 3}] * 100},
            "user": {"name": "Ada"},
        }
    },
    "steps": {"action-1": {"status": 200}},
    "variables": {"region": "eu"},
}
KNOWN = frozenset({"action-1", *(f"step-{number}" for number in range(500))})

TREES: dict[str, Any] = {
    "one path": "{{ trigger.payload.order.id }}",
    "a filter within text": "Hello {{ trigger.payload.user.name | upper }}!",
    "a hyphenated step": "{{ action-1.status }}",
    "default": "{{ trigger.payload.nowhere | default('none') }}",
    "100 items mapped and added": (
        "{{ trigger.payload.order.lines | map(attribute='price') | sum }}"
    ),
    "a request of 12 fields, 4 templates": {
        "method": "POST",
        "url": "https://crm.example.com/{{ variables.region }}/hook",
        "headers": {"Content-Type": "application/json", "Accept": "*/*"},
        "body": {
            "id": "{{ trigger.payload.order.id }}",
            "name": "{{ trigger.payload.user.name }}",
            "status": "{{ action-1.status }}",
            "kind": "order",
            "flags": ["a", "b"],
            "count": 1,
        },
    },
    "100 fields, no template": {f"field{n}": "plain text" for n in range(100)},
}


def microseconds(call: Any) -> float:
    """The best of five rounds, for one call."""
    timer = timeit.Timer(call)
    rounds, _ = timer.autorange()
    return min(timer.repeat(5, rounds)) / rounds * 1e6


def main() -> None:
    """Print a line for each kind of tree."""
    for name, tree in TREES.items():
        cost = microseconds(lambda tree=tree: render(tree, SCOPE, known_names=KNOWN))
        print(f"{cost:9.2f} us  {name}")
    cost = microseconds(
        lambda: truth("{{action-1.status}} == 200", SCOPE, known_names=KNOWN)
    )
    print(f"{cost:9.2f} us  a condition")
    fresh = iter(range(10**9))
    cost = microseconds(lambda: parse(f"{{{{ trigger.a{next(fresh)} | upper }}}}"))
    print(f"{cost:9.2f} us  reading a template for the first time")


if __name__ == "__main__":
    main()

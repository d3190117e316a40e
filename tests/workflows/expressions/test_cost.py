"""What a template may cost: CPU time, whatever else the machine does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from workflows.expressions import render, truth

SCOPE: dict[str, Any] = {
    "trigger": {"payload": {"order": {"id": 7}, "user": {"name": "Ada"}}},
    "steps": {"action-1": {"status": 200}},
    "variables": {"region": "eu"},
}
KNOWN = frozenset({"action-1", *(f"step-{number}" for number in range(500))})
MOST = 50e-6  # seconds; `python -m benchmarks.expressions` tells the figures
SLOWER = 5  # so much slower may a machine be than the one that was measured


def cheapest(call: Callable[[], object]) -> float:
    """Seconds of CPU for one call, the best of twenty rounds."""
    costs = []
    for _ in range(20):
        before = time.thread_time()
        for _ in range(100):
            call()
        costs.append((time.thread_time() - before) / 100)
    return min(costs)


@pytest.mark.parametrize(
    "source",
    [
        "{{ trigger.payload.order.id }}",
        "Hello {{ trigger.payload.user.name | upper }}!",
        "{{ action-1.status }}",
        "{{ trigger.payload.nowhere | default('none') }}",
        {"id": "{{ trigger.payload.order.id }}", "region": "{{ variables.region }}"},
    ],
)
def test_a_typical_template_costs_less_than_fifty_microseconds(source: Any) -> None:
    cost = cheapest(lambda: render(source, SCOPE, known_names=KNOWN))
    assert cost < SLOWER * MOST


def test_so_does_a_condition() -> None:
    source = "{{action-1.status}} == 200"
    cost = cheapest(lambda: truth(source, SCOPE, known_names=KNOWN))
    assert cost < SLOWER * MOST

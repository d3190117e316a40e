"""The engine as a state machine: any story, and its invariants after each step.

What is asserted stands in machine.py and invariants.py: `Engine` checks the invariants
after each step of a story, and in the end that every run has ended.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.runs.engine.machine import Engine
from tests.runs.engine.stories import GRAPHS, World
from tests.runs.kinds import teach


def tell(monkeypatch: pytest.MonkeyPatch, *, stories: int, steps: int) -> set[str]:
    """So many stories of each graph, of so many steps; the graphs that came to the end.

    One that fails is told as it is: to make it shorter takes longer than a test may.
    """
    world = World()
    teach(monkeypatch, send=world.send)
    monkeypatch.setattr(Engine, "world", world, raising=False)
    how = settings(
        max_examples=stories,
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.reuse, Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    for graph in GRAPHS:
        monkeypatch.setattr(Engine, "graph", graph, raising=False)
        run_state_machine_as_test(Engine, settings=how)
    return world.ended


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("engine")
def test_no_story_breaks_an_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail with late results that are recorded, a cancel without its guard,
    keys that hold the attempt's number, children counted one too few or twice, a
    redrive without the outputs that it carries over, interrupted steps that are not
    marked, and answers that come under a lease and are not read."""
    assert tell(monkeypatch, stories=1, steps=40) == set(GRAPHS)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("engine")
def test_no_long_story_does_either(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tell(monkeypatch, stories=2, steps=50) == set(GRAPHS)

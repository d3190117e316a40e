"""What history keeps of a step's input: enough to read, not all of a large one."""

from __future__ import annotations

import json

import pytest

from runs.engine.perform import SHOWN
from tests.runs.drains import Hand
from tests.runs.flows import given, publish, started, step

pytestmark = pytest.mark.usefixtures("engine")


def test_a_large_input_is_cut_and_its_output_is_not(hand: Hand) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    run = started(publish(given("a", lines="{{ trigger.payload }}")), lines)
    hand.claim()
    hand.finish()

    row = step(run, "a")
    assert row.output == {"lines": lines}
    assert len(json.dumps(row.input)) < 2 * SHOWN
    assert row.input["values"]["lines"][-1].endswith(" more]")

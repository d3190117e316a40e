"""Which failed runs still need a person."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Run
from runs.services.unrepaired import unrepaired
from tests.makers import make_run, make_step

pytestmark = pytest.mark.django_db


def open_ones() -> set[Run]:
    return set(unrepaired(Run.objects.all()))


def redriven(run: Run, status: str, **fields: Any) -> Run:
    return make_run(
        run.workflow, status=status, replay_of=run, root_run=run.root_run or run,
        parent=run.parent, parent_node=run.parent_node, item_index=run.item_index,
        **fields,
    )  # fmt: skip


def child(parent: Run, status: str, step: str = "failed", **fields: Any) -> Run:
    node = fields.setdefault("parent_node", "call")
    if not parent.step_runs.filter(node_id=node).exists():
        make_step(parent, node, status=step)
    root = parent.root_run or parent
    return make_run(
        parent.workflow, status=status, parent=parent, root_run=root, **fields
    )


@pytest.mark.parametrize("status", ["failed", "dead_letter"])
def test_what_failed_needs_somebody(status: str) -> None:
    run = make_run(status=status)
    for other in ("queued", "running", "succeeded", "cancelled"):
        make_run(status=other)
    assert open_ones() == {run}


def test_an_event_counts_once_however_often_it_failed() -> None:
    first = make_run(status="failed")
    second = redriven(first, "failed")
    assert open_ones() == {second}
    third = redriven(second, "dead_letter")
    assert open_ones() == {third}
    fourth = redriven(first, "failed")
    assert open_ones() == {fourth}


@pytest.mark.parametrize("status", ["queued", "running", "succeeded", "cancelled"])
def test_somebody_has_seen_to_it(status: str) -> None:
    redriven(redriven(make_run(status="failed"), "failed"), status)
    assert open_ones() == set()


def test_a_redrive_that_succeeded_outweighs_a_later_one_that_failed() -> None:
    first = make_run(status="failed")
    redriven(first, "succeeded")
    redriven(first, "failed")
    assert open_ones() == set()


def test_another_event_s_redrive_mends_nothing() -> None:
    run = make_run(status="failed")
    other = make_run(run.workflow, status="failed")
    redriven(other, "succeeded")
    assert open_ones() == {run}


def test_children_that_succeeded_do_not_mend_their_parent() -> None:
    parent = make_run(status="failed")
    for index in range(3):
        child(parent, "succeeded", item_index=index)
    assert open_ones() == {parent}


def test_children_that_failed_are_their_parent_s_affair() -> None:
    parent = make_run(status="failed")
    child(parent, "failed", item_index=0)
    child(parent, "failed", parent_node="books")
    tolerant = make_run(status="succeeded")
    child(tolerant, "failed", "succeeded", item_index=0)
    assert open_ones() == {parent}


def test_a_run_that_nobody_waits_for_is_a_run_of_its_own() -> None:
    parent = make_run(status="succeeded")
    alone = child(parent, "failed", "succeeded")
    assert open_ones() == {alone}
    other = child(parent, "failed", "succeeded", parent_node="second")
    redriven(other, "succeeded")
    assert open_ones() == {alone}
    redriven(alone, "running")
    assert open_ones() == set()

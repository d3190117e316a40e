"""The page of a run that was started by another one, and of that one."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from runs.admin.run_children import FEW
from runs.engine.sql import FAR
from runs.models import Job, Run
from tests.makers import make_job, make_run
from tests.runs.admin.test_run_page import found, page_of

pytestmark = pytest.mark.django_db


def family(count: int) -> tuple[Run, list[Run]]:
    """A run, and the items of its loop."""
    parent = make_run()
    same: Any = {
        "workflow": parent.workflow,
        "version": parent.version,
        "parent": parent,
    }
    items = [
        make_run(**same, parent_node="each", item_index=index, depth=1)
        for index in range(count)
    ]
    return parent, items


def test_a_parent_names_its_children_with_step_and_item() -> None:
    parent, items = family(2)
    text = page_of(parent)
    for index, child in enumerate(items):
        assert f"each, item {index}: <a" in text
        assert str(child.pk) in text


def test_many_children_are_counted_by_status_each_with_its_list() -> None:
    parent, items = family(FEW + 2)
    Run.objects.filter(pk=items[0].pk).update(
        status="failed", finished_at=timezone.now()
    )
    text = page_of(parent)
    assert str(items[-1].pk) not in text
    assert f"{FEW + 1} under way</a>" in text
    assert "1 failed</a>" in text
    assert f"?parent={parent.pk}&amp;parent_node=each" in text
    here = {"parent": str(parent.pk), "parent_node": "each"}
    assert found(**here) == set(items)
    assert found(**here, status="failed") == {items[0]}


def test_a_child_names_its_parent_the_step_and_the_item() -> None:
    parent, items = family(2)
    text = page_of(items[1])
    assert f"<code>{parent.pk}</code></a>, step each, item 1" in text
    assert "a step of another run" in text


def test_a_held_child_is_not_due_in_the_year_9999() -> None:
    _, (child,) = family(1)
    make_job(child)
    Job.objects.filter(run=child).update(due_at=FAR)
    text = page_of(child)
    assert "when another run has ended" in text
    assert "9999" not in text

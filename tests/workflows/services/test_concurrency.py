"""Several people at once: the workflow's lock puts them in order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from workflows.models import Workflow, WorkflowVersion
from workflows.services import (
    DocumentError,
    EditConflict,
    StateRefused,
    create_workflow,
    publish,
    save_draft,
)

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 6


def document(duration: int, **more: Any) -> dict[str, Any]:
    steps = [{"id": "wait", "type": "delay", "config": {"duration": duration}}]
    return {"name": "D", "steps": steps, **more}


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """What each caller got: a value, or the refusal."""
    barrier = Barrier(PEOPLE)

    def one(number: int) -> Any:
        try:
            barrier.wait(60)
            return work(number)
        except (DocumentError, EditConflict, StateRefused) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(PEOPLE) as pool:
        return list(pool.map(one, range(PEOPLE)))


def test_publishing_at_once_numbers_each_version_once() -> None:
    workflow = create_workflow(document(100), by=None).workflow

    def save_and_publish(number: int) -> int:
        mine = Workflow.objects.get(pk=workflow.pk)
        save_draft(mine, document(number), by=None)
        return publish(mine, by=None).number

    numbers = at_once(save_and_publish)
    assert all(isinstance(number, int) for number in numbers)
    versions = WorkflowVersion.objects.filter(workflow=workflow).order_by("number")
    assert [v.number for v in versions] == list(range(1, len(versions) + 1))
    workflow.refresh_from_db()
    assert workflow.published == versions.last()


def test_the_same_draft_published_at_once_is_one_version() -> None:
    workflow = create_workflow(document(1), by=None, publish=False).workflow
    at_once(lambda _: publish(Workflow.objects.get(pk=workflow.pk), by=None))
    assert workflow.versions.count() == 1


def test_of_those_who_edit_the_same_state_one_wins() -> None:
    workflow = create_workflow(document(1), by=None).workflow
    seen = workflow.edit_count

    def edit(number: int) -> str:
        mine = Workflow.objects.get(pk=workflow.pk)
        given = document(10 + number)
        save_draft(mine, given, by=None, expected_edit_count=seen)
        return "saved"

    results = at_once(edit)
    assert results.count("saved") == 1
    assert sum(isinstance(one, EditConflict) for one in results) == PEOPLE - 1


def test_of_those_who_take_a_path_at_once_one_wins() -> None:
    hook = [{"kind": "webhook", "config": {"path": "contested"}}]

    def create(number: int) -> str:
        return create_workflow(
            document(1, slug=f"w{number}", triggers=hook), by=None
        ).workflow.slug

    results = at_once(create)
    winners = [one for one in results if isinstance(one, str)]
    assert len(winners) == 1
    slugs = Workflow.objects.values_list("slug", flat=True)
    assert list(slugs) == winners

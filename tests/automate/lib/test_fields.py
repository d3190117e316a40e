"""JSON columns that keep the order of their author."""

from __future__ import annotations

import pytest

from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db

# jsonb would put the short keys first.
DEFINITION = {"zebra": 1, "a": {"longer": [1, {"z": 0, "b": None}], "k": "é"}, "mm": 2}


@pytest.fixture
def version() -> WorkflowVersion:
    workflow = Workflow.objects.create(slug="w", name="W", definition=DEFINITION)
    return WorkflowVersion.objects.create(
        workflow=workflow, number=1, definition=DEFINITION, sha256="0"
    )


def test_keys_come_back_in_the_order_of_their_author(version: WorkflowVersion) -> None:
    stored = WorkflowVersion.objects.get(pk=version.pk).definition

    assert stored == DEFINITION
    assert list(stored) == list(DEFINITION)
    assert list(stored["a"]) == ["longer", "k"]


def test_an_update_keeps_it_too(version: WorkflowVersion) -> None:
    Workflow.objects.filter(pk=version.workflow_id).update(definition={"y": 1, "b": 2})

    assert list(Workflow.objects.get().definition) == ["y", "b"]


def test_a_key_can_be_selected(version: WorkflowVersion) -> None:
    found = WorkflowVersion.objects.values_list("definition__a", "definition__mm")

    assert found.get() == (DEFINITION["a"], 2)


@pytest.mark.parametrize("value", ["text", 5, None, [], True])
def test_any_json_is_kept(version: WorkflowVersion, value: object) -> None:
    version.workflow.definition = {"it": value}
    version.workflow.save()

    assert Workflow.objects.get().definition == {"it": value}

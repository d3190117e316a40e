"""Rolling back to a version: itself, its triggers, and nothing of what came since."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry
from tests.makers import make_user
from workflows.models import Secret, Trigger, Workflow, WorkflowVersion
from workflows.services import (
    DocumentError,
    EditConflict,
    StateRefused,
    add_trigger,
    archive,
    create_workflow,
    deactivate,
    diff_draft,
    diff_versions,
    publish,
    rollback,
    save_draft,
    set_trigger_active,
)

pytestmark = pytest.mark.django_db


def document(*names: str, **more: Any) -> dict[str, Any]:
    steps = [
        {"id": name, "type": "set", "config": {"values": {"name": name}}}
        for name in names
    ]
    return {"name": "Orders", "slug": "orders", "steps": steps, **more}


def hook(path: str, **more: Any) -> dict[str, Any]:
    return {"kind": "webhook", "config": {"scheme": "none", "path": path}, **more}


def versions(*documents: dict[str, Any]) -> Workflow:
    """A workflow whose documents were published one after the other."""
    workflow = create_workflow(documents[0], by=None).workflow
    for one in documents[1:]:
        save_draft(workflow, one, by=None)
        publish(workflow, by=None)
    return workflow


def paths(workflow: Workflow) -> dict[str | None, bool]:
    rows = Trigger.objects.filter(workflow=workflow).order_by("id")
    return {row.path: row.is_active for row in rows}


def test_the_published_pointer_moves_to_that_very_version() -> None:
    workflow = versions(document("a"), document("a", "b"), document("c"))
    first = WorkflowVersion.objects.get(workflow=workflow, number=1)
    done = rollback(workflow, 1, by=None)
    assert done.version == first
    assert done.is_new is False
    assert workflow.published == first
    assert WorkflowVersion.objects.filter(workflow=workflow).count() == 3


def test_the_draft_becomes_what_the_version_says() -> None:
    workflow = versions(document("a"), document("b"))
    save_draft(workflow, document("half", "done"), by=None)
    before = workflow.edit_count
    rollback(workflow, 1, by=None)
    assert [node["id"] for node in workflow.definition["nodes"]] == ["a"]
    assert workflow.edit_count == before + 1
    assert diff_draft(workflow) == []


def test_forward_is_possible_too() -> None:
    workflow = versions(document("a"), document("b"))
    rollback(workflow, 1, by=None)
    rollback(workflow, 2, by=None)
    assert workflow.published is not None
    assert workflow.published.number == 2


def test_the_next_publish_gets_the_next_number() -> None:
    workflow = versions(document("a"), document("b"))
    rollback(workflow, 1, by=None)
    save_draft(workflow, document("c"), by=None)
    assert publish(workflow, by=None).number == 3


def test_triggers_follow_the_version() -> None:
    workflow = versions(
        document("a", triggers=[hook("old"), hook("both", node_id="n")]),
        document("a", "b", triggers=[hook("new"), hook("both", node_id="n")]),
    )
    key = Trigger.objects.get(path="both").key
    assert paths(workflow) == {"new": True, "both": True}
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"old": True, "both": True}
    assert Trigger.objects.get(path="both").key == key


def test_a_trigger_that_a_later_version_dropped_takes_events_again() -> None:
    workflow = versions(
        document("a", triggers=[hook("in", node_id="n")]), document("a", "b")
    )
    assert paths(workflow) == {None: False}
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"in": True}


def test_a_trigger_that_was_switched_off_by_hand_stays_off() -> None:
    triggers = [hook("in"), hook("other")]
    workflow = versions(
        document("a", triggers=triggers), document("b", triggers=triggers)
    )
    row = Trigger.objects.get(path="in")
    set_trigger_active(row, active=False, by=None)
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"in": False, "other": True}
    save_draft(workflow, workflow.definition, by=None)
    assert publish(workflow, by=None).number == 1
    assert paths(workflow) == {"in": False, "other": True}


def test_another_trigger_makes_another_version_a_switch_does_not() -> None:
    workflow = versions(document("a", triggers=[hook("x")]))
    set_trigger_active(Trigger.objects.get(path="x"), active=False, by=None)
    assert publish(workflow, by=None).number == 1
    save_draft(workflow, document("a", triggers=[hook("y")]), by=None)
    assert publish(workflow, by=None).number == 2
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"x": True}


def test_a_version_from_before_versions_knew_triggers_leaves_them() -> None:
    workflow = versions(
        document("a", triggers=[hook("x", start=["a"])]),
        document("b", triggers=[hook("y", start=["b"])]),
    )
    WorkflowVersion.objects.filter(number=1).update(triggers=None)
    done = rollback(workflow, 1, by=None)
    assert paths(workflow) == {"y": True}
    assert workflow.definition["triggers"][0]["config"]["path"] == "y"
    assert any("which this version does not have" in str(w) for w in done.warnings)


def test_triggers_made_by_hand_stay_when_the_version_says_nothing_of_triggers() -> None:
    workflow = versions(document("a"), document("b"))
    Trigger.objects.create(workflow=workflow, kind="manual")
    rollback(workflow, 1, by=None)
    assert list(Trigger.objects.values_list("kind", "is_active")) == [("manual", True)]


def test_one_made_beside_the_version_stays_and_the_next_version_tells_of_it() -> None:
    workflow = create_workflow(document("a"), by=None).workflow
    config = {"scheme": "none", "path": "beside"}
    add_trigger(workflow, "webhook", config, by=None)
    workflow.refresh_from_db()
    save_draft(workflow, {**document("b"), **_triggers_of(workflow)}, by=None)
    assert publish(workflow, by=None).triggers
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"beside": True}
    assert _triggers_of(workflow)["triggers"][0]["config"]["path"] == "beside"
    save_draft(workflow, {**document("c"), **_triggers_of(workflow)}, by=None)
    third = publish(workflow, by=None)
    assert [one["config"]["path"] for one in third.triggers or ()] == ["beside"]
    assert paths(workflow) == {"beside": True}


def test_forward_again_a_step_s_trigger_is_on_beside_one_made_by_hand() -> None:
    workflow = create_workflow(document("a"), by=None).workflow
    add_trigger(workflow, "webhook", {"scheme": "none", "path": "beside"}, by=None)
    both = [hook("beside"), hook("in", node_id="n")]
    save_draft(workflow, document("b", triggers=both), by=None)
    publish(workflow, by=None)
    rollback(workflow, 1, by=None)
    assert paths(workflow) == {"beside": True, None: False}
    rollback(workflow, 2, by=None)
    assert paths(workflow) == {"beside": True, "in": True}


def _triggers_of(workflow: Workflow) -> dict[str, Any]:
    return {"triggers": workflow.definition["triggers"]}


def test_a_stale_edit_count_is_a_conflict_and_changes_nothing() -> None:
    workflow = versions(document("a"), document("b"))
    seen = workflow.edit_count
    save_draft(workflow, document("c"), by=None)
    with pytest.raises(EditConflict):
        rollback(workflow, 1, by=None, expected_edit_count=seen)
    workflow.refresh_from_db()
    assert workflow.published is not None
    assert workflow.published.number == 2
    rollback(workflow, 1, by=None, expected_edit_count=workflow.edit_count)


def test_a_version_that_is_not_there_is_refused() -> None:
    workflow = versions(document("a"))
    with pytest.raises(StateRefused, match="There is no version 7"):
        rollback(workflow, 7, by=None)


def test_a_version_of_another_workflow_is_not_there() -> None:
    workflow = versions(document("a"))
    versions({**document("x"), "slug": "other"}, {**document("y"), "slug": "other"})
    with pytest.raises(StateRefused):
        rollback(workflow, 2, by=None)


def test_an_archived_workflow_is_refused_an_inactive_one_stays_inactive() -> None:
    workflow = versions(document("a"), document("b"))
    deactivate(workflow, by=None)
    rollback(workflow, 1, by=None)
    assert workflow.status == Workflow.Status.INACTIVE
    archive(workflow, by=None)
    with pytest.raises(StateRefused, match="archived"):
        rollback(workflow, 2, by=None)


def test_what_a_version_needs_and_is_gone_is_told_with_its_place() -> None:
    call = {
        "id": "call",
        "type": "http_request",
        "config": {"url": "https://x.test", "headers": {"X": "{{ secrets.GONE }}"}},
    }
    Secret.objects.create(name="GONE", value="v")
    workflow = versions({**document(), "steps": [call]}, document("b"))
    Secret.objects.all().delete()
    with pytest.raises(DocumentError) as caught:
        rollback(workflow, 1, by=None)
    assert [problem.path for problem in caught.value.problems] == [
        "nodes[0].config.headers.X"
    ]
    workflow.refresh_from_db()
    assert workflow.published is not None
    assert workflow.published.number == 2


def test_a_path_that_another_workflow_took_since_is_refused() -> None:
    workflow = versions(
        document("a", triggers=[hook("x")]), document("b", triggers=[hook("y")])
    )
    create_workflow({**document("z", triggers=[hook("x")]), "slug": "other"}, by=None)
    with pytest.raises(DocumentError, match="is taken"):
        rollback(workflow, 1, by=None)
    assert paths(workflow) == {"y": True}


def test_what_publishing_would_warn_of_is_told() -> None:
    """A call of a workflow that is not there, a wait that outlasts its run."""
    call = {"id": "call", "type": "run_workflow", "config": {"workflow": "nowhere"}}
    wait = {"id": "ask", "type": "wait_for_webhook", "config": {"timeout": "7d"}}
    first = {**document("a"), "steps": [call, wait], "run_timeout": "1h"}
    workflow = versions(first, document("b"))

    told = [str(warning) for warning in rollback(workflow, 1, by=None).warnings]

    assert any("nowhere" in warning for warning in told), told
    assert any("run_timeout" in warning for warning in told), told


def test_schedules_follow_once(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = versions(document("a"), document("b"))
    followed = []
    monkeypatch.setattr(
        "workflows.services.scheduling.follow", lambda one: followed.append(one.pk)
    )
    rollback(workflow, 1, by=None)
    assert followed == [workflow.pk]


def test_it_is_audited_with_the_person_both_numbers_and_the_note() -> None:
    person = make_user()
    workflow = versions(document("a"), document("b"))
    rollback(workflow, 1, by=person, note="b sends twice")
    entry = AuditEntry.objects.get(action="workflow.rollback")
    assert entry.user == person
    assert entry.changes == {"version": 1, "from": 2, "note": "b sends twice"}


class TestDifferences:
    def test_between_versions(self) -> None:
        workflow = versions(document("a"), document("a", "b"))
        second, first = workflow.versions.order_by("-number")
        assert [str(change) for change in diff_versions(first, second)] == [
            'Step "b" (set) added',
            'Connection "a" -> "b" added',
        ]

    def test_between_the_published_version_and_the_draft(self) -> None:
        workflow = versions(document("a"))
        assert diff_draft(workflow) == []
        save_draft(workflow, document("a", variables={"x": 1}), by=None)
        assert [str(change) for change in diff_draft(workflow)] == [
            'Variable "x" added: 1'
        ]

    def test_between_an_earlier_version_and_the_draft(self) -> None:
        workflow = versions(document("a"), document("b"))
        first = workflow.versions.get(number=1)
        assert len(diff_draft(workflow, first)) == 2

    def test_a_draft_with_problems_is_compared_too(self) -> None:
        workflow = versions(document("a"))
        steps = [{"id": "a", "type": "nope", "config": {}}]
        save_draft(workflow, {"steps": steps}, by=None)
        assert [change.kind for change in diff_draft(workflow)] == [
            "step_type_changed",
            "config_changed",
        ]

    def test_what_was_never_published_has_nothing_to_compare_with(self) -> None:
        workflow = create_workflow(document("a"), by=None, publish=False).workflow
        with pytest.raises(StateRefused, match="never published"):
            diff_draft(workflow)

"""Creating and saving: names, slugs, conflicts, teams; nothing that runs changes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from automate.accounts.models import ApiKey, AuditEntry, Team, User
from workflows.models import Secret, Trigger, Workflow
from workflows.services import (
    DocumentError,
    EditConflict,
    check_document,
    create_workflow,
    document_of,
    publish,
    save_draft,
)

pytestmark = pytest.mark.django_db

STEPS = [{"name": "wait", "type": "delay", "config": {"duration": 2}}]
PEOPLE = (
    {
        "nodes": [
            {
                "id": "trigger-1",
                "type": "webhook",
                "config": {"method": "POST", "path": "/webhook/abc123"},
            },
            {
                "id": "action-1",
                "type": "http_request",
                "config": {
                    "url": "https://api.example.com/data",
                    "method": "POST",
                    "headers": {"Content-Type": "application/json"},
                    "body": "{{trigger.payload}}",
                },
            },
        ],
        "connections": [{"from": "trigger-1", "to": "action-1"}],
    },
    {
        "id": "my-workflow",
        "name": "Demo Workflow",
        "description": "A sample workflow",
        "steps": [
            {"name": "delay", "type": "delay", "config": {"duration": 2}},
            {
                "name": "notify",
                "type": "webhook",
                "config": {
                    "url": "https://httpbin.org/post",
                    "method": "POST",
                    "headers": {"Content-Type": "application/json"},
                    "body": {"message": "Hello from workflow!"},
                },
            },
        ],
    },
)


def test_a_bare_graph_gets_a_name_and_its_webhook() -> None:
    result = create_workflow(PEOPLE[0], by=None)
    assert result.workflow.name == "Untitled workflow"
    assert result.workflow.slug.startswith("workflow-")
    row = result.workflow.triggers.get()
    assert (row.node_id, row.path) == ("trigger-1", "webhook/abc123")
    assert row.config == {"scheme": "none", "methods": ["POST"]}
    assert row.start == ["action-1"]
    assert [w.path for w in result.warnings] == ["nodes[0]"]


def test_a_line_of_steps_is_published_under_its_id() -> None:
    result = create_workflow(PEOPLE[1], by=None)
    assert result.workflow.slug == "my-workflow"
    assert result.workflow.status == "active"
    assert result.version is not None
    kinds = [node["type"] for node in result.version.definition["nodes"]]
    assert kinds == ["delay", "http_request"]


def test_a_draft_status_publishes_nothing() -> None:
    document = {"name": "D", "status": "draft", "steps": STEPS}
    result = create_workflow(document, by=None)
    assert (result.version, result.workflow.status) == (None, "draft")


def test_a_draft_may_be_unsound_and_says_so() -> None:
    result = create_workflow(
        {"name": "D", "status": "draft", "steps": [{"type": "nope"}]}, by=None
    )
    assert [problem.path for problem in result.problems] == ["steps[0].type"]


def test_what_no_draft_can_hold_is_refused() -> None:
    with pytest.raises(DocumentError, match="must be a list"):
        create_workflow({"name": "D", "status": "draft", "steps": 3}, by=None)
    assert not Workflow.objects.exists()


def test_an_unsound_document_creates_nothing() -> None:
    with pytest.raises(DocumentError):
        create_workflow({"name": "D", "steps": [{"type": "nope"}]}, by=None)
    assert not Workflow.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_slug_made_from_a_name_gets_a_number_a_given_one_is_refused() -> None:
    document = {"name": "Night Shift", "steps": STEPS}
    slugs = [create_workflow(document, by=None).workflow.slug for _ in range(2)]
    assert slugs == ["night-shift", "night-shift-2"]
    with pytest.raises(DocumentError) as error:
        create_workflow({**document, "slug": "night-shift"}, by=None)
    assert [problem.path for problem in error.value.problems] == ["slug"]


def test_a_refusal_leaves_the_callers_transaction_usable() -> None:
    with transaction.atomic():
        with pytest.raises(DocumentError):
            create_workflow({"name": "D", "steps": STEPS, "team": "nobodys"}, by=None)
        assert not Workflow.objects.exists()


def test_saving_changes_the_draft_and_not_what_runs() -> None:
    workflow = create_workflow({"name": "D", "steps": STEPS}, by=None).workflow
    published = workflow.published
    longer = [{"name": "wait", "type": "delay", "config": {"duration": 9}}]
    result = save_draft(workflow, {"name": "E", "steps": longer}, by=None)
    assert (workflow.name, workflow.published) == ("E", published)
    assert result.workflow is workflow
    assert published is not None
    assert published.definition["nodes"][0]["config"] == {"duration": 2}
    assert workflow.definition["nodes"][0]["config"] == {"duration": 9}


def test_what_a_document_does_not_say_stays() -> None:
    given = {"name": "D", "tags": ["a"], "run_timeout": "1h", "steps": STEPS}
    workflow = create_workflow(given, by=None).workflow
    save_draft(workflow, {"steps": STEPS}, by=None)
    assert (workflow.name, workflow.tags, workflow.run_timeout) == ("D", ["a"], 3600)


def test_null_takes_a_limit_away() -> None:
    given = {"name": "D", "max_concurrent_runs": 3, "steps": STEPS}
    workflow = create_workflow(given, by=None).workflow
    save_draft(workflow, {"steps": STEPS, "max_concurrent_runs": None}, by=None)
    assert workflow.max_concurrent_runs is None


@pytest.mark.parametrize("written", ["urgent", 0, 0.0])
def test_a_priority_is_a_name_or_a_number(written: Any) -> None:
    document = {
        **PEOPLE[1],
        "priority": written,
        "exclusive": "{{ trigger.payload.id }}",
    }
    workflow = create_workflow(document, by=None).workflow
    workflow.refresh_from_db()
    assert workflow.priority == Workflow.Priority.URGENT
    assert workflow.exclusive == "{{ trigger.payload.id }}"
    exported = document_of(workflow)
    assert exported["priority"] == "urgent"
    assert exported["exclusive"] == "{{ trigger.payload.id }}"
    save_draft(
        workflow, {**PEOPLE[1], "exclusive": None, "priority": "normal"}, by=None
    )
    assert workflow.exclusive == ""
    assert "priority" not in document_of(workflow)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("priority", "highest", 'must be one of "urgent", "high", "normal", "low"'),
        ("priority", 4, "must be one of"),
        ("priority", True, "must be one of"),
        ("exclusive", "customer", "must hold an expression"),
        ("exclusive", "{{ steps.a.x }}", 'cannot use "steps"'),
        ("exclusive", "{{ nope", "not closed"),
    ],
)
def test_limits_that_cannot_be_are_refused(key: str, value: Any, words: str) -> None:
    (problem,) = check_document({**PEOPLE[1], key: value})
    assert problem.path == key
    assert words in problem.message


def test_a_stale_save_is_a_conflict_and_changes_nothing() -> None:
    workflow = create_workflow({"name": "D", "steps": STEPS}, by=None).workflow
    seen = workflow.edit_count
    save_draft(
        workflow, {"name": "E", "steps": STEPS}, by=None, expected_edit_count=seen
    )
    with pytest.raises(EditConflict):
        save_draft(
            workflow, {"name": "F", "steps": STEPS}, by=None, expected_edit_count=seen
        )
    workflow.refresh_from_db()
    assert (workflow.name, workflow.edit_count) == ("E", seen + 1)


def test_the_same_draft_again_is_no_edit() -> None:
    workflow = create_workflow({"name": "D", "steps": STEPS}, by=None).workflow
    before = workflow.edit_count
    save_draft(workflow, {"name": "D", "steps": STEPS}, by=None)
    publish(workflow, by=None)
    assert workflow.edit_count == before


def test_a_literal_is_a_secret_from_the_first_save() -> None:
    headers = {"Authorization": "Bearer tok-canary"}
    config = {"url": "https://a.example.com", "headers": headers}
    document = {"name": "D", "steps": [{"type": "http_request", "config": config}]}
    result = create_workflow(document, by=None, publish=False)
    assert "canary" not in repr(Workflow.objects.values().get())
    assert Secret.objects.get().value == "tok-canary"
    assert len(result.messages) == 1


def test_a_person_names_only_their_own_teams() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    document = {"name": "D", "team": "sales", "steps": STEPS}
    user = User.objects.create_user("ann@example.com")
    for stranger_team in ("sales", "nosuch"):
        with pytest.raises(DocumentError, match="there is no team"):
            create_workflow({**document, "team": stranger_team}, by=user)
    user.teams.add(team)
    workflow = create_workflow(document, by=user).workflow
    assert (workflow.team, workflow.owner) == (team, user)


def test_a_key_acts_for_its_user() -> None:
    user = User.objects.create_user("ann@example.com")
    key, _ = ApiKey.objects.issue(user, "ci", ["workflows:write"])
    result = create_workflow({"name": "D", "steps": STEPS}, by=key)
    assert result.workflow.owner == user
    assert result.version is not None
    assert result.version.created_by == user
    assert set(AuditEntry.objects.values_list("api_key", flat=True)) == {key.pk}


def test_a_drafts_trigger_lists_survive_the_database() -> None:
    triggers = [{"kind": "api"}, {"kind": "webhook", "config": {"path": "p"}}]
    document = {"name": "D", "steps": STEPS, "triggers": triggers}
    workflow = create_workflow(document, by=None, publish=False).workflow
    assert not Trigger.objects.exists()
    publish(workflow, by=None)
    rows = workflow.triggers.order_by("id")
    assert [(row.kind, row.path) for row in rows] == [("api", None), ("webhook", "p")]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "name"),
        ({"slug": "no spaces"}, "slug"),
        ({"slug": "a", "id": "b"}, "id"),
        ({"status": "paused"}, "status"),
        ({"run_timeout": 0}, "run_timeout"),
        ({"run_timeout": "soon"}, "run_timeout"),
        ({"max_concurrent_runs": "many"}, "max_concurrent_runs"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"search_keys": {"a": "{{ steps.x }}"}}, "search_keys.a"),
        ({"search_keys": {"a": "{{ nope("}}, "search_keys.a"),
        ({"search_keys": dict.fromkeys("abcd", "x")}, "search_keys"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_problems_of_the_workflows_own_keys_have_their_place(
    change: dict[str, Any], path: str
) -> None:
    found = check_document({"name": "D", "steps": STEPS, **change})
    assert [problem.path for problem in found] == [path]


def test_what_is_no_duration_is_told_how_durations_are_written() -> None:
    (found,) = check_document({"name": "D", "steps": STEPS, "run_timeout": "2 hours"})
    assert found.message == (
        "'2 hours' is not a duration: use seconds (30, 2.5) or a text such as "
        '"500ms", "5m", "1h30m" or "2d".'
    )


def test_everything_is_told_at_once() -> None:
    found = check_document(
        {
            "slug": "no spaces",
            "steps": [{"type": "delay", "config": {}}, {"type": "nope"}],
            "triggers": [{"kind": "webhook", "config": {"scheme": "pgp"}}, {"kind": 3}],
        }
    )
    assert [problem.path for problem in found] == [
        "slug",
        "steps[0].config",
        "steps[1].type",
        "triggers[0].config.scheme",
        "triggers[1].kind",
    ]


def test_checking_touches_no_database(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert check_document({"name": "D", "steps": STEPS}) == []

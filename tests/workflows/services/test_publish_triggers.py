"""Triggers made and changed by publishing: keys, paths, secrets, those made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.services.test_publish import HTTP, document, draft, problems
from workflows.models import Trigger, Workflow
from workflows.services import (
    DocumentError,
    create_workflow,
    publish,
    publish_in_full,
    save_draft,
)

pytestmark = pytest.mark.django_db


def hook(path: str) -> dict[str, Any]:
    return {"kind": "webhook", "config": {"scheme": "none", "path": path}}


def test_a_trigger_keeps_its_key_and_secret_over_publishes() -> None:
    workflow = draft(
        triggers=[
            {
                "kind": "webhook",
                "config": {"scheme": "github"},
                "secret": "s3cret-value",
            }
        ]
    )
    publish(workflow, by=None)
    first = workflow.triggers.get()
    assert first.secret == "s3cret-value"
    changed = {"kind": "webhook", "config": {"scheme": "github", "events": ["push"]}}
    save_draft(workflow, document(triggers=[changed]), by=None)
    publication = publish_in_full(workflow, by=None)
    row = workflow.triggers.get()
    assert (row.pk, row.key, row.secret) == (first.pk, first.key, "s3cret-value")
    assert row.config["events"] == ["push"]
    assert publication.new_secrets == {}


def test_a_scheme_that_needs_a_secret_gets_one_shown_once() -> None:
    workflow = draft()
    publication = publish_in_full(workflow, by=None)
    row = workflow.triggers.get()
    assert publication.new_secrets == {row.pk: row.secret}
    assert len(row.secret) == 64
    assert publish_in_full(workflow, by=None).new_secrets == {}
    assert row.secret not in repr(publication)


def test_a_standard_webhooks_secret_is_a_whsec() -> None:
    workflow = draft(
        triggers=[{"kind": "webhook", "config": {"scheme": "standard_webhooks"}}]
    )
    publish(workflow, by=None)
    assert workflow.triggers.get().secret.startswith("whsec_")


def test_a_webhook_without_a_scheme_gets_none_and_a_warning() -> None:
    workflow = draft(triggers=[{"kind": "webhook"}])
    publication = publish_in_full(workflow, by=None)
    row = workflow.triggers.get()
    assert row.config == {"scheme": "none"}
    assert row.secret is None
    assert [w.path for w in publication.warnings] == ["triggers[0]"]
    assert "no signature scheme" in publication.warnings[0].message


def test_a_trigger_gone_from_the_document_is_deactivated_and_comes_back_as_itself() -> (
    None
):
    workflow = draft(
        triggers=[{"kind": "webhook", "config": {"scheme": "github", "path": "hook"}}]
    )
    publish(workflow, by=None)
    before = workflow.triggers.get()
    save_draft(workflow, document(triggers=[]), by=None)
    publish(workflow, by=None)
    gone = workflow.triggers.get()
    assert (gone.is_active, gone.path) == (False, None)
    save_draft(
        workflow,
        document(
            triggers=[
                {"kind": "webhook", "config": {"scheme": "github", "path": "hook"}}
            ]
        ),
        by=None,
    )
    publish(workflow, by=None)
    back = workflow.triggers.get()
    assert (back.pk, back.key, back.path, back.is_active) == (
        before.pk,
        before.key,
        "hook",
        True,
    )


def test_trigger_nodes_are_matched_by_their_id_whatever_their_order() -> None:
    def nodes(*ids: str) -> dict[str, Any]:
        triggers = [
            {"id": i, "type": "webhook", "config": {"scheme": "none", "path": i}}
            for i in ids
        ]
        found = document(nodes=[*triggers, {"id": "notify", **HTTP}])
        del found["steps"], found["triggers"]
        return found

    workflow = create_workflow(nodes("one", "two"), by=None).workflow
    keys = {row.node_id: row.key for row in workflow.triggers.all()}
    save_draft(workflow, nodes("two", "one"), by=None)
    publish(workflow, by=None)
    assert {row.node_id: row.key for row in workflow.triggers.all()} == keys


def test_two_triggers_may_trade_their_paths() -> None:
    def nodes(**paths: str) -> dict[str, Any]:
        triggers = [
            {"id": i, "type": "webhook", "config": {"path": p}}
            for i, p in paths.items()
        ]
        found = document(nodes=[*triggers, {"id": "notify", **HTTP}])
        del found["steps"], found["triggers"]
        return found

    workflow = create_workflow(nodes(one="a", two="b"), by=None).workflow
    save_draft(workflow, nodes(one="b", two="a"), by=None)
    publish(workflow, by=None)
    assert {row.node_id: row.path for row in workflow.triggers.all()} == {
        "one": "b",
        "two": "a",
    }


def test_a_path_of_another_workflow_is_refused_by_place() -> None:
    hook = [{"kind": "webhook", "config": {"path": "hook"}}]
    create_workflow(document(triggers=hook), by=None)
    with pytest.raises(DocumentError) as error:
        create_workflow(document(slug="other", triggers=hook), by=None)
    assert problems(error) == {"triggers[0].config.path": '"hook" is taken'}
    assert not Workflow.objects.filter(slug="other").exists()


@pytest.mark.parametrize(
    ("theirs", "ours"), [("webhook/hook", "hook"), ("hook", "webhook/hook")]
)
def test_a_path_with_and_without_webhook_is_one_address(theirs: str, ours: str) -> None:
    other = document(slug="other", triggers=[hook(theirs)])
    create_workflow(other, by=None)
    with pytest.raises(DocumentError, match="is taken"):
        create_workflow(document(triggers=[hook(ours)]), by=None)
    with pytest.raises(DocumentError, match="is the same address"):
        create_workflow(document(triggers=[hook("x"), hook("webhook/x")]), by=None)


def test_a_path_cannot_shadow_another_triggers_key() -> None:
    victim = create_workflow(document(), by=None).workflow.triggers.get()
    hook = [{"kind": "webhook", "config": {"path": victim.key}}]
    with pytest.raises(DocumentError, match="is taken"):
        create_workflow(document(slug="other", triggers=hook), by=None)


def test_triggers_made_by_hand_survive_a_document_without_triggers() -> None:
    given = document()
    del given["triggers"]
    workflow = create_workflow(given, by=None, publish=False).workflow
    row = Trigger.objects.create(
        workflow=workflow, kind="webhook", config={"scheme": "github"}
    )
    publication = publish_in_full(workflow, by=None)
    row.refresh_from_db()
    assert row.is_active
    assert publication.new_secrets == {row.pk: row.secret}


def test_a_hand_made_trigger_that_starts_a_missing_step_is_told() -> None:
    given = document()
    del given["triggers"]
    workflow = create_workflow(given, by=None, publish=False).workflow
    Trigger.objects.create(workflow=workflow, kind="manual", start=["gone"])
    warnings = publish_in_full(workflow, by=None).warnings
    assert any("gone" in warning.message for warning in warnings)

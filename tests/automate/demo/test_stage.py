"""What the demonstration puts into the database, once."""

from __future__ import annotations

import pytest

from automate.accounts.models import AuditEntry, Team, User
from automate.demo import stage
from workflows import services
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
HERE = "http://127.0.0.1:8001/notify"
THERE = "http://127.0.0.1:9001/notify"


def test_the_first_time_makes_account_team_workflow_and_webhook() -> None:
    made = stage.prepare(HERE)

    assert made.user.email == stage.OPERATOR
    assert made.user.check_password(made.password)
    assert made.user.is_staff
    assert list(made.user.teams.all()) == [Team.objects.get(slug="demo")]
    assert made.is_new
    assert made.workflow.status == Workflow.Status.ACTIVE
    assert made.workflow.team == Team.objects.get(slug="demo")
    assert made.trigger.config["scheme"] == "github"
    assert made.trigger.secret
    version = made.workflow.published
    assert version is not None
    assert version.definition["variables"]["notify_url"] == HERE


def test_the_second_time_finds_it_all() -> None:
    first = stage.prepare(HERE)
    again = stage.prepare(HERE)

    assert again.password == ""
    assert not again.is_new
    assert (again.user, again.workflow, again.trigger) == (
        first.user, first.workflow, first.trigger,
    )  # fmt: skip
    assert WorkflowVersion.objects.count() == 1


def test_a_receiver_elsewhere_makes_a_new_version_and_keeps_the_address() -> None:
    first = stage.prepare(HERE)
    again = stage.prepare(THERE)

    assert again.trigger.key == first.trigger.key
    assert again.trigger.secret == first.trigger.secret
    version = again.workflow.published
    assert version is not None
    assert version.number == 2
    assert version.definition["variables"]["notify_url"] == THERE
    assert version.definition["nodes"] == first.workflow.definition["nodes"]


def test_an_account_that_exists_keeps_its_password() -> None:
    User.objects.create_user("Operator@Example.com", "a password of their own")

    made = stage.prepare(HERE)

    assert made.password == ""
    assert made.user.check_password("a password of their own")
    assert User.objects.count() == 1


@pytest.mark.parametrize("move", [services.deactivate, services.archive])
def test_a_workflow_that_was_switched_off_stays_off(move: object) -> None:
    assert callable(move)
    made = stage.prepare(HERE)
    move(made.workflow, made.user)

    with pytest.raises(stage.CannotStage, match="Activate it in the admin"):
        stage.prepare(HERE)


def test_a_workflow_whose_webhook_is_off_says_so() -> None:
    made = stage.prepare(HERE)
    services.set_trigger_active(made.trigger, active=False, by=made.user)

    with pytest.raises(stage.CannotStage, match="no active webhook"):
        stage.prepare(HERE)


def test_a_draft_that_cannot_be_published_is_told() -> None:
    made = stage.prepare(HERE)
    draft = {**made.workflow.definition, "nodes": [{"id": "x", "type": "nonsense"}]}
    Workflow.objects.filter(pk=made.workflow.pk).update(definition=draft)

    with pytest.raises(stage.CannotStage, match="cannot be published"):
        stage.prepare(THERE)


def test_the_password_is_in_no_audit_and_no_repr() -> None:
    made = stage.prepare(HERE)

    assert made.password not in repr(made)
    kept = str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert made.password not in kept
    assert AuditEntry.objects.filter(action="user.create").count() == 1

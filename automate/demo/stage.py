"""What the demonstration needs in the database: made once, then found again."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from automate.accounts.audit import record
from automate.accounts.models import Team, User
from automate.lib.database import write_transaction
from workflows import services
from workflows.models import Trigger, Workflow

OPERATOR = "operator@example.com"
SLUG = "github-push-notify"
GALLERY = Path(settings.BASE_DIR) / "workflows" / "gallery" / "github_push_notify.yaml"


class CannotStage(Exception):
    """Something in the way, which the message says how to remove."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The account, the workflow and its webhook; `password` only when just made."""

    user: User
    workflow: Workflow
    trigger: Trigger
    password: str = field(default="", repr=False)
    is_new: bool = False


def prepare(deliver_to: str) -> Stage:
    """Account, team, workflow and webhook, delivering to this URL.

    Raises CannotStage.
    """
    user, password = account()
    try:
        workflow, is_new = _workflow(user, deliver_to)
    except services.WorkflowServiceError as error:
        raise CannotStage(f"The workflow {SLUG} cannot be published: {error}") from None
    trigger = workflow.triggers.filter(kind="webhook", is_active=True).first()
    if trigger is None:
        raise CannotStage(f"The workflow {SLUG} has no active webhook any more.")
    return Stage(user, workflow, trigger, password, is_new)


def account() -> tuple[User, str]:
    """The operator's account, and its password when it has just been made."""
    found = User.objects.filter(email__iexact=OPERATOR).first()
    if found is not None:
        return found, ""
    password = secrets.token_urlsafe(12)
    with write_transaction():
        user = User.objects.create_superuser(OPERATOR, password, name="Operator")
        team, _ = Team.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
        user.teams.add(team)
        record("user.create", user, by=None, changes={"for": "the demonstration"})
    return user, password


def _workflow(user: User, deliver_to: str) -> tuple[Workflow, bool]:
    """The workflow, published with this address; True when it is new."""
    found = Workflow.objects.filter(slug=SLUG).first()
    if found is None:
        return _create(user, deliver_to), True
    if found.status != Workflow.Status.ACTIVE:
        raise CannotStage(
            f"The workflow {SLUG} is {found.status}. Activate it in the admin to "
            "play the demonstration again."
        )
    published = found.published
    variables = published.definition.get("variables", {}) if published else {}
    if variables.get("notify_url") != deliver_to:
        draft = copy.deepcopy(found.definition)
        draft["variables"] = {**draft.get("variables", {}), "notify_url": deliver_to}
        services.save_draft(found, {"definition": draft}, by=user)
        services.publish(found, by=user, note="The demonstration's receiver moved")
    return found, False


def _create(user: User, deliver_to: str) -> Workflow:
    loaded = next(iter(services.read_documents(GALLERY.read_bytes())))
    if loaded.document is None:
        raise CannotStage(f"{GALLERY.name}: {loaded.error}")
    document = loaded.document
    document["definition"]["variables"]["notify_url"] = deliver_to
    team = Team.objects.filter(slug="demo", members=user).first()
    return services.create_workflow(document, by=user, team=team).workflow

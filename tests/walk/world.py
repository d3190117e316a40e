"""Two teams with a row of everything each, for the walk over every address."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import ApiKey, AuditEntry, FailedSignIn, Team, User
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, ROLES
from automate.accounts.scopes import scopes_of
from runs.models import (
    Campaign,
    CampaignRun,
    DeliveryAttempt,
    Run,
    RunLog,
    StepRun,
    WaitToken,
    Worker,
)
from tests.admin_world import asking_run, broken_run
from tests.makers import make_user
from webhooks.models import InboundEvent
from workflows import services
from workflows.models import Connection, N8nImport, Secret, Workflow

# In each name of the first team's objects, and nowhere else.
MARK = "zorblax"
OTHER = "quiet"


@dataclass
class Side:
    """A team: its people by role with a key each, and one row for each label."""

    team: Team
    people: dict[str, User]
    rows: dict[str, Model]
    keys: dict[str, str] = field(default_factory=dict)

    def row(self, label: str) -> Any:
        """The row of this model, an id where it names no model."""
        return self.rows[label]


@dataclass
class World:
    """Both teams; `shared` rows are nobody's, of which every role sees the same."""

    mine: Side
    theirs: Side
    shared: dict[str, Model]


def build() -> World:
    """The world; everything of `theirs` carries the mark."""
    return World(_side(OTHER), _side(MARK), _shared())


def _side(word: str) -> Side:
    team = Team.objects.create(name=f"Team {word}", slug=word)
    people = {role: _person(role, team, word) for role in ROLES}
    side = Side(team, people, {})
    for role, person in people.items():
        names = [str(scope) for scope in scopes_of(person)]
        key, plain = ApiKey.objects.issue(person, f"{word} {role} key", names)
        side.keys[role] = plain
        if role == DEVELOPER:
            side.rows["accounts.apikey"] = key
    workflow = _workflow(word, team, people[DEVELOPER])
    side.rows |= {
        "accounts.team": team,
        "accounts.user": people[OPERATOR],
        "accounts.failedsignin": FailedSignIn.objects.create(
            username=people[OPERATOR].email,
            ip_address="192.0.2.1",
            user_agent=word,
            failures_since_start=1,
        ),
        "workflows.workflow": workflow,
        "workflows.workflowversion": workflow.versions.get(),
        "workflows.trigger": workflow.triggers.get(),
        "workflows.secret": Secret.objects.get(team=team, name=word.upper()),
        "workflows.connection": Connection.objects.get(team=team),
        "accounts.auditentry": AuditEntry.objects.filter(
            object_id=str(workflow.pk)
        ).earliest("pk"),
    }
    _history(side, word, workflow)
    return side


def _person(role: str, team: Team, word: str) -> User:
    user = make_user(f"{role.lower()}@{word}.example.com", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    user.teams.add(team)
    return user


def _workflow(word: str, team: Team, by: User) -> Workflow:
    Secret.objects.create(name=word.upper(), team=team, value=f"{word}-value")
    Connection.objects.create(
        name=f"{word}-crm",
        team=team,
        kind="bearer",
        base_url=f"https://{word}.example.com",
        credentials={"token": f"{word}-token"},
    )
    node = {
        "id": f"{word}-step",
        "name": f"Tell {word}",
        "type": "http_request",
        "config": {
            "url": f"https://{word}.example.com/hook",
            "connection": f"{word}-crm",
            "headers": {"X-Key": f"{{{{ secrets.{word.upper()} }}}}"},
        },
    }
    document = {
        "name": f"Flow {word}",
        "slug": word,
        "description": f"What {word} does",
        "tags": [word],
        "definition": {"nodes": [node]},
        "triggers": [
            {
                "kind": "webhook",
                "config": {"scheme": "github", "path": f"{word}/in"},
                "secret": f"{word}-signing",
            },
        ],
    }
    workflow = services.create_workflow(document, by=by, team=team).workflow
    workflow.refresh_from_db()
    assert workflow.status == "active"
    node = {"node": f"Tell {word}", "type": word, "fidelity": "exact"}
    N8nImport.objects.create(
        workflow=workflow, source="file", source_id=word, report={"nodes": [node]}
    )
    return workflow


def _history(side: Side, word: str, workflow: Workflow) -> None:
    """Runs that failed and that wait, a campaign, what was turned away, the audit."""
    trigger = workflow.triggers.get()
    named = {
        "trigger": trigger,
        "event_id": f"{word}-event",
        "error_message": f"{word}-step: refused",
        "error_fingerprint": word,
    }
    run = broken_run(workflow, **named)
    RunLog.objects.filter(run=run).update(message=f"{word} said no")
    DeliveryAttempt.objects.filter(run=run).update(url=f"https://{word}.example.com")
    StepRun.objects.filter(run=run).update(node_id=f"{word}-step")
    asking = asking_run(workflow, message=f"Ship {word}?")
    campaign = Campaign.objects.create(
        filter={"workflow": word}, total=1, created_by=side.people[ADMINISTRATOR]
    )
    side.rows |= {
        "runs.run": run,
        "runs.steprun": StepRun.objects.get(run=run),
        "runs.deliveryattempt": DeliveryAttempt.objects.filter(run=run).earliest("pk"),
        "runs.runlog": RunLog.objects.get(run=run),
        "runs.waittoken": WaitToken.objects.get(run=asking),
        "runs.campaign": campaign,
        "runs.campaignrun": CampaignRun.objects.create(campaign=campaign, run=run),
        "webhooks.inboundevent": InboundEvent.objects.create(
            trigger=trigger, reason="duplicate", status=200, event_id=f"{word}-event"
        ),
    }
    audit.record("run.redrive", run, by=side.people[OPERATOR], changes={"of": word})


def _shared() -> dict[str, Model]:
    now = timezone.now()
    task: Any = apps.get_model("django_q", "Task")
    made: dict[str, Model] = {
        "auth.group": Group.objects.get(name=OPERATOR),
        "runs.worker": Worker.objects.create(kind="drain", host="h", pid=1, threads=8),
    }
    for name, success in (("success", True), ("failure", False)):
        made[f"django_q.{name}"] = task.objects.create(
            id=name, name="purge", func="runs.tasks.purge", started=now, stopped=now,
            success=success,
        )  # fmt: skip
    rows: Mapping[str, Callable[..., Model]] = {
        name: apps.get_model("django_q", name)._default_manager.create
        for name in ("schedule", "ormq")
    }
    made["django_q.schedule"] = rows["schedule"](name="s", func="runs.tasks.purge")
    made["django_q.ormq"] = rows["ormq"](key="automate", payload="sealed", lock=now)
    return made


def signed_in(user: User) -> Client:
    """A client in whose browser this person has signed in."""
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


# Sessions come and go; so does when somebody, or a key, was last here, and how often
# strangers came within the minute.
PASSING = {"last_login", "last_used_at"}
PASSING_TABLES = {"django_session", "sqlite_sequence", "accounts_ratewindow"}


def snapshot() -> dict[str, str]:
    """A digest of each table's rows."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table in PASSING_TABLES:
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            kept = [index for index, name in enumerate(names) if name not in PASSING]
            rows = sorted(repr([row[index] for index in kept]) for row in cursor)
            found[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def run_of(side: Side) -> Run:
    """The failed run of a team."""
    found: Run = side.row("runs.run")
    return found

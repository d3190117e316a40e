"""A site with a bit of everything, for the tests of the admin's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import ApiKey, FailedSignIn, Team, User
from runs.models import Campaign, CampaignRun, Run, RunLog, WaitToken, Worker
from tests.makers import make_attempt, make_job, make_run, make_step, make_user
from webhooks.models import InboundEvent
from workflows import services
from workflows.models import Connection, N8nImport, Secret, Trigger, Workflow

CANARY = "canary-7f3a"
STEP = {
    "id": "notify",
    "type": "http_request",
    "config": {"method": "POST", "url": "https://crm.example.com/hook"},
}
DEFINITION = {"nodes": [STEP]}
# Of an import from n8n, with a node of each fidelity.
REPORT = {
    "counts": {"exact": 1, "approximate": 1, "unsupported": 1},
    "nodes": [
        {"node": "Orders", "type": "n8n-nodes-base.webhook", "fidelity": "approximate",
         "became": "trigger: webhook", "step": "orders", "credentials": [],
         "differs": ["the sender is answered 202 with the run's id"], "notes": []},
        {"node": "Tell the CRM", "type": "n8n-nodes-base.httpRequest",
         "fidelity": "exact", "became": "http_request", "step": "notify",
         "differs": [], "notes": ['create the connection "crm"'],
         "credentials": ["CRM", "c0"]},
        {"node": "Work it out", "type": "n8n-nodes-base.code",
         "fidelity": "unsupported", "became": "placeholder", "step": "work_it_out",
         "differs": ["code in JavaScript or Python does not run here"], "notes": [],
         "credentials": []},
    ],
    "credentials": ["CRM", "c0"],
    "warnings": ['a connection leads to "Gone": no such node'],
    "sticky_notes": 0,
}  # fmt: skip


def operator(*permissions: str, team: Team | None = None) -> User:
    """A person who may open the admin, with these permissions (`runs.view_run`)."""
    user = make_user(is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        found = Permission.objects.filter(
            content_type__app_label=app, codename=codename
        )
        user.user_permissions.add(*found)
    if team is not None:
        user.teams.add(team)
    return user


def boss() -> User:
    """A superuser."""
    return make_user(is_staff=True, is_superuser=True)


def signed_in(user: User) -> Client:
    """A client in whose browser this person has signed in."""
    client = Client()
    client.force_login(user)
    return client


def flow(slug: str = "orders", *, by: User | None = None, **fields: Any) -> Workflow:
    """A published workflow of one step with a signed webhook."""
    document = {
        "name": slug.capitalize(),
        "slug": slug,
        "definition": DEFINITION,
        "triggers": [
            {
                "kind": "webhook",
                "config": {"scheme": "github", "path": f"{slug}/in"},
                "secret": f"{CANARY}-trigger",
            }
        ],
    }
    workflow = services.create_workflow(
        document, by=by, team=fields.get("team")
    ).workflow
    workflow.refresh_from_db()
    return workflow


def broken_run(workflow: Workflow, **fields: Any) -> Run:
    """A run whose only step was refused twice, until its retries ran out."""
    fields = {
        "status": "dead_letter",
        "payload": {"order": 1, "password": f"{CANARY}-payload"},
        "error_class": "rejected",
        "error_message": "notify: crm.example.com answered 503",
        **fields,
    }
    run = make_run(workflow, **fields)
    step = make_step(
        run, status="failed", attempt=2, output={"token": f"{CANARY}-output"}
    )
    for number in (1, 2):
        make_attempt(
            step,
            number,
            outcome="rejected",
            response_status=503,
            response_body="Service Unavailable",
            request_body='{"order": 1}',
        )
    RunLog.objects.create(run=run, message="The retries ran out.", level="error")
    return run


def waiting_run(workflow: Workflow) -> Run:
    """A run that was started and has nothing due for an hour."""
    run = make_run(workflow, status="running", payload={"order": 2})
    make_step(
        run,
        status="waiting",
        waiting_for="time",
        due_at=timezone.now() + timedelta(hours=1),
    )
    make_job(run, due_in=3600)
    return run


def asking_run(workflow: Workflow, **details: Any) -> Run:
    """A run whose step waits for an approval."""
    run = make_run(workflow, status="running", payload={"order": 3})
    until = timezone.now() + timedelta(hours=1)
    make_step(
        run, "ask", kind="approval", status="waiting", waiting_for="signal",
        due_at=until,
    )  # fmt: skip
    make_job(run, due_in=3600)
    WaitToken.objects.create(
        run=run,
        node_id="ask",
        kind="approval",
        details={"message": "Ship it?", "details": None, "approvers": [], **details},
        expires_at=until,
    )
    return run


def world(rows: int = 3) -> Workflow:
    """So many rows behind every list of the admin; the workflow of the runs."""
    user = boss()
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = flow(by=user)
    trigger = Trigger.objects.get(workflow=workflow)
    for number in range(rows):
        Team.objects.create(name=f"Team {number}", slug=f"team-{number}")
        Group.objects.create(name=f"Role {number}")
        person = make_user()
        person.teams.add(team)
        flow(f"flow-{number}", by=user, team=team)
        Secret.objects.create(name=f"S{number}", team=team, value=f"{CANARY}-secret")
        Connection.objects.create(
            name=f"c{number}",
            team=team,
            kind="bearer",
            base_url="https://crm.example.com",
            credentials={"token": f"{CANARY}-connection"},
        )
        key, _plain = ApiKey.objects.issue(person, f"key {number}", ["runs:read"])
        audit.record("apikey.create", key, by=user)
        InboundEvent.objects.create(trigger=trigger, reason="duplicate", status=200)
        Worker.objects.create(kind="drain", host="h", pid=number, threads=8)
        FailedSignIn.objects.create(
            username=f"a{number}@example.com",
            ip_address="203.0.113.9",
            failures_since_start=2,
        )
        first = broken_run(workflow, trigger=trigger)
        broken_run(workflow, trigger=trigger, replay_of=first, root_run=first)
        asking_run(workflow)
        campaign = Campaign.objects.create(filter={"workflow": "orders"}, total=1)
        CampaignRun.objects.create(campaign=campaign, run=first)
    waiting_run(workflow)
    N8nImport.objects.create(
        workflow=workflow, source="file", source_id="orders.json", report=REPORT
    )
    _background(rows)
    return workflow


def _background(rows: int) -> None:
    now = timezone.now()
    task = apps.get_model("django_q", "Task")
    schedule = apps.get_model("django_q", "Schedule")
    queue = apps.get_model("django_q", "OrmQ")
    for number in range(rows):
        for success in (True, False):
            task.objects.create(
                id=f"{number}{success}",
                name="purge",
                func="runs.tasks.purge",
                started=now,
                stopped=now,
                success=success,
            )
        schedule.objects.create(name=f"s{number}", func="runs.tasks.purge")
        queue.objects.create(key="automate", payload="sealed", lock=now)

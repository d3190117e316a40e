"""What the admin's overview says: what to do next, and a few figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone

from automate.accounts.admin.scope import visible
from automate.accounts.models import User
from runs.admin.run_filters import UNREPAIRED
from runs.admin.wait_token import ASKED
from runs.models import Campaign, Job, Run, WaitToken, Worker
from runs.services.open_waits import open_waits
from runs.services.unrepaired import unrepaired
from runs.states import RunStatus
from workflows.models import Trigger, Workflow

MOST = 1000
DAY = timedelta(days=1)
Person = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a sentence, where to do it, or what to type."""

    text: str
    url: str = ""
    label: str = ""
    command: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the overview, with the list behind it."""

    label: str
    value: str
    url: str
    kind: str = ""


def of(user: Person) -> list[Step]:
    """What this person should look at or do next, urgent things first."""
    found = [*_engine(user), *_repair(user), *_building(user)]
    return sorted(found, key=lambda step: not step.urgent)


def _engine(user: Person) -> Iterator[Step]:
    if not user.has_perm("runs.view_worker"):
        return
    since = timezone.now() - timedelta(seconds=3 * settings.HEARTBEAT)
    if not Worker.objects.filter(beat_at__gt=since).exists():
        yield Step(
            "No worker gives a sign of life: nothing is executed. Start one with",
            _list("runs_worker"),
            "Workers",
            "python manage.py qcluster",
            urgent=True,
        )


def _building(user: Person) -> Iterator[Step]:
    if not user.has_perm("workflows.view_workflow"):
        return
    workflows = visible(Workflow.objects.all(), user)
    if not workflows.exists():
        if user.has_perm("workflows.add_workflow"):
            yield Step(
                "There is no workflow yet. A new one starts as an example of one step.",
                reverse("admin:workflows_workflow_add"),
                "Create the first workflow",
            )
        return
    drafts = workflows.filter(status=Workflow.Status.DRAFT)
    for draft in drafts.order_by("-updated_at")[:3]:
        page = reverse("admin:workflows_workflow_change", args=(draft.pk,))
        yield Step(
            f"“{draft}” is a draft: events do not start it yet.", page, "Publish it"
        )
    active = workflows.filter(status=Workflow.Status.ACTIVE)
    runs = visible(Run.objects.all(), user, "workflow__team")
    if active.exists() and not runs.exists():
        yield from _first_event(user)


def _first_event(user: Person) -> Iterator[Step]:
    rows = Trigger.objects.filter(
        kind="webhook", is_active=True, workflow__status=Workflow.Status.ACTIVE
    )
    trigger = visible(rows, user, "workflow__team").select_related("workflow").first()
    if trigger is not None:
        page = reverse("admin:workflows_workflow_change", args=(trigger.workflow_id,))
        yield Step(
            f"“{trigger.workflow}” waits for its first event.", page, "Show its address"
        )


def _repair(user: Person) -> Iterator[Step]:
    yield from _waits(user)
    yield from _stopped(user)
    if not user.has_perm("runs.view_run"):
        return
    count = _count(_broken(user))
    if count:
        words = "1 run has" if count == 1 else f"{_number(count)} runs have"
        yield Step(
            f"{words} failed in the last 24 hours, and no redrive has mended that.",
            _list("runs_run", status=UNREPAIRED),
            "Look at them",
            urgent=True,
        )


def _waits(user: Person) -> Iterator[Step]:
    """Runs that go on when this person, or another one, has decided."""
    if not user.has_perms(("runs.view_waittoken", "runs.answer_waittoken")):
        return
    tokens = visible(WaitToken.objects.all(), user, "run__workflow__team")
    count = _count(open_waits(tokens).filter(kind__in=ASKED))
    if count:
        words = "1 run waits" if count == 1 else f"{_number(count)} runs wait"
        yield Step(f"{words} for a decision.", _list("runs_waittoken"), "Decide")


def _stopped(user: Person) -> Iterator[Step]:
    """The latest of one's own campaigns, when it stopped by itself."""
    if not isinstance(user, User) or not user.has_perm("runs.redrive_run"):
        return
    latest = Campaign.objects.filter(created_by=user).first()
    if latest is not None and latest.status == Campaign.Status.STOPPED:
        page = reverse("admin:runs_campaign_change", args=(latest.pk,))
        text = f"Your campaign has stopped. {latest.reason}"
        yield Step(text, page, "Look at it", urgent=True)


def figures(user: Person) -> list[Figure]:
    """Numbers that are cheap at any size: each counts to 1,000 and no further."""
    if not user.has_perm("runs.view_run"):
        return []
    runs = visible(Run.objects.all(), user, "workflow__team")
    jobs = visible(Job.objects.all(), user, "workflow__team")
    now = timezone.now()
    due = jobs.filter(lease_token=None, due_at__lte=now)
    later = jobs.filter(lease_token=None, due_at__gt=now)
    ended = runs.filter(finished_at__gt=now - DAY, status=RunStatus.SUCCEEDED)
    running = jobs.filter(lease_token__isnull=False)
    return [
        _figure("due", due, "queued"),
        _figure("running", running, "running"),
        _figure("waiting", later, "waiting"),
        _figure("succeeded in 24 h", ended, "succeeded"),
        _figure("failed in 24 h", _broken(user), UNREPAIRED, kind="failed"),
    ]


def _figure(label: str, rows: Any, status: str, kind: str = "") -> Figure:
    count = _count(rows)
    url = _list("runs_run", status=status)
    return Figure(label, _number(count), url, (kind or status) if count else "")


def _broken(user: Person) -> Any:
    """What failed in a day and still needs a person: an event counts once."""
    runs: Any = visible(Run.objects.all(), user, "workflow__team")
    return unrepaired(runs.filter(finished_at__gt=timezone.now() - DAY))


def _count(rows: Any) -> int:
    return int(rows.order_by()[: MOST + 1].count())


def _number(count: int) -> str:
    return f"{MOST:,}+" if count > MOST else f"{count:,}"


def _list(name: str, **filters: str) -> str:
    address = reverse(f"admin:{name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address

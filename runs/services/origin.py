"""Why a run is there: who or what started it, by what its rows say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from automate.accounts.models import AuditEntry
from runs.models import CampaignRun, Firing, Run
from runs.services.explained import Finding

NEAR = timedelta(minutes=10)  # between the clocks of hosts and of the database


def origin(run: Run) -> Iterator[Finding]:
    """What started it; at most three queries besides those for related rows."""
    if run.replay_of_id is not None:
        yield from _redriven(run)
    elif run.parent_node:
        yield _child(run)
    else:
        yield _started(run)
    yield Finding("version", _version(run))


def _version(run: Run) -> str:
    latest = run.workflow.published_id
    if latest is None or latest == run.version_id:
        return f"It runs {run.version}, the latest."
    return f"It runs {run.version}; another version has been published since."


def _started(run: Run) -> Finding:
    trigger = run.trigger
    kind = trigger.kind if trigger else ""
    if run.caused_by_id is not None:
        return Finding(
            kind or "run_finished",
            f"The end of run {run.caused_by_id} started it at {at(run.created_at)}.",
            runs=(run.caused_by_id,),
        )
    if kind == "schedule":
        return _fired(run)
    if kind == "webhook" or run.source_ip:
        return _arrived(run)
    person = _who(run, "run.start", "workflows.workflow", run.workflow_id)
    if person:
        return Finding(kind or "manual", f"{person} started it.")
    if trigger is None:
        return Finding(
            "trigger",
            f"It was started at {at(run.created_at)}. What started it is not known any "
            "more: its trigger has been deleted, or the audit does not tell.",
        )
    return Finding(kind, f"The {kind} trigger started it at {at(run.created_at)}.")


def _arrived(run: Run) -> Finding:
    where = "a webhook that has been deleted since"
    if run.trigger is not None:
        where = f"the webhook {run.trigger.path or run.trigger_id}"
    sender = f" from {run.source_ip}" if run.source_ip else ""
    name = f" with the id {run.event_id}" if run.event_id else ""
    return Finding(
        "webhook",
        f"An event{name} came{sender} to {where} at {at(run.created_at)}.",
    )


def _fired(run: Run) -> Finding:
    firing = Firing.objects.filter(run=run).first()
    if firing is None:
        return Finding("schedule", f"Its schedule fired at {at(run.created_at)}.")
    late = (firing.fired_at - firing.scheduled_for).total_seconds()
    delay = f", {late:,.0f} seconds late" if late >= 1 else ""
    return Finding(
        "schedule",
        f"Its schedule fired for {firing.slot} at {at(firing.fired_at)}{delay}.",
    )


def _child(run: Run) -> Finding:
    if run.parent_id is None:
        return Finding(
            "parent",
            f"Step {run.parent_node} of a run that has been purged since started it.",
        )
    item = "" if run.item_index is None else f" for item {run.item_index} of its loop"
    return Finding(
        "parent",
        f"Step {run.parent_node} of run {run.parent_id} started it{item}; explain that "
        "run to see why.",
        runs=(run.parent_id,),
    )


def _redriven(run: Run) -> Iterator[Finding]:
    assert run.replay_of_id is not None  # noqa: S101 - asked by the caller
    listed = CampaignRun.objects.filter(fresh=run).select_related(
        "campaign__created_by"
    )
    member = listed.first()
    person = _who(run, "run.redrive", "runs.run", run.replay_of_id)
    if member is not None:
        whose = member.campaign.created_by or "the system"
        person = f"Campaign {member.campaign_id} of {whose}, at {at(run.created_at)},"
    yield Finding(
        "redrive",
        f"{person or 'Somebody'} redrove run {run.replay_of_id} as this one.",
        runs=(run.replay_of_id,),
    )
    first = run.root_run
    if first is not None and first.pk != run.replay_of_id and run.parent_id is None:
        yield Finding(
            "event", f"The event first came as run {first.pk}.", runs=(first.pk,)
        )


def _who(run: Run, action: str, kind: str, target: object) -> str:
    """Who did it and when, by the audit; empty when it does not say."""
    entries = AuditEntry.objects.filter(
        object_type=kind,
        object_id=str(target),
        action=action,
        changes__run=str(run.pk),
        at__range=(run.created_at - NEAR, run.created_at + NEAR),
    )
    entry = entries.select_related("user", "api_key").first()
    return said_by(entry) if entry else ""


def said_by(entry: AuditEntry) -> str:
    """Who and when, of an audit entry."""
    who = str(entry.user) if entry.user else "The system, or somebody at its console"
    key = f" with the API key {entry.api_key.name}" if entry.api_key else ""
    how = entry.changes.get("from") if entry.action == "run.redrive" else None
    return f"{who}{key}, at {at(entry.at)}{f', from {how}' if how else ''},"


def at(value: object) -> str:
    """A moment as people read it in a log."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"

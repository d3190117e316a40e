"""Why an event became a run, or did not: what each gate decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone

from automate.lib.encryption import is_readable
from automate.lib.redaction import Redactor
from runs.models import IdempotencyKey, Run
from runs.redaction import hidden_in
from runs.services.explain import counts_repeats, tells
from runs.services.explained import Explanation, Finding, parts_of
from runs.services.origin import at
from webhooks.gates import GATES, WANTED
from webhooks.models import InboundEvent
from webhooks.seen import saw_of_run
from workflows.models import Trigger

Reason = InboundEvent.Reason
RECENT = 20
KNOWN_BY = {
    "delivery": "the provider's delivery id",
    "idempotency-key": "the header Idempotency-Key",
    "webhook-id": "the header webhook-id",
    "header": "the header that the trigger names",
    "template": "the template over its payload",
    "body": "its body",
}
PASSED = {
    "size": "It came whole.",
    "encoding": "Not compressed.",
    "known": "The address is the trigger's.",
    "signature": "The sender proved who it is.",
    "fits": "Not too large.",
    "method": "The trigger takes its method.",
    "active": "Workflow and trigger were switched on.",
    "required_headers": "The headers that the trigger asks for were there.",
    "well_formed": "Body and query could be read.",
}
# Of rows that were written before each kept its gate.
STOPPED_AT = {
    Reason.DUPLICATE: "idempotency",
    Reason.KEY_REUSED: "idempotency",
    Reason.UNKNOWN_KEY: "known",
    Reason.BAD_SIGNATURE: "signature",
    Reason.EXPIRED: "signature",
    Reason.METHOD: "method",
    Reason.INACTIVE: "active",
    Reason.ARCHIVED: "active",
    Reason.RATE_LIMITED: "rate",
    Reason.TOO_LARGE: "size",
    Reason.ENCODED: "encoding",
}


@tells
def let_in(run: Run) -> Iterator[Finding]:
    """What let a run's event pass the gates, and what came again of it."""
    first = run
    if run.replay_of_id is not None and run.parent_id is None:
        first = run.root_run or run
    if first.decisions:
        yield from _passed(first.decisions, saw=saw_of_run(first))
        yield from _known_until(first)
    yield from _again(run)


def _passed(facts: Mapping[str, Any], saw: Mapping[str, Any]) -> Iterator[Finding]:
    scheme = facts.get("scheme")
    if scheme == "none":
        yield Finding("signature", "None was asked for: the address is all it takes.")
    elif scheme:
        old = ", with the previous secret" if facts.get("signed_with") else ""
        yield Finding(
            "signature", f"The sender proved itself by the scheme {scheme}{old}."
        )
    if "rate" in facts:
        yield Finding("rate", f"Within the trigger's rate limit: {facts['rate']}.")
    if "pattern" in facts:
        name = f'"{facts["event"]}" ' if facts.get("event") else ""
        yield Finding("event", f"Its name {name}matches {facts['pattern']}.")
    if "condition" in facts:
        yield Finding("condition", f"It held: {facts['condition']}", saw)
    if "by" in facts:
        yield Finding("idempotency", _known(facts))


def _known(facts: Mapping[str, Any]) -> str:
    by, _, missing = str(facts["by"]).partition(":")
    if by == "none":
        return "The trigger takes every event as a new one."
    if missing:
        return f"It has no id (by {by}), so it is a new one."
    key = facts.get("key")
    digits = f"; the key's hash begins with {key}" if key else ""
    return f"New by {KNOWN_BY.get(by, by)}{digits}."


def _known_until(run: Run) -> Iterator[Finding]:
    digits = (run.decisions or {}).get("key")
    if not digits:
        return
    keys = IdempotencyKey.objects.filter(
        scope=f"trigger:{run.trigger_id}", key_hash__startswith=digits, run_id=run.pk
    )
    key = keys.first()
    if key is not None and key.expires_at > timezone.now():
        yield Finding(
            "idempotency", f"The same event again is known until {at(key.expires_at)}."
        )


@counts_repeats
def repeats(run_id: UUID) -> int:
    """How often the event of this run came again."""
    same = InboundEvent.objects.filter(first_run_id=run_id)
    return same.filter(reason=Reason.DUPLICATE).count()


def _again(run: Run) -> Iterator[Finding]:
    same = InboundEvent.objects.filter(first_run_id=run.pk)
    counted = same.aggregate(
        twice=Count("pk", filter=Q(reason=Reason.DUPLICATE)),
        other=Count("pk", filter=Q(reason=Reason.KEY_REUSED)),
        last=Max("at"),
    )
    if counted["twice"]:
        yield Finding(
            "duplicates",
            f"The event came {counted['twice']:,} more time(s), the last at "
            f"{at(counted['last'])}: answered with this run, and nothing was started.",
        )
    if counted["other"]:
        yield Finding(
            "duplicates",
            f"Its id came {counted['other']:,} time(s) with another body: refused.",
        )


def explain_event(event: InboundEvent) -> Explanation:
    """Why this event did not become a run; redacted."""
    facts = event.facts if is_readable(event.facts) else None
    gate = event.gate or STOPPED_AT.get(Reason(event.reason), "")
    found = Explanation(
        about="event",
        id=str(event.pk),
        subject=_subject(event),
        answer=f"It did not run: {_reason(event)}. {event.detail}".strip(),
        parts=parts_of(("What was decided", _gates(event, gate, facts or {}))),
    )
    return found.redacted(_redactor(event.trigger))


def _reason(event: InboundEvent) -> str:
    return str(event.get_reason_display())


def _subject(event: InboundEvent) -> str:
    whose = "an unknown address"
    if event.trigger is not None:
        where = event.trigger.path or event.trigger.key or event.trigger.pk
        whose = f"the {event.trigger.kind} {where} of {event.trigger.workflow}"
    name = f" {event.known_as}" if event.known_as else ""
    sender = f" from {event.source_ip}" if event.source_ip else ""
    if event.minute is not None:
        many = "1 event" if event.count == 1 else f"{event.count:,} events"
        return (
            f"{many} to {whose} in the minute from {at(event.minute)}, the "
            f"last{sender}: counted, not kept one by one"
        )
    return f"Event{name} to {whose}{sender} at {at(event.at)}: {event.status}"


def _gates(
    event: InboundEvent, gate: str, facts: Mapping[str, Any]
) -> Iterator[Finding]:
    names = [item.__name__ for item in (*GATES, *WANTED)]
    before = names[: names.index(gate)] if gate in names else names if gate else []
    told = {item.by: item for item in _passed(facts, {})}
    for name in before:
        if name in told:
            yield told[name]
        elif name in PASSED:
            yield Finding(name, PASSED[name])
    yield _stop(event, gate, facts)


def _stop(event: InboundEvent, gate: str, facts: Mapping[str, Any]) -> Finding:
    saw = dict(facts.get("values") or {})
    why = event.detail or f"{_reason(event).capitalize()}."
    if gate == "condition":
        why = f"{why} {facts.get('condition', '')}".strip()
        saw |= dict.fromkeys(facts.get("missing") or (), "(missing)")
    elif event.reason == Reason.DUPLICATE:
        why = f"It is known by {KNOWN_BY.get(str(facts.get('by')), 'its id')}."
    runs: tuple[UUID, ...] = ()
    if event.first_run_id is not None:
        why = f"{why} It had become run {event.first_run_id} before."
        runs = (event.first_run_id,)
    return Finding(gate or "refused", why, saw, stopped=True, runs=runs)


def _redactor(trigger: Trigger | None) -> Redactor:
    version = trigger.workflow.published_id if trigger else None
    return Redactor(hidden_in([version]) if version else ())


def recent(trigger: Trigger, limit: int = RECENT) -> Sequence[InboundEvent]:
    """The latest events of a trigger that did not become runs, newest first."""
    rows = InboundEvent.objects.filter(trigger=trigger).order_by("-id")
    return list(rows.select_related("trigger__workflow")[:limit])

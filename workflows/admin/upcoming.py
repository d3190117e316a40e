"""When a trigger fires next: five moments, in its time zone and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from automate.accounts.admin.html import NOTHING
from workflows.models import Trigger, Workflow
from workflows.triggers.base import TriggerKind, all_kinds
from workflows.triggers.moments import upcoming
from workflows.triggers.schedule import time_zones, zone_of

FORM = "%a %-d %b %Y %H:%M"


def next_fire(trigger: Trigger) -> SafeString | str:
    """When a trigger fires next, as its workflow stands, for a list; else a dash."""
    moment = trigger.next_fire_at
    if moment is None:
        return NOTHING
    shown = _shown(moment, _zone(trigger))
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), shown)


def next_fires(trigger: Trigger) -> str:
    """A list of the next five moments of a saved trigger that goes by the clock."""
    kind = all_kinds().get(trigger.kind)
    if kind is None:
        return NOTHING
    moments = _moments(kind, trigger)
    if not moments:
        return NOTHING
    zone = _zone(trigger)
    items = format_html_join("", "<li>{}</li>", ((_shown(m, zone),) for m in moments))
    return format_html("{}<ol class='moments'>{}</ol>", _rests(trigger), items)


def _moments(kind: TriggerKind, trigger: Trigger) -> list[datetime]:
    """None for a config that its kind does not understand (any more)."""
    try:
        return upcoming(kind, trigger.config, timezone.now())
    except Exception:  # noqa: BLE001 - the form says what is wrong with the config
        return []


def _zone(trigger: Trigger) -> tzinfo:
    name = trigger.config.get("timezone")
    return zone_of(trigger.config) if name in time_zones() else UTC


def _shown(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    text = f"{local:{FORM} %Z}"
    return text if zone is UTC or str(zone) == "UTC" else f"{text} ({moment:%F %R} UTC)"


def _rests(trigger: Trigger) -> str:
    """Why none of it happens now, if so."""
    if not trigger.is_active:
        return "Nothing is started: the trigger is off. Else it would be: "
    if trigger.workflow.status != Workflow.Status.ACTIVE:
        status = trigger.workflow.status
        return f"Nothing is started: the workflow is {status}. Else it would be: "
    return ""

"""The latest firings of a trigger, with the runs that they started."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from automate.accounts.admin.html import NOTHING, pill, short_id
from workflows.models import Trigger

LATEST = 20


def latest_firings(trigger: Trigger) -> SafeString | str:
    """The last twenty as a list; a dash when it has never fired."""
    if trigger._state.adding:
        return NOTHING
    rows: Any = trigger.firings
    found = rows.order_by("-id").values_list(
        "slot", "fired_at", "run_id", "run__status"
    )
    items = format_html_join(
        "",
        "<li>{} {}</li>",
        (
            (_when(slot, at), _run(pk, status))
            for slot, at, pk, status in found[:LATEST]
        ),
    )
    return format_html('<ol class="moments">{}</ol>', items) if items else NOTHING


def _when(slot: str, fired_at: datetime) -> SafeString:
    local = slot.replace("T", " ")
    return format_html(
        '{} <span class="meta">at {} UTC</span>', local, f"{fired_at:%F %T}"
    )


def _run(pk: UUID | None, status: str | None) -> SafeString | str:
    if pk is None:
        return "passed over"
    page = reverse("admin:runs_run_change", args=(pk,))
    shown = pill(status or "")
    return format_html('<a href="{}"><code>{}</code></a> {}', page, short_id(pk), shown)

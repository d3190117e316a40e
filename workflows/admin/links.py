"""Links to what other packages keep: known by name, because imports run one way."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html


def runs_of(field: str, target: Any, text: object = "runs") -> str:
    """A link to the runs whose `field` is the target."""
    return _filtered("runs_run", f"{field}__id__exact", target, text)


def events_of(trigger: Any, text: object = "turned away", reason: str = "") -> str:
    """A link to the events at a trigger that did not become runs, for this reason."""
    more = {"reason__exact": reason} if reason else {}
    return _filtered(
        "webhooks_inboundevent", "trigger__id__exact", trigger, text, **more
    )


def _filtered(page: str, lookup: str, target: Any, text: object, **more: str) -> str:
    address = reverse(f"admin:{page}_changelist")
    query = urlencode({lookup: target.pk, **more})
    return format_html('<a href="{}?{}">{}</a>', address, query, text)

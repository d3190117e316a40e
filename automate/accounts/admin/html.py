"""Small pieces of HTML that admin lists and pages share; all text is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from automate.lib.encryption import Unreadable

# Each with the sign behind which an address may be broken.
_PARTS = re.compile(r"(?:[^/?&=]*[/?&=]+|[^/?&=]+)")
NOTHING = "–"  # noqa: RUF001 - the dash that stands for "nothing here"


def page_of(target: Model) -> str:
    """The address of an object's admin page."""
    meta = target._meta
    return reverse(
        f"admin:{meta.app_label}_{meta.model_name}_change", args=(target.pk,)
    )


def list_of(model: type[Model], **filters: Any) -> str:
    """The address of a model's admin list, filtered: `workflow__id__exact=...`."""
    meta = model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def link(target: Model | None, text: object = None) -> SafeString | str:
    """A link to an object's page; a dash when there is none."""
    if target is None:
        return NOTHING
    return format_html(
        '<a href="{}">{}</a>', page_of(target), target if text is None else text
    )


def list_link(model: type[Model], text: object, **filters: Any) -> SafeString:
    """A link to a filtered list."""
    return format_html('<a href="{}">{}</a>', list_of(model, **filters), text)


def short_id(value: object) -> str:
    """The tail of a UUIDv7, which tells runs of one moment apart."""
    return f"…{str(value)[-8:]}"


def pill(status: str, text: str = "") -> SafeString:
    """A coloured pill that says its status in words too."""
    shown = text or status.replace("_", " ")
    return format_html(
        '<span class="pill pill-{}">{}</span>', status.replace("_", "-"), shown
    )


def code(value: object) -> SafeString | str:
    """A short piece of monospaced text; a dash when it is empty."""
    return format_html("<code>{}</code>", value) if value not in ("", None) else NOTHING


def breakable(address: object) -> SafeString:
    """An address that a narrow screen breaks behind its signs, not within its words."""
    return format_html_join(
        SafeString("<wbr>"), "{}", ((part,) for part in _PARTS.findall(str(address)))
    )


def block(text: str) -> SafeString | str:
    """A block of preformatted text; a dash when it is empty."""
    return format_html('<pre class="code">{}</pre>', text) if text else NOTHING


def pretty(value: Any) -> str:
    """A JSON value over several lines; what cannot be read says so."""
    if isinstance(value, Unreadable):
        return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def pretty_text(text: str) -> str:
    """Text that is JSON, over several lines; any other text as it is."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def milliseconds(value: int | float | None) -> str:
    """Milliseconds for people: `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 20 min`."""
    if value is None:
        return NOTHING
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def moment(value: datetime | None) -> str:
    """A time to the millisecond, in UTC: `2026-11-20 09:30:18.074 UTC`."""
    if value is None:
        return NOTHING
    return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03} UTC"


def when(field: str, label: str, *, sortable: bool = False) -> Callable[..., str]:
    """A list's column for a time: to the second, with the milliseconds on hovering."""

    def column(self: Any, row: Any) -> str:
        del self
        value: datetime | None = getattr(row, field)
        if value is None:
            return NOTHING
        shown = f"{value:%Y-%m-%d %H:%M:%S}"
        return format_html('<time title="{}">{}</time>', moment(value), shown)

    ordering = field if sortable else None
    return admin.display(description=label, ordering=ordering)(column)


def duration(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments; until now when there is no end yet."""
    if start is None:
        return NOTHING
    passed: timedelta = (end or timezone.now()) - start
    return milliseconds(max(0.0, passed.total_seconds() * 1000))

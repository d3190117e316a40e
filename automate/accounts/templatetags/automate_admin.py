"""Tags of the admin's templates."""

from __future__ import annotations

import calendar
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from automate.accounts.admin.html import (
    NOTHING,
    breakable,
    duration,
    milliseconds,
    moment,
    pill,
)
from automate.accounts.admin.names import MAIN, list_name

register = template.Library()
register.filter("pill", pill)
register.filter("breakable", breakable)
register.filter("milliseconds", milliseconds)
register.filter("moment", moment)
register.filter("list_name", list_name)


@register.filter
def clock(value: datetime | None) -> str:
    """The time of day to the millisecond."""
    return f"{value:%H:%M:%S}.{value.microsecond // 1000:03}" if value else ""


@register.filter
def as_json(value: Any) -> str:
    """A JSON value in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


EMPTY = f">{NOTHING}</t"


@register.simple_tag
def labelled(cells: Iterable[str], headers: Iterable[Mapping[str, Any]]) -> SafeString:
    """A row's cells with their columns' names: on a narrow screen a row is a card."""
    shown = []
    for cell, header in zip(cells, headers, strict=False):
        name = "" if "action-checkbox" in cell else capfirst(header["text"])
        tag, rest = cell[:3], cell[3:]  # Django writes "<td ..." and "<th ..."
        empty = " data-empty" if EMPTY in cell else ""
        shown.append(
            format_html(
                '{} data-label="{}"{}{}', SafeString(tag), name, empty, SafeString(rest)
            )
        )
    return SafeString("".join(shown))


@register.simple_tag
def main_nav(apps: Iterable[Mapping[str, Any]], path: str) -> list[dict[str, Any]]:
    """The places of the top bar that this person may go to."""
    known = {
        model["object_name"]: model for app in apps or () for model in app["models"]
    }
    home = reverse("admin:index")
    places = [{"name": "Overview", "url": home, "here": path == home}]
    for model, name in MAIN.items():
        url = known.get(model, {}).get("admin_url")
        if url:
            places.append({"name": name, "url": url, "here": path.startswith(url)})
    return places


@register.simple_tag
def took(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments, for people."""
    return duration(start, end)


@register.inclusion_tag("admin/date_hierarchy.html")
def quick_date_hierarchy(cl: Any) -> dict[str, Any]:
    """Django's date hierarchy from the first and last row, which an index knows.

    Django's own asks for the distinct days, which reads every row of the table.
    """
    field = cl.date_hierarchy
    first, last = _edges(cl.root_queryset, field)
    if first is None or last is None:
        return {"show": False}
    chosen = [_number(cl.params.get(f"{field}__{part}")) for part in PARTS]
    year, month, day = chosen

    def link(*values: int) -> str:
        names = (f"{field}__{part}" for part in PARTS)
        filters = dict(zip(names, values, strict=False))
        return str(cl.get_query_string(filters, [f"{field}__"]))

    if year and month and day:
        title = formats.date_format(date(year, month, day), "MONTH_DAY_FORMAT")
        back = {"link": link(year, month), "title": _month(year, month)}
        return {"show": True, "back": back, "choices": [{"title": title}]}
    if year and month:
        back = {"link": link(year), "title": str(year)}
        return {
            "show": True,
            "back": back,
            "choices": _days(year, month, first, last, link),
        }
    if year:
        back = {"link": link(), "title": "All dates"}
        return {"show": True, "back": back, "choices": _months(year, first, last, link)}
    return {"show": True, "choices": _top(first, last, link)}


PARTS = ("year", "month", "day")


def _top(first: date, last: date, link: Any) -> list[dict[str, Any]]:
    """Days when all rows are of one month, months of one year, else years."""
    if (first.year, first.month) == (last.year, last.month):
        return _days(first.year, first.month, first, last, link)
    if first.year == last.year:
        return _months(first.year, first, last, link)
    return [
        {"link": link(year), "title": str(year)}
        for year in range(first.year, last.year + 1)
    ]


def _months(year: int, first: date, last: date, link: Any) -> list[dict[str, Any]]:
    return [
        {"link": link(year, month), "title": _month(year, month)}
        for month in range(1, 13)
        if (first.year, first.month) <= (year, month) <= (last.year, last.month)
    ]


def _days(
    year: int, month: int, first: date, last: date, link: Any
) -> list[dict[str, Any]]:
    days = [
        date(year, month, number + 1)
        for number in range(calendar.monthrange(year, month)[1])
    ]
    return [
        {
            "link": link(year, month, day.day),
            "title": formats.date_format(day, "MONTH_DAY_FORMAT"),
        }
        for day in days
        if first <= day <= last
    ]


def _month(year: int, month: int) -> str:
    return formats.date_format(date(year, month, 1), "YEAR_MONTH_FORMAT")


def _edges(rows: Any, field: str) -> tuple[date | None, date | None]:
    """The days of the first and the last row."""
    values = rows.exclude(**{field: None}).order_by(field).values_list(field, flat=True)
    edges = (values.first(), values.last())
    return tuple(value and timezone.localtime(value).date() for value in edges)  # type: ignore[return-value]


def _number(value: Any) -> int | None:
    """A parameter's number; None when it is absent or nonsense."""
    text = value[-1] if isinstance(value, list | tuple) and value else value
    try:
        return int(text)
    except (TypeError, ValueError):
        return None

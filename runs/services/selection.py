"""Which runs are meant: a filter as plain JSON, for lists and for campaigns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact
from django.utils.dateparse import parse_date, parse_datetime

from automate.lib.ids import first_id
from runs.models.run import RunQuerySet
from runs.states import FINAL_RUN, WAITING, RunStatus
from workflows.models import Workflow, WorkflowVersion

STATUSES = (*(str(status) for status in RunStatus), WAITING)
# What other systems call them.
ALIASES = {
    "pending": RunStatus.QUEUED,
    "triggered": RunStatus.QUEUED,
    "completed": RunStatus.SUCCEEDED,
    "success": RunStatus.SUCCEEDED,
    "error": RunStatus.FAILED,
    "canceled": RunStatus.CANCELLED,
}
MOST_VERSIONS = 2**31 - 1

_LOOK_UPS = {
    "trigger": "trigger_id",
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
    "error_class": "error_class",
    "error_fingerprint": "error_fingerprint",
    "event_id": "event_id",
    "parent": "parent_id",
}
NAMES = frozenset({*_LOOK_UPS, "workflow", "status", "version", "search_key"})
# Ids begin with a moment of the process that made them, created_at is the database's:
# clocks that differ by more would find runs only by their side of this.
CLOCKS = timedelta(hours=1)


def select(runs: RunQuerySet, wanted: Mapping[str, Any]) -> RunQuerySet:
    """Those of these runs that match: `created_after` is included, the other not.

    `workflow` is an id or a slug, `status` a list of statuses as they are shown; for
    `waiting` the runs need `with_waiting`. Raises ValueError as `read_filter` does.
    """
    read = read_filter(wanted)
    plain = {key: read[name] for name, key in _LOOK_UPS.items() if name in read}
    runs = runs.filter(**plain)
    if "created_after" in read:
        runs = runs.filter(pk__gte=first_id(read["created_after"] - CLOCKS))
    if "created_before" in read:
        runs = runs.filter(pk__lt=first_id(read["created_before"] + CLOCKS))
    if "workflow" in read:
        runs = runs.filter(_workflow(read["workflow"]))
    if "version" in read:
        runs = runs.filter(version__in=_versions(read))
    if "search_key" in read:
        runs = runs.filter(_search_key(read["search_key"]))
    if "status" in read:
        runs = runs.filter(_status(set(read["status"])))
    return runs


def read_filter(wanted: object) -> dict[str, Any]:
    """The filter with its values as they are compared, statuses by our own words.

    Raises ValueError with a sentence for people: which name is unknown, or what stands
    under a name and what would be right.
    """
    if not isinstance(wanted, Mapping):
        raise ValueError('A filter is an object: {"workflow": "orders"}.')
    unknown = sorted(str(name) for name in wanted if name not in NAMES)
    if unknown:
        known = ", ".join(sorted(NAMES))
        raise ValueError(f"Unknown filter {', '.join(unknown)}. Known: {known}.")
    found = {}
    for name, value in wanted.items():
        read, right = _READERS[name]
        try:
            found[name] = read(value)
        except (ValueError, OverflowError) as error:
            said = str(error) if isinstance(error, _Said) else ""
            shown = said or f"{name} must be {right}, not {repr(value)[:100]}"
            raise ValueError(f"The filter {shown}.") from None
    return found


def status_named(word: str) -> str | None:
    """The status of this name, in any case and by alias; None when there is none."""
    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    status = str(ALIASES.get(plain, plain))
    return status if status in STATUSES else None


class _Said(ValueError):
    """What is wrong, in words of its own."""


def _text(value: Any) -> str:
    text = str(value) if isinstance(value, str | UUID) else ""
    if not text.strip() or "\x00" in text:
        raise ValueError(text)
    return text


def _pair(value: Any) -> str:
    name, _, text = _text(value).partition(":")
    if not (name.strip() and text):
        raise ValueError(value)
    return str(value)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(_text(value))


def _number(value: Any) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if not 1 <= number <= MOST_VERSIONS:
        raise ValueError(value)
    return number


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else parse_datetime(_text(value))
    if moment is None and (day := parse_date(_text(value))):
        moment = datetime.combine(day, time())
    if moment is None:
        raise ValueError(value)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _statuses(value: Any) -> list[str]:
    if not isinstance(value, list | tuple | set | frozenset) or not value:
        raise ValueError(value)
    found = []
    for word in value:
        status = status_named(word) if isinstance(word, str) else None
        if status is None:
            known = ", ".join(STATUSES)
            raise _Said(f"status: unknown {repr(word)[:100]}. Known: {known}")
        found.append(status)
    return list(dict.fromkeys(found))


_MOMENT = (_moment, 'a moment in ISO 8601, such as "2026-01-31T12:00:00Z"')
_READERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "workflow": (_text, "the id or the slug of a workflow"),
    "status": (_statuses, 'a list of statuses, such as ["failed"]'),
    "trigger": (_uuid, "the id of a trigger"),
    "parent": (_uuid, "the id of a run"),
    "version": (_number, "the number of a version, such as 3"),
    "created_after": _MOMENT,
    "created_before": _MOMENT,
    "error_class": (_text, 'a text, such as "template"'),
    "error_fingerprint": (_text, "the fingerprint of an error, a text"),
    "event_id": (_text, "the id of an event, a text"),
    "search_key": (_pair, 'the name of a search key and its value, "customer:c-17"'),
}


def _workflow(name: str) -> Q:
    try:
        return Q(workflow_id=UUID(name))
    except ValueError:
        # Looked up first: with the id the database knows how many runs that will be.
        rows = Workflow.objects.filter(slug=name).values_list("pk", flat=True)
        return Q(workflow_id__in=list(rows))


def _versions(read: Mapping[str, Any]) -> list[UUID]:
    """The versions of this number; looked up first, because they are few."""
    rows = WorkflowVersion.objects.filter(number=read["version"])
    if "workflow" in read:
        rows = rows.filter(_workflow(read["workflow"]))
    return list(rows.values_list("pk", flat=True))


def _search_key(pair: str) -> Q | Exact[Any]:
    """By what its index knows; SQLite, which has none, reads the runs."""
    name, _, text = pair.partition(":")
    if connection.vendor == "postgresql":
        return Q(search_keys__contains={name.strip(): text}) & ~Q(search_keys={})
    return Exact(KeyTextTransform(name.strip(), "search_keys"), text)


def _status(wanted: set[str]) -> Q:
    """By the status that is shown: a run that waits is neither queued nor running."""
    final = wanted & FINAL_RUN
    unfinished = set(RunStatus) - FINAL_RUN
    found = Q(status__in=final)
    if wanted & unfinished:
        found |= Q(status__in=wanted & unfinished, is_waiting=False)
    if WAITING in wanted:
        found |= Q(status__in=unfinished, is_waiting=True)
    return found

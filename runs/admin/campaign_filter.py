"""From the list's filters to a campaign's, and a campaign's filter in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict
from django.utils import timezone

from automate.accounts.admin.scope import visible
from automate.accounts.models import User
from runs.admin.history import id_rule
from runs.admin.run_filters import BROKEN, UNREPAIRED
from runs.models import Run
from runs.services.campaigns import REDRIVABLE
from runs.states import RunStatus
from workflows.definition.problems import shorten
from workflows.models import Workflow, WorkflowVersion
from workflows.services import naming

DATE = "created_at__"
# What changes the list's look, and not which runs are meant.
LOOKS = frozenset({"p", "o", "e", "all", "_facets", "_changelist_filters"})


class Untranslatable(ValueError):
    """This filter of the list is none that a campaign knows; says why."""


def wanted_of(
    shown: Mapping[str, Any], user: User | AnonymousUser
) -> tuple[dict[str, Any], list[str]]:
    """A campaign's filter from the list's parameters, and what it cannot express.

    What this person does not see is not there: no name is told. With a problem the
    filter is not to be used: it would mean more than the list.
    """
    wanted: dict[str, Any] = {}
    problems: list[str] = []
    days = {key: value for key, value in shown.items() if key.startswith(DATE)}
    plain = {key: value for key, value in shown.items() if key not in days}
    for name, value in plain.items():
        if name in LOOKS or not value:
            continue
        try:
            _merge(wanted, _known(name)(str(value), user))
        except Untranslatable as error:
            problems.append(str(error))
    if days:
        try:
            _merge(wanted, _dates({key: str(value) for key, value in days.items()}))
        except Untranslatable as error:
            problems.append(str(error))
    return wanted, problems


def parameters(query: QueryDict) -> dict[str, str]:
    """The parameters of a list's address, each once."""
    return {name: str(query[name]) for name in query}


Person = User | AnonymousUser
Rule = Callable[[str, Person], dict[str, Any]]


def _known(name: str) -> Rule:
    if name not in _RULES:
        raise Untranslatable(f"The filter “{name}” cannot be taken over.")
    return _RULES[name]


def _merge(wanted: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if wanted.get(name, value) != value:
            raise Untranslatable(f"Two filters on {name.replace('_', ' ')} differ.")
        wanted[name] = value


def _status(value: str, _user: Person) -> dict[str, Any]:
    if value in (BROKEN, UNREPAIRED):
        return {"status": [str(RunStatus.FAILED), str(RunStatus.DEAD_LETTER)]}
    if value in REDRIVABLE:
        return {"status": [value]}
    raise Untranslatable(
        "Only runs that failed, are dead letters or were cancelled can be redriven "
        f"like this; the list shows others ({value.replace('_', ' ')})."
    )


def _workflow(value: str, user: Person) -> dict[str, Any]:
    seen = visible(Workflow.objects.all(), user)
    row = seen.filter(pk=_uuid(value)).first()
    if row is None:
        raise Untranslatable("There is no such workflow.")
    return {"workflow": row.slug}


def _version(value: str, user: Person) -> dict[str, Any]:
    seen = visible(WorkflowVersion.objects.all(), user, "workflow__team")
    rows = seen.filter(pk=_uuid(value)).select_related("workflow")
    version = rows.first()
    if version is None:
        raise Untranslatable("There is no such version.")
    return {"workflow": version.workflow.slug, "version": version.number}


def _redriven(value: str, _user: Person) -> dict[str, Any]:
    if value == "no":
        return {}
    raise Untranslatable("What was redriven once is not redriven again by a campaign.")


def _search(value: str, user: Person) -> dict[str, Any]:
    """The search box finds by several things; a campaign wants to know by which."""
    term = value.strip()
    seen = visible(Workflow.objects.all(), user)
    if seen.filter(slug=term).exists():
        return {"workflow": term}
    runs = visible(Run.objects.all(), user, "workflow__team")
    if runs.filter(error_fingerprint=term).exists():
        return {"error_fingerprint": term}
    if runs.filter(event_id=term).exists():
        return {"event_id": term}
    if id_rule(term) is None:
        raise Untranslatable(
            f"No workflow, event or error is called “{shorten(term)}”."
            f"{naming.did_you_mean(seen, term)}"
        )
    raise Untranslatable(
        f"The search for a run ({term}) cannot be taken over; redrive it on its page."
    )


def _child(_value: str, _user: Person) -> dict[str, Any]:
    raise Untranslatable(
        "A campaign takes no runs that another run started. Redrive that one: it "
        "repeats those of them that did not succeed."
    )


def _dates(given: Mapping[str, str]) -> dict[str, Any]:
    """The year, month or day that the list shows, as a range."""
    names = [f"{DATE}{part}" for part in ("year", "month", "day")][: len(given)]
    try:
        parts = [int(given[name]) for name in names]
        year, month, day = [*parts, 1, 1][:3]
        first = datetime(year, month, day)  # noqa: DTZ001 - made aware below
        if len(parts) == 1:
            last = first.replace(year=year + 1)
        elif len(parts) == 2:
            last = (first + timedelta(days=32)).replace(day=1)
        else:
            last = first + timedelta(days=1)
    except (KeyError, ValueError, OverflowError):
        raise Untranslatable("The dates of the list cannot be taken over.") from None
    return {
        "created_after": timezone.make_aware(first),
        "created_before": timezone.make_aware(last),
    }


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise Untranslatable(f"“{value}” is no id.") from None


_RULES: Mapping[str, Rule] = {
    "status": _status,
    "workflow__id__exact": _workflow,
    "version__id__exact": _version,
    "trigger__id__exact": lambda value, _user: {"trigger": str(_uuid(value))},
    "parent": _child,
    "parent_node": _child,
    "error_fingerprint": lambda value, _user: {"error_fingerprint": value},
    "redriven": _redriven,
    "q": _search,
}

WORDS = {
    "workflow": "workflow",
    "status": "status",
    "trigger": "trigger",
    "version": "version",
    "created_after": "arrived from",
    "created_before": "arrived before",
    "error_class": "error class",
    "error_fingerprint": "error",
    "event_id": "event id",
}


def in_words(wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A campaign's filter for reading; without a status it means all that it takes."""
    shown = {"status": list(REDRIVABLE), **wanted}
    return [(WORDS.get(name, name), _shown(shown[name])) for name in sorted(shown)]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item).replace("_", " ") for item in value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)

"""Workflows by the name that somebody typed: which is meant, and which are near."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from workflows.definition.problems import shorten
from workflows.models import Workflow

MOST_COMPARED = 2000
MOST_NAMED = 3


def named(rows: QuerySet[Workflow], name: str) -> QuerySet[Workflow]:
    """That one of these workflows whose id or slug this is; none or one."""
    return rows.filter(_is(name))


def _is(name: str) -> Q:
    try:
        return Q(pk=UUID(name))
    except ValueError:
        return Q(slug=name)


def near(rows: QuerySet[Workflow], name: str) -> list[str]:
    """The slugs of at most three of these workflows with a slug or name like this.

    The nearest first. Of a site with very many workflows 2,000 are compared.
    """
    typed = name.strip().lower()[:100]
    if len(typed) < 2:
        return []
    known: dict[str, str] = {}
    pairs = rows.order_by("slug").values_list("slug", "name")[:MOST_COMPARED]
    for slug, label in pairs:
        known.setdefault(label.lower(), slug)
        known[slug] = slug
    alike = difflib.get_close_matches(typed, list(known), n=2 * MOST_NAMED, cutoff=0.6)
    within = [word for word in known if len(typed) > 2 and typed in word]
    found = dict.fromkeys(known[word] for word in (*alike, *within))
    return list(found)[:MOST_NAMED]


def unknown(rows: QuerySet[Workflow], name: str) -> str:
    """`There is no workflow "ordres". Did you mean orders?`, of these alone."""
    return f'There is no workflow "{shorten(name)}".{did_you_mean(rows, name)}'


def did_you_mean(rows: QuerySet[Workflow], name: str) -> str:
    """` Did you mean orders or books?`, of these alone; empty when none is near."""
    alike = near(rows, name)
    return f" Did you mean {_either(alike)}?" if alike else ""


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))

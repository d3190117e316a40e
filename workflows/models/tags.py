"""Workflows by their tags."""

from __future__ import annotations

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, Value


def tagged(tag: str) -> Q:
    """Workflows that have this tag, letter for letter."""
    if connection.vendor == "postgresql":
        return Q(tags__contains=[tag])
    return Q(_Within(F("tags"), Value(tag)))


class _Within(Func):
    """Whether a JSON list holds a text; SQLite has no `contains`."""

    template = "EXISTS (SELECT 1 FROM json_each(%(expressions)s)"
    arg_joiner = ") WHERE value = "
    output_field = BooleanField()

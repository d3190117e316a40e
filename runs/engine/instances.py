"""Instances of models by the thousand, without what `Model.__init__` does for each.

It asks every field of a model in turn and sends two signals: of a drain's time for a
step that was a tenth, for rows that `runs.engine.bulk` writes a moment later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)


def fresh(model: type[M], **values: Any) -> M:
    """A new instance with these values, by the names of attributes (`run_id`).

    The others have their defaults. Raises TypeError for a name that is no column.
    """
    fixed, made = _defaults(model)
    row = model.__new__(model)
    own = row.__dict__
    own.update(fixed)
    own.update(values)
    if len(own) != len(fixed):
        unknown = ", ".join(sorted(values.keys() - fixed.keys()))
        raise TypeError(f"{model.__name__} has no column {unknown}.")
    for name, make in made.items():
        if name not in values:
            own[name] = make()
    own["_state"] = ModelState()
    return row


def clone(row: M) -> M:
    """A copy whose attributes can be set without changing `row`; values are shared."""
    copied = row.__class__.__new__(row.__class__)
    copied.__dict__.update(row.__dict__)
    state = ModelState()
    state.__dict__.update(row._state.__dict__)
    if "fields_cache" in state.__dict__:
        state.fields_cache = dict(state.fields_cache)
    copied.__dict__["_state"] = state
    return copied


@cache
def _defaults(
    model: type[models.Model],
) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """The default of each attribute, and what makes those that nobody may share."""
    fields = model._meta.concrete_fields
    made = {
        item.attname: item.default
        for item in fields
        if item.has_default() and callable(item.default)
    }
    fixed = {
        item.attname: None if item.attname in made else item.get_default()
        for item in fields
    }
    return fixed, made

"""Signing secrets of triggers: set, rotated, and how long the previous one serves."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, User
from workflows.definition import Problem
from workflows.models import Trigger
from workflows.services.errors import DocumentError, StateRefused
from workflows.services.transactions import unit_of_work
from workflows.triggers.base import all_kinds

KEEP_PREVIOUS = timedelta(hours=24)
Actor = User | ApiKey | None


def rotate_trigger_secret(
    trigger: Trigger,
    by: Actor,
    keep_previous: timedelta = KEEP_PREVIOUS,
    secret: str | None = None,
) -> str:
    """A new signing secret, given or generated; the old one serves `keep_previous` on.

    Returns it: it cannot be read again. Raises StateRefused when the trigger's scheme
    has no secret, DocumentError (`secret`) when the given one does not fit it.
    """
    with unit_of_work():
        row = Trigger.objects.select_for_update(no_key=True).get(pk=trigger.pk)
        kind = all_kinds().get(row.kind)
        if kind is None or not kind.needs_secret(row.config):
            raise StateRefused("This trigger's scheme has no secret to rotate.")
        try:
            new = kind.new_secret(row.config) if secret is None else secret
        except LookupError as error:
            raise StateRefused(str(error.args[0])) from None
        problem = kind.check_secret(row.config, new)
        if problem:
            raise DocumentError([Problem("secret", problem)])
        set_secret(row, new, keep_previous)
        record("trigger.rotate_secret", row, by=by)
    trigger.refresh_from_db()
    return new


def end_previous_secret(trigger: Trigger, by: Actor) -> bool:
    """Let only the current secret count from now on. False: there was no other."""
    with unit_of_work():
        changed = Trigger.objects.filter(
            pk=trigger.pk, previous_secret_expires_at__isnull=False
        ).update(
            previous_secret=None,
            previous_secret_expires_at=None,
            previous_secret_used_at=None,
            updated_at=timezone.now(),
        )
        if changed:
            record("trigger.end_previous_secret", trigger, by=by)
    trigger.refresh_from_db()
    return changed == 1


def set_secret(
    row: Trigger, secret: str, keep_previous: timedelta = KEEP_PREVIOUS
) -> None:
    """Store a secret; the one before stays valid for `keep_previous`, or not at all."""
    if row.secret and keep_previous > timedelta(0):
        row.previous_secret = row.secret
        row.previous_secret_expires_at = timezone.now() + keep_previous
    else:
        row.previous_secret = row.previous_secret_expires_at = None
    row.secret, row.secret_set_at = secret, timezone.now()
    row.secret_used_at = row.previous_secret_used_at = None
    row.save()

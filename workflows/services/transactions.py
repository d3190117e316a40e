"""The transaction that every verb here runs in."""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.db import connection, transaction

from automate.lib.database import write_transaction
from workflows.models import Workflow
from workflows.services.errors import EditConflict


def unit_of_work() -> AbstractContextManager[None]:
    """All or nothing; inside an open transaction a savepoint.

    So a refused verb leaves the caller's transaction (the admin's) usable.
    """
    if connection.in_atomic_block:
        return transaction.atomic()
    return write_transaction()


def lock(workflow: Workflow, expected_edit_count: int | None = None) -> Workflow:
    """The row as it is now, locked to the transaction's end; raises EditConflict."""
    locked = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    if expected_edit_count not in (None, locked.edit_count):
        raise EditConflict(locked.edit_count)
    return locked

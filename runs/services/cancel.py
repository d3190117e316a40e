"""Cancelling a run: at once, whatever it is doing."""

from __future__ import annotations

from django.db import transaction

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from automate.lib.jsonio import storable
from runs.engine import wake
from runs.engine.clock import database_now
from runs.engine.ending import cancel_all
from runs.engine.locks import lock_runs
from runs.models import Run, RunLog

By = User | ApiKey | None


def cancel(run: Run, *, by: By, reason: str = "") -> bool:
    """End a run at once, whatever it is doing. False when it had ended already.

    Steps in flight are not interrupted; their results will be discarded as late. The
    runs that it started end within seconds (runs/engine/orphans.py).
    """
    return repeat(lambda: _cancel(run, by, reason))


def _cancel(run: Run, by: By, reason: str) -> bool:
    with write_transaction():
        now = database_now()
        jobs = lock_runs([run.pk])
        message = reason or f"Cancelled by {by or 'the system'}."
        if not cancel_all(jobs, message, now):
            return False
        RunLog.objects.create(run=run, message=f"Cancelled by {by or 'the system'}.")
        audit("run.cancel", run, by=by, changes={"reason": storable(reason)})
        transaction.on_commit(wake.notify)  # it may have held a slot
    return True

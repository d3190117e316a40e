"""Answers that somebody waits for: told to the process that waits.

A run that was accepted with `wants_answer` has its answer when a step whose kind
answers (`respond`) has succeeded, or when the run has ended, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from runs.engine import wake
from runs.engine.closing import Closing
from runs.models import StepRun
from runs.states import StepStatus
from workflows.actions import base


def kinds() -> list[str]:
    """The step kinds whose output is the answer."""
    return [kind for kind, action in base.all_actions().items() if action.answers]


def settled(changed: Iterable[tuple[UUID, Iterable[StepRun]]]) -> None:
    """Tell of the runs among these, with their changed steps, that have answered."""
    answering = kinds()
    announce(
        [
            run_id
            for run_id, rows in changed
            if any(
                row.kind in answering and row.status == StepStatus.SUCCEEDED
                for row in rows
            )
        ]
    )


def ended(closings: Sequence[Closing], now: datetime) -> None:  # noqa: ARG001 - a follower
    """Tell those who wait for the ends of these runs, after the commit."""
    announce([item.run_id for item in closings if item.wants_answer])


def announce(run_ids: Sequence[UUID]) -> None:
    """After the commit; lost when the process dies before: who waits polls too."""
    if run_ids:
        transaction.on_commit(partial(wake.answered, run_ids))

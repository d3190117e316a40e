"""A run whose job is about to be closed: what those that wait for its end must know."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from runs.engine import sql
from runs.models import Job, Run
from runs.states import RunStatus


@dataclass(frozen=True, slots=True)
class Closing:
    """One run that has just ended with `status`, and its place among others.

    `is_replay`: its parent, if it has one, does not wait for it. `held_back`: it never
    began, so that its place among those that may run at once is not free now.
    """

    job_id: int
    run_id: UUID
    workflow_id: UUID
    status: RunStatus
    parent_id: UUID | None = None
    parent_node: str = ""
    item_index: int | None = None
    is_replay: bool = False
    held_back: bool = False
    exclusive_key: str = ""
    wants_answer: bool = False

    @classmethod
    def of(cls, job: Job, run: Run, status: RunStatus) -> Closing:
        """From a run's rows."""
        return cls(
            job_id=job.pk,
            run_id=run.pk,
            workflow_id=run.workflow_id,
            status=status,
            parent_id=run.parent_id,
            parent_node=run.parent_node,
            item_index=run.item_index,
            is_replay=run.replay_of_id is not None,
            held_back=job.due_at == sql.FAR,
            exclusive_key=job.exclusive_key,
            wants_answer=job.wants_answer,
        )

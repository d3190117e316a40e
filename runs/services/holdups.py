"""What a run or a step waits for, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from runs.engine.sql import FAR
from runs.models import Job, Run, StepRun
from runs.states import StepStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sentence, and the run that it speaks of, if it does."""

    text: str
    run_id: UUID | None = None


def step_waits(
    step: StepRun, *, connection: str = "", children: int | None = None
) -> str:
    """Why this step does not go on, and until when; empty unless it waits.

    `children`: how many child runs it has started, where the caller knows.
    """
    if step.status != StepStatus.WAITING:
        return ""
    until = _moment(step.due_at)
    if step.waiting_for == "retry" and step.interrupted:
        return (
            f"Nobody knows what became of its request. Looks again at {until}: it is "
            "verified, or sent again under the same key."
        )
    if step.waiting_for == "retry":
        return (
            f"Waits to try again at {until}; that will be attempt {step.attempt + 1}."
        )
    if step.waiting_for == "permit":
        whose = f"connection {connection}" if connection else "its connection"
        return f"Waits for a permit of {whose}, whose rate is limited, until {until}."
    if step.waiting_for == "breaker":
        whose = f"connection {connection}" if connection else "its connection"
        return (
            f"Held back, because {whose} has failed too often: its breaker is open. "
            f"Looks again at {until}; that uses up no attempt."
        )
    if step.waiting_for == "signal":
        if step.error_message:  # of the request whose outcome is unknown
            return (
                f"Waits until {until} for somebody to say what became of its request."
            )
        what = "a decision" if step.kind == "approval" else "a call of its address"
        return f"Waits for {what} until {until}, then it times out."
    if step.waiting_for == "children":
        return _children(step, children)
    return f"Waits until {until}."


def _children(step: StepRun, children: int | None) -> str:
    left = step.children_left
    if children is None or children < left:
        return f"Waits for its child runs: {left:,} have not ended."
    done = children - left
    return f"Waits for its child runs: {done:,} of {children:,} have ended."


def run_waits(run: Run) -> Waiting | None:
    """Why an unfinished run has nothing to do now; None when its steps tell.

    At most one query, for a run that stands in a line.
    """
    job: Job | None = getattr(run, "job", None)
    if job is None or job.lease_token is not None:
        return None
    if job.due_at != FAR:
        return _limited(run, job)
    if job.exclusive_key and not job.holds_key:
        return _parked(job)
    if run.parent_id:
        return Waiting(
            "Held back: its loop runs only so many items at once. It begins when one "
            "of those before it has ended."
        )
    return None


def _parked(job: Job) -> Waiting:
    same = Job.objects.filter(
        workflow_id=job.workflow_id, exclusive_key=job.exclusive_key
    )
    ahead = same.filter(holds_key=True).values_list("run_id", flat=True).first()
    text = (
        "Stands behind another run with the same exclusive value; such runs go one "
        "after another."
    )
    return Waiting(text, ahead)


def _limited(run: Run, job: Job) -> Waiting | None:
    """Due, and not begun: perhaps its workflow has as many runs as it may have."""
    limit = run.workflow.max_concurrent_runs
    if limit is None or job.holds_slot or run.started_at is not None:
        return None
    busy = Job.objects.filter(workflow_id=job.workflow_id, holds_slot=True).count()
    if busy < limit:
        return None
    return Waiting(
        f"Waits for its turn: the workflow runs at most {limit:,} at once, and "
        f"{busy:,} are under way."
    )


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else "an unknown moment"

"""What the verbs refuse, with a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID


class RunServiceError(Exception):
    """A verb was refused; `code` is upper snake case, `message` says what to do."""

    code = "RUN_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RedriveRefused(RunServiceError):
    """This run cannot be redriven (now); `reasons` are sentences, the message all.

    `transient`: the reason passes by itself, the same redrive may succeed later.
    """

    code = "REDRIVE_REFUSED"

    def __init__(self, *reasons: str, transient: bool = False) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons
        self.transient = transient


class CampaignRefused(RunServiceError):
    """This campaign cannot begin."""

    code = "CAMPAIGN_REFUSED"


class TrialRefused(RunServiceError):
    """This step cannot be tried."""

    code = "TRIAL_REFUSED"


class NotRunnable(RunServiceError):
    """This workflow cannot be started: not published, inactive or archived."""

    code = "WORKFLOW_NOT_RUNNABLE"


class BadVariables(RunServiceError):
    """Variables were given that the version does not declare, or that are no JSON."""

    code = "VALIDATION_ERROR"

    def __init__(self, version: object, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"Not started with {version}: {'; '.join(self.problems)}.")


class AnswerUnreadable(RunServiceError):
    """The run has answered, and what it said cannot be decrypted or fetched."""

    code = "INTERNAL_ERROR"

    def __init__(self, run_id: UUID, reason: str) -> None:
        super().__init__(f"Run {run_id} has an answer that cannot be read: {reason}.")
        self.run_id = run_id


_ANSWERED = {
    "received": "answered",
    "happened": "said to have happened",
    "again": "said not to have happened",
    "fail": "given up",
}


class AlreadyAnswered(RunServiceError):
    """This step has been answered, and once is all: `decision`, `at` when, `by` whom.

    `by` is empty for an answer through the step's address. Whoever has only that
    address is told `to_strangers`, which names nobody.
    """

    code = "ALREADY_ANSWERED"

    def __init__(self, decision: str, at: datetime | None, by: str = "") -> None:
        when = f" at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
        done = _ANSWERED.get(decision, decision)
        through = "through its address"
        super().__init__(f"This was {done}{when} {f'by {by}' if by else through}.")
        whose = "in Automate by one of its users" if by else through
        self.to_strangers = f"This was {done}{when} {whose}."
        self.decision = decision
        self.at = at


class WaitOver(RunServiceError):
    """The wait timed out or its run has ended: nobody takes this answer any more."""

    code = "WAIT_OVER"


class NotWaiting(RunServiceError):
    """The step does not wait for an answer (yet)."""

    code = "NOT_WAITING"


class NotAnApprover(RunServiceError):
    """The step names its approvers, and this person is none of them."""

    code = "NOT_AN_APPROVER"

"""What the verbs refuse, with a code for programs and a sentence for people."""

from __future__ import annotations


class RunServiceError(Exception):
    """A verb was refused; `code` is upper snake case, `message` says what to do."""

    code = "RUN_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RedriveRefused(RunServiceError):
    """This run cannot be redriven (now)."""

    code = "REDRIVE_REFUSED"


class NotRunnable(RunServiceError):
    """This workflow cannot be started: not published, inactive or archived."""

    code = "WORKFLOW_NOT_RUNNABLE"

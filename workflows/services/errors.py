"""What the verbs refuse, with a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.definition import Problem


class WorkflowServiceError(Exception):
    """A verb was refused; `code` is upper snake case, `message` says what to do."""

    code = "CONFLICT"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class DocumentError(WorkflowServiceError):
    """A document cannot be stored or published; `problems` tells all at once."""

    code = "VALIDATION_ERROR"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class EditConflict(WorkflowServiceError):
    """Somebody else saved in between; `current` is the edit count by now."""

    code = "PRECONDITION_FAILED"

    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__(
            "This workflow was changed by somebody else in the meantime; load it "
            "again and repeat your change."
        )


class StateRefused(WorkflowServiceError):
    """The workflow or trigger is in a state that does not allow this."""

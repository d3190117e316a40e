"""The answer of a run: what a `respond` step said, or how the run ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from automate.lib.encryption import is_readable
from automate.lib.payloads import opened
from runs.engine import answers
from runs.models import Run, StepRun
from runs.services.errors import AnswerUnreadable
from runs.states import FINAL_RUN, RunStatus, StepStatus


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a run by now.

    `said` is a respond step's `{"status", "headers", "body"}`, the first one's;
    `output` is the run's, when it has ended.
    """

    run_id: UUID
    status: RunStatus
    said: Mapping[str, Any] | None = field(default=None, repr=False)
    output: Any = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        """Whether the status is a final one."""
        return self.status in FINAL_RUN

    @property
    def is_there(self) -> bool:
        """Whether there is something to answer with."""
        return self.said is not None or self.has_ended


def answer_of(run_id: UUID) -> Answer | None:
    """What is known of this run now; None when it was purged.

    One small query, one or two more when the answer is there. Raises AnswerUnreadable.
    """
    step = _answering_steps(OuterRef("pk")).order_by("finished_at", "pk")
    found = Run.objects.filter(pk=run_id).annotate(said=Subquery(step.values("pk")[:1]))
    row = found.values_list("status", "said").first()
    if row is None:
        return None
    status, said = RunStatus(row[0]), None
    if row[1] is not None:
        outputs = StepRun.objects.values_list("output", flat=True)
        said = _readable(run_id, outputs.get(pk=row[1]))
        if not isinstance(said, Mapping):
            raise AnswerUnreadable(run_id, "it is no object")
    output = None
    if status in FINAL_RUN:
        # Read later than the status, which is final: it is this end's output.
        ends = Run.objects.values_list("output", flat=True)
        output = _readable(run_id, ends.get(pk=run_id))
    return Answer(run_id, status, said, output)


def answered(run_ids: Collection[UUID]) -> list[UUID]:
    """Which of these runs have their answer: one query."""
    if not run_ids:
        return []
    done = Q(status__in=FINAL_RUN) | Exists(_answering_steps(OuterRef("pk")))
    return list(Run.objects.filter(done, pk__in=run_ids).values_list("pk", flat=True))


def _answering_steps(run: Any) -> QuerySet[StepRun]:
    return StepRun.objects.filter(
        run=run, kind__in=answers.kinds(), status=StepStatus.SUCCEEDED
    )


def _readable(run_id: UUID, value: Any) -> Any:
    value = opened(value)
    if not is_readable(value):
        raise AnswerUnreadable(run_id, f"it is {value}")
    return value

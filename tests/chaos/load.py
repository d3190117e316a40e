"""Work for clusters under test, and what must have become of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runs.models import DeliveryAttempt, Job, Run
from tests.chaos.receiver import Receiver
from tests.processes import eventually
from tests.runs.flows import accepted, call, publish
from workflows.models import Workflow


def flow(receiver: Receiver, **more: Any) -> Workflow:
    """A published workflow of one request, which says whose run it serves."""
    return flow_of(receiver, **more)


def flow_of(receiver: Receiver, *before: dict[str, Any], **more: Any) -> Workflow:
    """The same with other steps before that request."""
    config = {"body": {"run": "{{ run.id }}"}}
    return publish(*before, call("call", f"{receiver.url}/", config=config, **more))


def post(workflow: Workflow, count: int) -> None:
    """Accept so many events."""
    for number in range(count):
        accepted(workflow, {"n": number})


def finish(seconds: float) -> None:
    """Wait until every run has ended; fails after so many seconds."""
    try:
        eventually(lambda: not Job.objects.exists(), seconds)
    except AssertionError:
        left = list(Job.objects.values("seq", "expiries", "lease_until", "due_at")[:5])
        statuses = dict(Counter(Run.objects.values_list("status", flat=True)))
        raise AssertionError(f"{statuses}, left: {left}") from None


def all_succeeded(count: int) -> bool:
    """True when there are so many runs, and each has succeeded."""
    return Counter(Run.objects.values_list("status", flat=True)) == {"succeeded": count}


def outcomes() -> Counter[str]:
    """How many attempts ended how."""
    return Counter(DeliveryAttempt.objects.values_list("outcome", flat=True))


def once_each(receiver: Receiver, count: int) -> None:
    """Fails unless each of so many runs succeeded with exactly one request."""
    assert all_succeeded(count)
    assert len(receiver.runs) == count
    assert receiver.repeated == 0

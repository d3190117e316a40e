"""Work for clusters under test, and what must have become of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runs.models import DeliveryAttempt, Job, Run
from tests.chaos.receiver import Receiver
from tests.processes import HANGS, eventually
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


def finish(seconds: float = HANGS) -> None:
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


def fates(receiver: Receiver) -> tuple[dict[str, int], dict[int, int]]:
    """How many runs ended how, and how many of them sent so many requests."""
    statuses = Counter(Run.objects.values_list("status", flat=True))
    return dict(statuses), dict(Counter(receiver.runs.values()))


def once_each(count: int) -> tuple[dict[str, int], dict[int, int]]:
    """The fates when so many runs succeeded, each with exactly one request."""
    return {"succeeded": count}, {1: count}

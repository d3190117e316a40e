"""Answers are announced after their commit, and only where somebody waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from automate.lib.ids import uuid7
from runs.engine import wake
from runs.models import Job, Run
from runs.services import Event, Target, accept, cancel
from tests.runs.drains import Hand, drained
from tests.runs.flows import again, given, node, publish, started
from tests.runs.kinds import teach, told
from workflows.actions.outcomes import ErrorInfo, Fail
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The ids that were announced, in order."""
    found: list[UUID] = []

    def answered(run_ids: Iterable[UUID]) -> None:
        assert not transaction.get_connection().in_atomic_block
        found.extend(run_ids)

    monkeypatch.setattr(wake, "answered", answered)
    return found


def awaited(workflow: Workflow) -> Run:
    """A run that was accepted for somebody who waits."""
    assert workflow.published_id is not None
    target = Target(workflow.pk, workflow.published_id)
    return Run.objects.get(pk=accept(target, Event(), awaited_as=uuid7()).run_id)


def respond(**config: Any) -> dict[str, Any]:
    return node("answer", "respond", config)


def test_a_run_that_nobody_waits_for_announces_nothing(heard: list[UUID]) -> None:
    run = started(publish(respond(), given("z")))
    drained()
    assert again(run).status == "succeeded"
    assert heard == []


def test_accepting_for_somebody_says_so_in_the_job() -> None:
    flow = publish(given("a"))
    run = awaited(flow)
    assert Job.objects.get(run=run).wants_answer
    assert not Job.objects.get(run=started(flow)).wants_answer


def test_the_end_is_announced(heard: list[UUID]) -> None:
    run = awaited(publish(given("a")))
    drained()
    assert heard == [run.pk]


def test_a_respond_step_is_announced_while_the_run_goes_on(
    hand: Hand, heard: list[UUID]
) -> None:
    run = awaited(publish(respond(body={"ok": True}), given("z")))
    hand.claim()
    assert heard == []
    hand.record()
    assert heard == [run.pk]
    assert again(run).status == "running"
    hand.finish()
    assert heard == [run.pk, run.pk]  # once more at the end, which harms nobody


def test_other_steps_announce_nothing(hand: Hand, heard: list[UUID]) -> None:
    awaited(publish(given("a"), given("b"), respond()))
    hand.claim()
    hand.record()
    assert heard == []


def test_a_respond_step_that_fails_announces_only_the_end(
    heard: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(monkeypatch, fails=lambda _: Fail(ErrorInfo("x", "no")))
    run = awaited(publish(told("a", "fails"), respond()))
    drained()
    assert again(run).status == "failed"
    assert heard == [run.pk]


def test_a_cancelled_run_is_announced(heard: list[UUID]) -> None:
    run = awaited(publish(given("a")))
    cancel(run, by=None)
    assert heard == [run.pk]


def test_what_is_rolled_back_is_not_announced(heard: list[UUID]) -> None:
    run = awaited(publish(given("a")))
    with transaction.atomic():
        cancel(run, by=None)
        transaction.set_rollback(True)
    assert heard == []


def test_on_a_database_without_listen_nothing_is_sent(engine: Settings) -> None:
    engine.LISTEN = False
    notifier = wake.Notifier()
    notifier.answered([uuid7()])
    assert notifier._pid == 0  # no thread was started

"""Which exclusive key and which priority a run gets, however it is started."""

from __future__ import annotations

from typing import Any

import pytest

from runs.engine.exclusive_key import key_of
from runs.models import Job, Run
from runs.services import Event, NotRunnable, exclusive_key, execute_manually, redrive
from runs.services.started import start_run
from runs.states import RunStatus
from tests.makers import make_run
from tests.runs.flows import given, publish
from workflows.expressions import ExpressionError
from workflows.models import Trigger, Workflow

pytestmark = pytest.mark.django_db
BY_CUSTOMER = "{{ trigger.payload.customer }}"


def flow(exclusive: str = BY_CUSTOMER, **fields: Any) -> Workflow:
    return publish(given("a"), exclusive=exclusive, **fields)


def job(run_id: Any) -> Job:
    return Job.objects.get(run=run_id)


def value(payload: Any) -> str:
    return key_of(BY_CUSTOMER, {"trigger": {"payload": payload}})


class TestTheKey:
    def test_equal_values_have_equal_keys(self) -> None:
        assert value({"customer": "c-1"}) == value({"customer": "c-1", "n": 2})
        assert value({"customer": {"a": 1, "b": 2}}) == value(
            {"customer": {"b": 2, "a": 1}}
        )
        assert len(value({"customer": "c-1"})) == 64

    def test_different_values_have_different_keys(self) -> None:
        values = ["c-1", "C-1", 7, "7", True, False, 0, [], [7], {"a": 7}, "\ud800"]

        assert len({value({"customer": item}) for item in values}) == len(values)

    @pytest.mark.parametrize("payload", [{}, {"customer": None}, {"customer": ""}])
    def test_no_value_is_no_key(self, payload: Any) -> None:
        assert value(payload) == ""

    def test_an_expression_that_fails_is_told(self) -> None:
        with pytest.raises(ExpressionError):
            key_of("{{ trigger.payload.n / 0 }}", {"trigger": {"payload": {"n": 1}}})

    def test_variables_are_the_versions_and_then_the_runs_own(self) -> None:
        workflow = publish(
            given("a"), exclusive="{{ variables.region }}", variables={"region": "eu"}
        )
        event = Event()

        own = exclusive_key(workflow, event, variables={"region": "us"})
        assert exclusive_key(workflow, event) == key_of(
            "{{ variables.region }}", {"variables": {"region": "eu"}}
        )
        assert own != exclusive_key(workflow, event)


class TestHoweverItStarts:
    def test_by_hand(self) -> None:
        accepted = execute_manually(flow(), {"customer": "c-1"}, by=None)

        assert job(accepted.run_id).exclusive_key == value({"customer": "c-1"})

    def test_by_hand_with_an_expression_that_fails(self) -> None:
        workflow = flow("{{ trigger.payload.n / 0 }}")

        with pytest.raises(NotRunnable, match="exclusive"):
            execute_manually(workflow, {"n": 1}, by=None)
        assert not Run.objects.exists()

    def test_by_the_clock(self) -> None:
        workflow = flow(priority=Workflow.Priority.LOW)
        trigger = Trigger.objects.create(workflow=workflow, kind="schedule", config={})
        accepted = start_run(trigger, {"customer": "c-1"})

        found = job(accepted.run_id)
        assert found.exclusive_key == value({"customer": "c-1"})
        assert found.priority == Workflow.Priority.LOW

    def test_a_redrive_has_the_key_of_the_first(self) -> None:
        workflow = flow(priority=Workflow.Priority.HIGH)
        run = make_run(workflow, {"customer": "c-1"}, status=RunStatus.FAILED)

        fresh = redrive(run, by=None)

        found = job(fresh.pk)
        assert found.exclusive_key == value({"customer": "c-1"})
        assert found.priority == Workflow.Priority.HIGH


class TestPriority:
    def test_a_run_has_its_workflows(self) -> None:
        workflow = flow(priority=Workflow.Priority.URGENT)

        assert job(execute_manually(workflow, {}, by=None).run_id).priority == 0

    def test_an_execution_may_have_its_own(self) -> None:
        accepted = execute_manually(flow(), {}, by=None, priority=3)

        assert job(accepted.run_id).priority == 3

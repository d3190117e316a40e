"""Variables given at a start: they replace what the version declares."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Run
from runs.services import BadVariables, execute_manually
from tests.runs.drains import drained
from tests.runs.flows import given, publish
from workflows.models import Workflow


@pytest.fixture
def workflow() -> Workflow:
    """Its output are its variables."""
    values = {"region": "{{ variables.region }}", "shop": "{{ variables.shop }}"}
    variables = {"region": "eu", "shop": {"url": "https://a.test"}}
    output = "{{ steps.a }}"
    return publish(given("a", **values), variables=variables, output=output)


def output(workflow: Workflow, variables: dict[str, Any] | None) -> Any:
    run_id = execute_manually(workflow, {}, None, variables).run_id
    drained()
    return Run.objects.get(pk=run_id).output


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_overrides_the_declared_values_are_used(
    workflow: Workflow, nothing: Any
) -> None:
    assert output(workflow, nothing)["region"] == "eu"


def test_an_override_takes_the_place_of_the_whole_value(workflow: Workflow) -> None:
    assert output(workflow, {"shop": ["b"]}) == {"region": "eu", "shop": ["b"]}


def test_an_override_may_be_null_and_is_data_never_a_template(
    workflow: Workflow,
) -> None:
    found = output(workflow, {"region": None, "shop": "{{ run.id }}"})
    assert found == {"region": None, "shop": "{{ run.id }}"}


def test_other_runs_keep_the_declared_values(workflow: Workflow) -> None:
    assert output(workflow, {"region": "us"})["region"] == "us"
    assert output(workflow, None)["region"] == "eu"


def test_a_name_that_is_not_declared_is_refused_with_what_was_meant(
    workflow: Workflow,
) -> None:
    with pytest.raises(BadVariables) as caught:
        execute_manually(workflow, {}, None, {"regoin": "us", "x": 1})
    assert caught.value.code == "VALIDATION_ERROR"
    assert caught.value.problems == (
        'variables.regoin: unknown; declared are region, shop; did you mean "region"?',
        "variables.x: unknown; declared are region, shop",
    )
    assert not Run.objects.exists()


def test_a_workflow_without_variables_takes_none() -> None:
    with pytest.raises(BadVariables, match="none is declared"):
        execute_manually(publish(given("a")), {}, None, {"region": "us"})


@pytest.mark.parametrize("value", [float("nan"), "\x00", {1: 2}, {"x": object()}])
def test_what_is_no_json_is_refused(workflow: Workflow, value: Any) -> None:
    with pytest.raises(BadVariables):
        execute_manually(workflow, {}, None, {"region": value})
    assert not Run.objects.exists()

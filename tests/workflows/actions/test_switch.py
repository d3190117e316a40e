from __future__ import annotations

from typing import Any

import pytest

from tests.runs.drains import drained
from tests.runs.flows import again, edge, given, node, publish, started, step, steps
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail
from workflows.definition import validate

CASES = [
    {"name": "one", "equals": 1},
    {"name": "few", "in": [2, 3, "three"]},
    {"name": "rest of us", "condition": True},
]


def problems(config: Any, *edges: Any) -> dict[str, str]:
    value = {
        "nodes": [{"id": "s", "type": "switch", "config": config}, given("b")],
        "connections": list(edges),
        "variables": {},
    }
    return {problem.path: problem.message for problem in validate(value, all_actions())}


@pytest.mark.parametrize(
    ("value", "cases", "taken"),
    [
        (1, CASES, "one"),
        (1.0, CASES, "one"),
        (3, CASES, "few"),
        ("three", CASES, "few"),
        (4, CASES, "rest of us"),
        (4, CASES[:2], "default"),
        ("1", CASES[:2], "default"),
        (True, CASES[:2], "default"),
        (None, [{"name": "none", "equals": None}], "none"),
        ({"a": [1]}, [{"name": "same", "equals": {"a": [1.0]}}], "same"),
        (1, [{"name": "a", "equals": 1}, {"name": "b", "equals": 1}], "a"),
        (1, [{"name": "a", "in": []}], "default"),
    ],
)
def test_the_first_case_that_fits_is_taken(
    value: Any, cases: Any, taken: str, make_context: MakeContext
) -> None:
    outcome = get("switch").execute(make_context({"value": value, "cases": cases}))
    assert outcome == Done({"case": taken}, port=taken)


def test_conditions_need_no_value(make_context: MakeContext) -> None:
    cases = [{"name": "a", "condition": False}, {"name": "b", "condition": True}]
    outcome = get("switch").execute(make_context({"cases": cases}))
    assert outcome == Done({"case": "b"}, port="b")


def test_what_a_template_made_of_in_must_be_a_list(make_context: MakeContext) -> None:
    config = {"value": 1, "cases": [{"name": "few", "in": "1, 2"}]}
    outcome = get("switch").execute(make_context(config))
    assert isinstance(outcome, Fail)
    assert '"in" of the case "few" must be a list' in outcome.error.message


def test_its_ports_are_its_cases_and_default() -> None:
    ports = get("switch").ports_for({"cases": CASES})
    assert ports == ("success", "failure", "default", "one", "few", "rest of us")
    config = {"value": 1, "cases": CASES}
    for port in ports[2:]:
        assert problems(config, edge("s", "b", port)) == {}
    assert "connections[0].on" in problems(config, edge("s", "b", "on"))


@pytest.mark.parametrize("cases", [None, "{{ x }}", [None], [{"name": 5}], {"a": 1}])
def test_a_config_that_is_wrong_has_the_usual_ports(cases: Any) -> None:
    assert get("switch").ports_for({"cases": cases})[2:] == ("default",)


@pytest.mark.parametrize("name", ["success", "failure", "default", "stopped"])
def test_names_of_other_ports_are_refused_for_cases(name: str) -> None:
    found = problems({"value": 1, "cases": [{"name": name, "equals": 1}]})
    message = f'"{name}" is reserved; choose another name'
    assert found == {"nodes[0].config.cases[0].name": message}


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"value": 1}, "cases"),
        ({"value": 1, "cases": []}, "cases"),
        ({"value": 1, "cases": "{{ trigger.payload }}"}, "cases"),
        ({"value": 1, "cases": ["{{ trigger.payload }}"]}, "cases[0]"),
        ({"value": 1, "cases": [{"equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": "", "equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": " a", "equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": "a\n", "equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": "{{ a }}", "equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": "a" * 65, "equals": 1}]}, "cases[0].name"),
        ({"value": 1, "cases": [{"name": "a"}]}, "cases[0]"),
        ({"value": 1, "cases": [{"name": "a", "equals": 1, "in": [1]}]}, "cases[0]"),
        ({"value": 1, "cases": [{"name": "a", "in": 1}]}, "cases[0].in"),
        ({"cases": [{"name": "a", "equals": 1}]}, "value"),
        ({"cases": [{"name": "a", "condition": "1 +"}]}, "cases[0].condition"),
        ({"cases": [{"name": "a", "condition": "steps.b"}]}, "cases[0].condition"),
        ({"value": 1, "cases": [{"name": "a", "equals": 1}] * 2}, "cases[1].name"),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], place: str
) -> None:
    assert list(problems(config)) == [f"nodes[0].config.{place}"]


@pytest.mark.parametrize("name", ["a", "EU orders", "größer", "a.b/c", "0", "{x}"])
def test_any_plain_text_may_name_a_case(name: str) -> None:
    assert problems({"value": 1, "cases": [{"name": name, "equals": 1}]}) == {}


@pytest.mark.django_db(transaction=True)
class TestInARun:
    @pytest.fixture
    def flow(self) -> Any:
        return publish(
            given("first", limit=100),
            node(
                "s",
                "switch",
                {
                    "value": "{{ trigger.payload.country }}",
                    "cases": [
                        {
                            "name": "large",
                            "condition": "trigger.payload.n > first.limit",
                        },
                        {"name": "home", "equals": "{{ variables.home }}"},
                        {"name": "near", "in": ["at", "ch"]},
                    ],
                },
            ),
            given("to-large"),
            given("to-home"),
            given("to-near"),
            given("to-default"),
            connections=[
                edge("first", "s"),
                *(
                    edge("s", f"to-{port}", port)
                    for port in ("large", "home", "near", "default")
                ),
            ],
            variables={"home": "de"},
        )

    @pytest.mark.parametrize(
        ("payload", "taken"),
        [
            ({"country": "de", "n": 1}, "home"),
            ({"country": "de", "n": 101}, "large"),
            ({"country": "ch", "n": 1}, "near"),
            ({"country": "fr", "n": 1}, "default"),
        ],
    )
    def test_one_way_runs_and_the_others_are_skipped(
        self, payload: Any, taken: str, flow: Any
    ) -> None:
        run = started(flow, payload)
        drained()
        found = steps(run)
        ran = {name for name, status in found.items() if status == "succeeded"}
        assert ran == {"first", "s", f"to-{taken}"}
        assert sorted(found.values()).count("skipped") == 3
        assert again(run).status == "succeeded"
        assert step(run, "s").output == {"case": taken}

    def test_a_case_that_cannot_be_decided_fails_the_step_with_its_place(
        self, flow: Any
    ) -> None:
        run = started(flow, {"country": "de"})
        drained()
        message = step(run, "s").error_message
        assert message.startswith("config.cases[0].condition: ")

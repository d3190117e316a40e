"""What the templates of a definition may name, and where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.definition.kinds import (
    KINDS,
    Kind,
    definition,
    edge,
    step,
)
from tests.workflows.definition.test_validate import http, told
from workflows.definition import validate


class TestTemplates:
    def test_a_template_that_does_not_parse_is_told_with_its_place(self) -> None:
        found = told(definition([step("a", {"x": [1, "{{ 1 + }}"]})]))
        assert set(found) == {"nodes[0].config.values.x[1]"}

    def test_a_key_is_a_template_too(self) -> None:
        found = told(definition([step("a", {"{{ nope }}": 1})]))
        assert set(found) == {'nodes[0].config.values["{{ nope }}"]'}

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("{{ b.x }}", ["cannot have run yet", '"b"', '"a"']),
            ("{{ steps.b.x }}", ["cannot have run yet"]),
            ("{{ steps.a.x }}", ["its own output"]),
            ("{{ steps.c.x }}", ['there is no step "c"']),
            ("{{ item.x }}", ["only inside a loop"]),
            ("{{ index }}", ["only inside a loop"]),
            ("{{ payload.x }}", ["payload", "trigger"]),
            ("{{ secrets.X }}", ["secrets cannot be used here"]),
        ],
    )
    def test_a_name_that_does_not_exist_then_is_refused(
        self, source: str, words: list[str]
    ) -> None:
        nodes = [step("a", {"x": source}), step("b")]
        found = told(definition(nodes, [edge("a", "b")]))
        assert set(found) == {"nodes[0].config.values.x"}
        for word in words:
            assert word in found["nodes[0].config.values.x"]

    def test_steps_beside_each_other_do_not_see_each_other(self) -> None:
        nodes = [step("a"), step("b", {"x": "{{ c.x }}"}), step("c")]
        found = told(definition(nodes, [edge("a", "b"), edge("a", "c")]))
        assert set(found) == {"nodes[1].config.values.x"}

    def test_a_steps_id_may_have_hyphens(self) -> None:
        nodes = [step("a-1"), step("b", {"x": "{{ a-1.x }}"})]
        assert told(definition(nodes, [edge("a-1", "b")])) == {}

    def test_a_kind_may_have_further_roots(self) -> None:
        kind = Kind("each", {"type": "object"}, extra_roots=("item",))
        node = {"id": "l", "type": "each", "config": {"x": "{{ item }}"}}
        assert validate(definition([node]), {"each": kind}) == []
        plain = Kind("each", {"type": "object"})
        found = validate(definition([node]), {"each": plain})
        assert [problem.path for problem in found] == ["nodes[0].config.x"]

    def test_a_triggers_id_is_explained(self) -> None:
        value = definition([step("a", {"x": "{{ hook-1.payload }}"})])
        found = told(value, triggers=[{"node_id": "hook-1", "start": []}])
        assert "trigger.payload" in found["nodes[0].config.values.x"]

    def test_a_condition_is_an_expression_without_braces_too(self) -> None:
        node = {"id": "f", "type": "filter", "config": {"condition": "nope == 1"}}
        assert set(told(definition([node]))) == {"nodes[0].config.condition"}
        node["config"] = {"condition": "trigger.payload.x == 1"}
        assert told(definition([node])) == {}

    def test_secrets_stay_in_the_fields_that_may_hold_them(self) -> None:
        inside = http(
            url="https://x.test/{{ secrets.A }}",
            headers={"X": "{{ secrets.B }}"},
            signing={"secret": "{{ secrets.C }}", "scheme": "x"},
        )
        assert told(definition([inside])) == {}
        outside = http(signing={"scheme": "{{ secrets.C }}"}, method="{{ secrets.D }}")
        found = told(
            definition(
                [outside],
                output="{{ secrets.E }}",
                variables={"x": "{{ secrets.F }}"},
            )
        )
        assert set(found) == {
            "nodes[0].config.signing.scheme",
            "nodes[0].config.method",
            "output",
            "variables.x",
        }
        assert "only in body, headers" in found["nodes[0].config.method"]

    def test_a_secret_is_named(self) -> None:
        found = told(definition([http(body="{{ secrets }}")]))
        assert "secrets.NAME" in found["nodes[0].config.body"]

    def test_a_variable_is_no_template(self) -> None:
        found = told(definition([step("a")], variables={"x": ["{{ run.id }}"]}))
        assert set(found) == {"variables.x[0]"}

    def test_output_sees_every_step(self) -> None:
        value = definition([step("a")], output=["{{ a.x }}", "{{ steps.b }}"])
        assert set(told(value)) == {"output[1]"}

    def test_with_a_cycle_no_step_is_said_to_come_too_late(self) -> None:
        nodes = [step("a", {"x": "{{ b }}"}), step("b", {"x": "{{ a }}"})]
        value = definition(nodes, [edge("a", "b"), edge("b", "a")])
        assert set(told(value)) == {"connections"}


class TestAddresses:
    def ask(self, name: str = "ask") -> dict[str, Any]:
        return {"id": name, "type": "approval", "config": {"message": "?"}}

    def test_a_step_before_it_may_hand_out_an_address(self) -> None:
        texts = {"a": "{{ run.urls.ask }}", "b": "Go to {{ run.urls.ask-boss }}."}
        nodes = [step("tell", texts), self.ask(), self.ask("ask-boss")]
        edges = [edge("tell", "ask"), edge("ask", "ask-boss")]
        assert validate(definition(nodes, edges), KINDS) == []

    @pytest.mark.parametrize(
        ("template", "words"),
        [
            ("{{ run.urls.tell }}", '"tell" does not wait for an answer'),
            ("{{ run.urls.aks }}", 'no step "aks"; did you mean "ask"?'),
            ("{{ run.urls }}", "name one step"),
            ("{{ run.urls[trigger.payload.x] }}", "name one step"),
        ],
    )
    def test_only_a_step_that_waits_has_an_address(
        self, template: str, words: str
    ) -> None:
        nodes = [step("tell", {"x": template}), self.ask()]
        found = told(definition(nodes, [edge("tell", "ask")]))
        assert list(found) == ["nodes[0].config.values.x"]
        assert words in found["nodes[0].config.values.x"]

    def test_an_address_is_no_output(self) -> None:
        value = definition([self.ask()], output={"url": "{{ run.urls.ask }}"})
        assert "cannot be used here" in told(value)["output.url"]

    def test_each_item_of_a_loop_has_its_own_address(self) -> None:
        body = {"nodes": [step("in", {"x": "{{ run.urls.ask }}"})], "connections": []}
        loop = {"id": "each", "type": "for_each", "config": {"items": [], **body}}
        found = told(definition([self.ask(), loop]))
        place = "nodes[1].config.nodes[0].config.values.x"
        assert "is in another graph" in found[place]

"""Triggers as documents write them, as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.definition.kinds import step
from tests.workflows.definition.test_normalise import HOOK, ids, problems_of
from workflows.definition import normalise


class TestTriggerNodes:
    def test_webhook_with_a_url_is_a_step_and_without_one_a_trigger(self) -> None:
        caller = {"id": "call", "type": "webhook", "config": {"url": "https://x.test"}}
        found = normalise({"nodes": [HOOK, caller]})
        assert ids(found) == ["call"]
        assert [trigger["node_id"] for trigger in found.triggers] == ["hook"]

    def test_its_connections_become_its_start(self) -> None:
        document = {
            "nodes": [step("a"), step("b"), HOOK],
            "connections": [{"from": "hook", "to": "b"}, {"from": "hook", "to": "a"}],
        }
        found = normalise(document)
        assert found.triggers[0]["start"] == ["b", "a"]
        assert found.definition["connections"] == []

    def test_without_connections_its_start_is_empty(self) -> None:
        assert normalise({"nodes": [HOOK, step("a")]}).triggers[0]["start"] == []

    def test_a_connection_into_it_is_a_problem(self) -> None:
        found = problems_of(
            {"nodes": [HOOK, step("a")], "connections": [{"from": "a", "to": "hook"}]}
        )
        assert found == {
            "connections[0].to": '"hook" is a trigger: nothing can lead into it'
        }

    def test_it_leads_to_steps_that_exist_by_success_only(self) -> None:
        found = problems_of(
            {
                "nodes": [HOOK, step("notify")],
                "connections": [
                    {"from": "hook", "to": "notfy"},
                    {"from": "hook", "to": "notify", "on": "failure", "x": 1},
                    {"from": "hook"},
                ],
            }
        )
        assert found["connections[0].to"] == (
            'there is no step "notfy"; did you mean "notify"?'
        )
        assert "success" in found["connections[1].on"]
        assert "unknown key" in found["connections[1].x"]
        assert "connections[2].to" in found

    def test_its_id_is_its_own(self) -> None:
        assert "nodes[1].id" in problems_of({"nodes": [HOOK, HOOK]})
        assert "nodes[0].id" in problems_of({"nodes": [step("hook"), HOOK]})


class TestTriggers:
    def trigger(self, **item: Any) -> dict[str, Any]:
        found = normalise({"nodes": [step("a")], "triggers": [item]})
        return found.triggers[0]

    def test_a_webhook_loses_the_slash_and_the_single_method(self) -> None:
        config = {"path": "//in/x", "method": "post", "scheme": "none"}
        assert self.trigger(kind="webhook", config=config)["config"] == {
            "path": "in/x",
            "methods": ["POST"],
            "scheme": "none",
        }

    def test_the_aliases_are_understood(self) -> None:
        item = {"trigger_type": "schedule", "configuration": {"cron": "* * * * *"}}
        assert self.trigger(**item) == {
            "kind": "schedule",
            "config": {"cron": "* * * * *"},
            "start": [],
        }

    @pytest.mark.parametrize(
        "item",
        [
            {"kind": "webhook", "secret": "s3cret"},
            {"kind": "webhook", "config": {"secret": "s3cret"}},
            {"kind": "webhook", "configuration": {"secret": "s3cret"}},
        ],
    )
    def test_the_secret_never_stays_in_the_config(self, item: dict[str, Any]) -> None:
        trigger = self.trigger(**item)
        assert trigger["secret"] == "s3cret"
        assert trigger["config"] == {}

    def test_start_names_steps(self) -> None:
        assert self.trigger(kind="manual", start=["a"])["start"] == ["a"]
        found = problems_of(
            {"nodes": [step("a")], "triggers": [{"kind": "manual", "start": ["b", 1]}]}
        )
        assert set(found) == {"triggers[0].start[0]", "triggers[0].start[1]"}

    @pytest.mark.parametrize(
        ("item", "place"),
        [
            ("webhook", "triggers[0]"),
            ({}, "triggers[0].kind"),
            ({"trigger_type": "cron"}, "triggers[0].trigger_type"),
            ({"kind": "manual", "config": []}, "triggers[0].config"),
            ({"kind": "manual", "confg": {}}, "triggers[0].confg"),
            ({"kind": "manual", "is_active": 1}, "triggers[0].is_active"),
            ({"kind": "webhook", "secret": 5}, "triggers[0].secret"),
            (
                {"kind": "webhook", "secret": "a", "config": {"secret": "b"}},
                "triggers[0].config.secret",
            ),
            ({"kind": "webhook", "config": {"path": "/"}}, "triggers[0].config.path"),
            (
                {"kind": "webhook", "configuration": {"method": "A", "methods": []}},
                "triggers[0].configuration.method",
            ),
            ({"kind": "manual", "node_id": ""}, "triggers[0].node_id"),
        ],
    )
    def test_what_cannot_be_read_is_told_with_its_place(
        self, item: Any, place: str
    ) -> None:
        assert set(problems_of({"nodes": [step("a")], "triggers": [item]})) == {place}

    def test_a_near_kind_is_suggested(self) -> None:
        found = problems_of({"nodes": [], "triggers": [{"kind": "webhok"}]})
        assert 'did you mean "webhook"?' in found["triggers[0].kind"]

    def test_only_a_webhook_without_a_scheme_is_warned_about(self) -> None:
        document = {
            "nodes": [step("a")],
            "triggers": [
                {"kind": "webhook", "config": {"scheme": "github"}},
                {"kind": "manual"},
                {"kind": "webhook"},
            ],
        }
        assert [w.path for w in normalise(document).warnings] == ["triggers[2]"]


class TestTriggerNames:
    """What an event brought is `trigger`, by whatever name its trigger is drawn."""

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("{{ trigger-1.payload }}", "{{ trigger.payload }}"),
            ("{{trigger-1.payload.a}} == 200", "{{trigger.payload.a}} == 200"),
            ("a {{- hook.id ~ 'hook' -}} hook", "a {{- trigger.id ~ 'hook' -}} hook"),
            ("{{ x.hook.y }} {{ steps.hook }}", "{{ x.hook.y }} {{ steps.hook }}"),
            ("{{ a | first }} {{ first.id }}", "{{ a | first }} {{ trigger.id }}"),
            ("{{ a is  not hook }}", "{{ a is  not hook }}"),
            ("{{ a | map(hook='x') }}", "{{ a | map(hook='x') }}"),
            ("{{ hook == 1 }}", "{{ trigger == 1 }}"),
            ("{{ hook-2.x }} {{ my-hook.x }}", "{{ hook-2.x }} {{ my-hook.x }}"),
            ("{{ hook.x", "{{ hook.x"),
            ("hook.x", "hook.x"),
        ],
    )
    def test_a_triggers_id_means_trigger(self, written: str, read: str) -> None:
        hooks = [
            {"id": name, "type": "webhook", "config": {"path": name}}
            for name in ("trigger-1", "hook", "first")
        ]
        document = {"nodes": [*hooks, step("a", {"x": written})], "output": written}
        found = normalise(document).definition
        assert found["nodes"][0]["config"]["values"]["x"] == read
        assert found["output"] == read

    def test_a_step_goes_before_a_trigger_of_its_name(self) -> None:
        document = {
            "nodes": [step("hook", {"x": "{{ hook.y }}"})],
            "triggers": [{"kind": "manual", "node_id": "hook"}],
        }
        values = normalise(document).definition["nodes"][0]["config"]["values"]
        assert values == {"x": "{{ hook.y }}"}

    def test_it_holds_within_loops(self) -> None:
        body = {"nodes": [step("b", {"x": "{{ hook.payload }}"})], "connections": []}
        loop = {"id": "l", "type": "for_each", "config": {"items": [], **body}}
        found = normalise({"nodes": [HOOK, loop]}).definition
        inner = found["nodes"][0]["config"]["nodes"][0]
        assert inner["config"]["values"] == {"x": "{{ trigger.payload }}"}

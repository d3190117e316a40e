"""The other nodes: fields, joining, waiting, messages, calls, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import (
    connections,
    convert,
    exported,
    line,
    node,
    step,
    told,
)
from workflows.expressions import render


def config_of(kind: str, parameters: Any, version: float = 1, **more: Any) -> Any:
    found = line(node("Here", kind, parameters, version, **more))
    return step(found, "here")["config"]


def only(*fields: dict[str, Any]) -> Any:
    return {"assignments": {"assignments": list(fields)}}


SCOPE: Any = {"steps": {"one": {"x": "1", "a": "1"}, "two": {"x": "2"}}}


class TestFields:
    def test_version_1_by_type_with_dots_in_names(self) -> None:
        given = {
            "keepOnlySet": True,
            "values": {
                "string": [{"name": "a.b", "value": "x"}],
                "number": [{"name": "n", "value": "5"}, {"name": "m"}],
                "boolean": [{"name": "f", "value": True}],
            },
        }
        values = config_of("set", given)["values"]
        assert values == {"a": {"b": "x"}, "n": 5, "m": 0, "f": True}

    def test_without_dot_notation_a_name_is_a_name(self) -> None:
        given = {
            "values": {"string": [{"name": "a.b", "value": "x"}]},
            "options": {"dotNotation": False},
        }
        assert config_of("set", given, 2)["values"] == {"a.b": "x"}

    def test_version_3_with_a_value_for_each_type(self) -> None:
        fields = [
            {"name": "s", "stringValue": "x"},
            {"name": "n", "type": "numberValue", "numberValue": "1.5"},
            {"name": "b", "type": "booleanValue", "booleanValue": "false"},
            {"name": "l", "type": "arrayValue", "arrayValue": "[1, 2]"},
            {
                "name": "o",
                "type": "objectValue",
                "objectValue": '={"k": {{ $json.body }}}',
            },
        ]
        values = config_of("set", {"fields": {"values": fields}}, 3.2)["values"]
        assert values == {
            "s": "x",
            "n": 1.5,
            "b": False,
            "l": [1, 2],
            "o": {"k": "{{ trigger.payload }}"},
        }

    def test_raw_json(self) -> None:
        given = {"mode": "raw", "jsonOutput": '={"a": "{{ $json.body.x }}", "b": [1]}'}
        values = config_of("set", given, 3.4)["values"]
        assert values == {"a": "{{ trigger.payload.x | string }}", "b": [1]}

    def test_raw_json_that_is_none_is_unsupported(self) -> None:
        found = line(node("Here", "set", {"mode": "raw", "jsonOutput": "{nope"}, 3.4))
        assert told(found, "Here").fidelity == "unsupported"

    @pytest.mark.parametrize(
        ("version", "more", "keeps"),
        [
            (1, {}, True),
            (1, {"keepOnlySet": True}, False),
            (3, {}, True),
            (3.2, {"include": "none"}, False),
            (3.4, {}, False),
            (3.4, {"includeOtherFields": True}, True),
        ],
    )
    def test_which_fields_are_kept(
        self, version: float, more: Any, *, keeps: bool
    ) -> None:
        own = {"values": {"string": [{"name": "a", "value": "1"}]}}
        own |= (
            {"fields": {"values": [{"name": "a", "stringValue": "1"}]}}
            if version >= 3
            else {}
        )
        after = only({"name": "v", "type": "any", "value": "={{ $json.body.x }}"})
        found = line(
            node("Own", "set", {**own, **more}, version),
            node("Here", "set", after, 3.4),
        )
        read = step(found, "here")["config"]["values"]["v"]
        assert read == (
            "{{ trigger.payload.x }}" if keeps else "{{ steps.own.body.x }}"
        )

    def test_kept_by_name(self) -> None:
        given = {
            "include": "selected",
            "includeOtherFields": True,
            "includeFields": "a, b",
        }
        values = config_of("set", {**only(), **given}, 3.4)["values"]
        scope = {"trigger": {"payload": 1, "headers": {}, "query": {}}, "steps": {}}
        assert "pick(['a', 'b'])" in values
        assert render(values, scope) == {}


class TestJoining:
    def merged(self, parameters: Any, version: float = 3) -> Any:
        one = {**only({"name": "x", "value": "1"}, {"name": "a", "value": "1"})}
        two = {**only({"name": "x", "value": "2"})}
        after = only({"name": "v", "type": "any", "value": "={{ $json }}"})
        tree = exported(
            [
                node("Hook", "webhook"),
                node("One", "set", one, 3.4),
                node("Two", "set", two, 3.4),
                node("Merge", "merge", parameters, version),
                node("Here", "set", after, 3.4),
            ],
            [
                ("Hook", "One"),
                ("Hook", "Two"),
                ("One", "Merge", 0, 0),
                ("Two", "Merge", 0, 1),
                ("Merge", "Here"),
            ],
        )
        found = convert(tree)
        value = (
            step(found, "here")["config"]["values"]["v"]
            if step(found, "merge")["type"] == "set"
            else ""
        )
        return found, value

    @pytest.mark.parametrize(
        "parameters",
        [
            {"mode": "combine", "combineBy": "combineByPosition"},
            {"mode": "combine", "combinationMode": "multiplex"},
            {"mode": "combine", "combineBy": "combineAll"},
            {"mode": "mergeByIndex"},
        ],
    )
    def test_combined_the_second_input_wins(self, parameters: Any) -> None:
        found, value = self.merged(parameters)
        assert render(value, SCOPE) == {"x": "2", "a": "1"}
        assert told(found, "Merge").fidelity == "approximate"

    def test_a_branch_is_chosen(self) -> None:
        found, value = self.merged({"mode": "chooseBranch", "useDataOfInput": "2"})
        assert render(value, SCOPE) == {"x": "2"}
        assert told(found, "Merge").fidelity == "exact"

    def test_appended_is_approximate(self) -> None:
        found, value = self.merged({})
        assert render(value, SCOPE) == {"x": "1", "a": "1"}
        assert "one by one" in told(found, "Merge").differs[0]

    @pytest.mark.parametrize("by", ["combineByFields", "combineBySql", "x"])
    def test_lists_are_not_merged_by_fields(self, by: str) -> None:
        found, _ = self.merged({"mode": "combine", "combineBy": by})
        assert told(found, "Merge").fidelity == "unsupported"

    @pytest.mark.parametrize(
        ("version", "parameters", "seconds"),
        [
            (1, {}, 3600),
            (1.1, {}, 5),
            (1.1, {"amount": 3}, 3),
            (1, {"amount": 2, "unit": "minutes"}, 120),
            (1.1, {"amount": 1, "unit": "days"}, 86_400),
        ],
    )
    def test_wait_for_a_time(
        self, version: float, parameters: Any, seconds: int
    ) -> None:
        assert config_of("wait", parameters, version) == {"duration": seconds}

    def test_wait_until(self) -> None:
        given = {"resume": "specificTime", "dateTime": "={{ $json.body.at }}"}
        assert config_of("wait", given) == {"until": "{{ trigger.payload.at }}"}

    def test_wait_for_a_call_and_its_address(self) -> None:
        back = {"name": "back", "value": "={{ $execution.resumeUrl }}"}
        mail = {
            "url": "https://x.example.com",
            "sendQuery": True,
            "method": "POST",
            "queryParameters": {"parameters": [back]},
        }
        after = only({"name": "v", "type": "any", "value": "={{ $json.body.ok }}"})
        found = line(
            node("Ask", "httpRequest", mail, 4.2),
            node("Wait", "wait", {"resume": "webhook", "httpMethod": "POST"}),
            node("Here", "set", after, 3.4),
        )
        assert step(found, "wait")["type"] == "wait_for_webhook"
        assert step(found, "ask")["config"]["query"] == {"back": "{{ run.urls.wait }}"}
        assert (
            step(found, "here")["config"]["values"]["v"]
            == "{{ steps.wait.payload.ok }}"
        )

    def test_stop_and_error_fails_with_its_message(self) -> None:
        found = line(
            node("Stop", "stopAndError", {"errorMessage": "={{ $json.body.why }}"})
        )
        assert step(found, "stop")["config"] == {"reason": "{{ trigger.payload.why }}"}
        assert told(found, "Stop").fidelity == "exact"


class TestMessages:
    def test_an_answer(self) -> None:
        given = {
            "respondWith": "json",
            "responseBody": '={"id": {{ $json.body.id }}}',
            "options": {
                "responseCode": 201,
                "responseHeaders": {"entries": [{"name": "X-A", "value": "1"}]},
            },
        }
        assert config_of("respondToWebhook", given, 1.1) == {
            "status": 201,
            "headers": {"X-A": "1"},
            "body": {"id": "{{ trigger.payload.id }}"},
        }

    def test_each_kind_of_answer(self) -> None:
        text = {"respondWith": "text", "responseBody": "=Hi {{ $json.body.n }}"}
        assert (
            config_of("respondToWebhook", text)["body"] == "Hi {{ trigger.payload.n }}"
        )
        assert config_of("respondToWebhook", {"respondWith": "noData"}) == {}
        redirect = {"respondWith": "redirect", "redirectURL": "https://x.example.com"}
        assert config_of("respondToWebhook", redirect) == {
            "status": 307,
            "headers": {"Location": "https://x.example.com"},
        }
        binary = line(node("Here", "respondToWebhook", {"respondWith": "binary"}))
        assert told(binary, "Here").fidelity == "unsupported"

    def test_a_waiting_webhook_waits(self) -> None:
        hook = node("Hook", "webhook", {"path": "x", "responseMode": "responseNode"}, 2)
        found = convert(exported([hook, node("Here", "respondToWebhook")]))
        config = found.document["triggers"][0]["config"]
        assert config["response_mode"] == "wait"

    def test_mail(self) -> None:
        given = {
            "fromEmail": "a@example.com",
            "toEmail": "={{ $json.body.to }}",
            "subject": "S",
            "text": "Hello",
            "options": {"ccEmail": "c@example.com"},
        }
        assert config_of("emailSend", given) == {
            "to": "{{ trigger.payload.to }}",
            "subject": "S",
            "cc": "c@example.com",
            "from": "a@example.com",
            "body": "Hello",
        }
        html = {**given, "emailFormat": "html", "html": "<b>x</b>"}
        assert config_of("emailSend", html, 2)["html"] == "<b>x</b>"

    def test_slack(self) -> None:
        given = {"select": "channel", "text": "={{ $json.body.t }}", "otherOptions": {}}
        credentials = {"slackApi": {"id": "1", "name": "Team"}}
        found = line(node("Here", "slack", given, 2.3, credentials=credentials))
        assert step(found, "here")["config"] == {
            "connection": "team",
            "text": "{{ trigger.payload.t }}",
        }
        assert told(found, "Here").fidelity == "approximate"
        other = line(node("Here", "slack", {"resource": "channel"}, 2.3))
        assert told(other, "Here").fidelity == "unsupported"


class TestCalls:
    def test_a_workflow_that_was_imported_is_found_by_its_id(self) -> None:
        call = node("Sub", "executeWorkflow", {"workflowId": "abc"}, 1)
        hook = node("Hook", "webhook", {"path": "x"}, 2)
        found = convert(exported([hook, call]), {"abc": "billing"})
        config = step(found, "sub")["config"]
        assert config["workflow"] == "billing"

    def test_a_chosen_one_with_inputs(self) -> None:
        given = {
            "workflowId": {
                "__rl": True,
                "value": "zz",
                "cachedResultName": "Close Books",
            },
            "workflowInputs": {"value": {"month": "={{ $json.body.m }}"}},
            "options": {"waitForSubWorkflow": False},
        }
        found = line(node("Sub", "executeWorkflow", given, 1.2))
        assert step(found, "sub")["config"] == {
            "workflow": "close-books",
            "input": {"month": "{{ trigger.payload.m }}"},
            "wait": False,
        }
        assert "has not been imported" in told(found, "Sub").differs[1]

    def test_the_called_workflow_begins_with_an_api_trigger(self) -> None:
        found = convert(
            exported([node("When", "executeWorkflowTrigger"), node("N", "noOp")])
        )
        assert found.document["triggers"][0]["kind"] == "api"


class TestPlaceholders:
    @pytest.mark.parametrize(
        "kind",
        ["code", "function", "googleSheets", "@n8n/n8n-nodes-langchain.agent", "x.y"],
    )
    def test_what_has_no_counterpart_stays_as_a_placeholder(self, kind: str) -> None:
        given = {"jsCode": "return items; // {{ $json }} {% %}"}
        found = line(node("Here", kind, given, 2), node("After", "noOp"))
        config = step(found, "here")["config"]

        assert told(found, "Here").fidelity == "unsupported"
        assert config["reached"] == "fail"
        assert "return items; // {{ $json }} {% %}" in render(config["parameters"], {})
        assert ("here", "success", "after") in connections(found)

    def test_a_node_that_is_switched_off_is_passed(self) -> None:
        after = only({"name": "v", "type": "any", "value": "={{ $json.body.x }}"})
        found = line(
            node(
                "Off",
                "httpRequest",
                {"url": "https://x.example.com"},
                4.2,
                disabled=True,
            ),
            node("Here", "set", after, 3.4),
        )
        assert step(found, "off")["config"]["reached"] == "pass"
        assert told(found, "Off").fidelity == "exact"
        assert step(found, "here")["config"]["values"]["v"] == "{{ trigger.payload.x }}"

    def test_what_serves_another_node_hangs_on_it(self) -> None:
        tree = exported(
            [
                node("Hook", "webhook"),
                node("Agent", "@n8n/n8n-nodes-langchain.agent"),
                node("Model", "@n8n/n8n-nodes-langchain.lmChatOpenAi"),
            ],
            [("Hook", "Agent")],
        )
        target = {"node": "Agent", "type": "ai_languageModel", "index": 0}
        tree["connections"]["Model"] = {"ai_languageModel": [[target]]}
        found = convert(tree)
        assert connections(found) == {("agent", "attached", "model")}

    def test_an_unknown_trigger_is_started_by_hand(self) -> None:
        after = only({"name": "v", "type": "any", "value": "={{ $json.subject }}"})
        tree = exported([node("Mail", "gmailTrigger"), node("Here", "set", after, 3.4)])
        found = convert(tree)
        assert found.document["triggers"] == [
            {"kind": "manual", "config": {}, "start": ["mail"]}
        ]
        assert step(found, "mail")["config"]["reached"] == "pass"
        assert (
            step(found, "here")["config"]["values"]["v"]
            == "{{ trigger.payload.subject }}"
        )

    def test_sticky_notes_are_no_steps(self) -> None:
        tree = exported([node("Hook", "webhook"), node("N", "noOp")])
        tree["nodes"].append(node("Note", "stickyNote", {"content": "x"}))
        found = convert(tree)
        assert found.report.sticky_notes == 1
        assert [n["id"] for n in found.document["nodes"]] == ["n"]

    def test_what_nothing_leads_to_is_kept_and_never_starts(self) -> None:
        tree = exported([node("Hook", "webhook"), node("N", "noOp")])
        tree["nodes"].append(node("Alone", "noOp"))
        found = convert(tree)
        never = found.document["triggers"][-1]
        assert (never["start"], never["is_active"]) == (["alone"], False)

    def test_a_circle_ends_in_a_step_that_fails(self) -> None:
        tree = exported(
            [
                node("Hook", "webhook"),
                node("Ask", "httpRequest", {"url": "https://x.example.com"}, 4.2),
                node("Wait", "wait", {}, 1.1),
            ],
            [("Hook", "Ask"), ("Ask", "Wait"), ("Wait", "Ask")],
        )
        found = convert(tree)
        assert ("wait", "success", "back_to_ask") in connections(found)
        assert step(found, "back_to_ask")["config"]["reached"] == "fail"
        assert told(found, "Wait").fidelity == "approximate"

    def test_a_credential_in_a_text_does_not_stay_where_no_secret_may(self) -> None:
        token = "ghp_" + "a1B2" * 10
        found = line(node("Here", "set", only({"name": "t", "value": token}), 3.4))
        assert token not in str(found.document)
        assert "credential" in told(found, "Here").differs[0]


class TestLoops:
    def looped(self, version: float, each: int, done: int) -> Any:
        inside = only({"name": "v", "type": "any", "value": "={{ $json.id }}"})
        return exported(
            [
                node("Hook", "webhook"),
                node("Get", "httpRequest", {"url": "https://x.example.com"}, 4.2),
                node("Over", "splitInBatches", {"batchSize": 1}, version),
                node("In", "set", inside, 3.4),
                node("After", "noOp"),
            ],
            [
                ("Hook", "Get"),
                ("Get", "Over"),
                ("Over", "In", each),
                ("In", "Over"),
                ("Over", "After", done),
            ],
        )

    @pytest.mark.parametrize(
        ("version", "each", "done"), [(1, 0, 1), (2, 0, 1), (3, 1, 0)]
    )
    def test_a_loop_over_items_is_a_for_each(
        self, version: float, each: int, done: int
    ) -> None:
        found = convert(self.looped(version, each, done))
        loop = step(found, "over")

        assert loop["type"] == "for_each"
        assert [n["id"] for n in loop["config"]["nodes"]] == ["in_2"]
        assert step(found, "in_2")["config"]["values"]["v"] == "{{ item.id }}"
        assert connections(found) == {
            ("get", "success", "over"),
            ("over", "success", "after"),
        }
        items = loop["config"]["items"]
        for body, expected in (([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}])):
            assert render(items, {"steps": {"get": {"body": body}}}) == expected

    def test_a_loop_in_a_loop(self) -> None:
        tree = self.looped(3, 1, 0)
        tree["nodes"] += [node("Inner", "splitInBatches", {}, 3), node("Deep", "noOp")]
        one = [{"node": "Inner", "type": "main", "index": 0}]
        tree["connections"]["In"] = {"main": [one]}
        tree["connections"]["Inner"] = {
            "main": [
                [{"node": "Over", "type": "main", "index": 0}],
                [{"node": "Deep", "type": "main", "index": 0}],
            ]
        }
        tree["connections"]["Deep"] = {"main": [one]}
        found = convert(tree)
        outer = step(found, "over")["config"]["nodes"]
        assert [n["id"] for n in outer] == ["in_2", "inner"]
        assert [n["id"] for n in outer[1]["config"]["nodes"]] == ["deep"]

    def test_split_out_is_a_loop_up_to_what_gathers(self) -> None:
        inside = only({"name": "v", "type": "any", "value": "={{ $json.sku }}"})
        gather = {"aggregate": "aggregateAllItemData", "destinationFieldName": "all"}
        found = line(
            node("Split", "splitOut", {"fieldToSplitOut": "body.lines"}),
            node("Each", "set", inside, 3.4),
            node("All", "aggregate", gather),
        )
        split = step(found, "split")["config"]
        assert split["items"] == "{{ trigger.payload.lines }}"
        assert [n["id"] for n in split["nodes"]] == ["each"]
        assert step(found, "each")["config"]["values"]["v"] == "{{ item.sku }}"
        assert step(found, "all")["config"]["values"] == {
            "all": "{{ steps.split.results | select('!=', none) }}"
        }

    def test_a_loop_that_is_entered_elsewhere_is_unsupported(self) -> None:
        tree = self.looped(3, 1, 0)
        hook = tree["connections"]["Hook"]["main"][0]
        hook.append({"node": "In", "type": "main", "index": 0})
        found = convert(tree)
        assert told(found, "Over").fidelity == "unsupported"
        assert "leads into it from outside" in told(found, "Over").differs[0]

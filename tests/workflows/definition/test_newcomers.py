"""The two documents of people who have not read our documentation, as written."""

from __future__ import annotations

import json
from typing import Any

from tests.workflows.definition.kinds import KINDS
from workflows.definition import check

WITH_TRIGGER = json.loads(
    """
{"nodes": [
  {"id": "trigger-1", "type": "webhook", "config": {"method": "POST", "path": "/webhook/abc123"}},
  {"id": "action-1", "type": "http_request", "config": {"url": "https://api.example.com/data", "method": "POST",
    "headers": {"Content-Type": "application/json"}, "body": "{{trigger.payload}}"}},
  {"id": "filter-1", "type": "filter", "config": {"condition": "{{action-1.status}} == 200", "continue_on": true}}],
 "connections": [{"from": "trigger-1", "to": "action-1"}, {"from": "action-1", "to": "filter-1"}]}
"""  # noqa: E501 - as written
)
LINE: dict[str, Any] = json.loads(
    """
{"id": "my-workflow", "name": "Demo Workflow", "description": "A sample workflow", "steps": [
  {"name": "delay", "type": "delay", "config": {"duration": 2}},
  {"name": "notify", "type": "webhook", "config": {"url": "https://httpbin.org/post", "method": "POST",
    "headers": {"Content-Type": "application/json"}, "body": {"message": "Hello from workflow!"}}}]}
"""  # noqa: E501 - as written
)


def test_nodes_with_a_trigger_node_and_a_filter_have_no_problems() -> None:
    found, problems = check(WITH_TRIGGER, KINDS)
    assert problems == []
    assert found.definition == {
        "nodes": WITH_TRIGGER["nodes"][1:],
        "connections": [{"from": "action-1", "to": "filter-1", "on": "success"}],
        "variables": {},
    }
    assert found.triggers == [
        {
            "kind": "webhook",
            "config": {"methods": ["POST"], "path": "webhook/abc123"},
            "start": ["action-1"],
            "node_id": "trigger-1",
        }
    ]
    assert [warning.path for warning in found.warnings] == ["nodes[0]"]
    assert "signature scheme" in found.warnings[0].message


def test_a_line_of_steps_has_no_problems() -> None:
    found, problems = check(LINE, KINDS)
    assert problems == []
    assert found.meta == {
        "id": "my-workflow",
        "name": "Demo Workflow",
        "description": "A sample workflow",
    }
    assert found.triggers == []
    assert found.definition["connections"] == [
        {"from": "delay", "to": "notify", "on": "success"}
    ]
    delay, notify = found.definition["nodes"]
    assert delay == {
        "id": "delay",
        "name": "delay",
        "type": "delay",
        "config": {"duration": 2},
    }
    assert (notify["id"], notify["type"]) == ("notify", "http_request")
    assert notify["config"] == LINE["steps"][1]["config"]

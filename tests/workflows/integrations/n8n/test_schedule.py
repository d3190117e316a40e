"""When n8n starts a workflow, as cron lines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import convert, exported, node, told


def clocked(kind: str, parameters: Any, **settings: Any) -> Any:
    tree = exported([node("Clock", kind, parameters, 1.2), node("N", "noOp")])
    return convert({**tree, "settings": settings})


def lines(found: Any) -> list[str]:
    return [
        t["config"]["cron"]
        for t in found.document["triggers"]
        if t["kind"] == "schedule"
    ]


@pytest.mark.parametrize(
    ("rule", "cron", "exact"),
    [
        ({}, "0 0 * * *", True),
        ({"field": "minutes"}, "*/5 * * * *", True),
        ({"field": "minutes", "minutesInterval": 1}, "* * * * *", True),
        ({"field": "minutes", "minutesInterval": 7}, "*/7 * * * *", False),
        ({"field": "minutes", "minutesInterval": 120}, "0 */2 * * *", True),
        ({"field": "hours"}, "0 * * * *", True),
        (
            {"field": "hours", "hoursInterval": 6, "triggerAtMinute": 5},
            "5 */6 * * *",
            True,
        ),
        ({"field": "hours", "hoursInterval": 5}, "0 */5 * * *", False),
        (
            {"field": "days", "triggerAtHour": 7, "triggerAtMinute": 30},
            "30 7 * * *",
            True,
        ),
        (
            {"field": "days", "daysInterval": 3, "triggerAtHour": 7},
            "0 7 */3 * *",
            False,
        ),
        (
            {"field": "weeks", "triggerAtDay": [1, 5], "triggerAtHour": 9},
            "0 9 * * 1,5",
            True,
        ),
        (
            {"field": "weeks", "weeksInterval": 2, "triggerAtDay": [1]},
            "0 0 * * 1",
            False,
        ),
        ({"field": "months", "triggerAtDayOfMonth": 15}, "0 0 15 * *", True),
        ({"field": "months", "monthsInterval": 3}, "0 0 1 */3 *", True),
        ({"field": "months", "monthsInterval": 5}, "0 0 1 */5 *", False),
        ({"field": "seconds", "secondsInterval": 10}, "* * * * *", False),
        (
            {"field": "cronExpression", "expression": "15 3 * * MON"},
            "15 3 * * MON",
            True,
        ),
        ({"field": "cronExpression", "expression": "0 15 3 * * *"}, "15 3 * * *", True),
        (
            {"field": "cronExpression", "expression": "9 15 3 * * *"},
            "15 3 * * *",
            False,
        ),
    ],
)
def test_each_rule_of_the_schedule_trigger(
    rule: Any, cron: str, *, exact: bool
) -> None:
    found = clocked("scheduleTrigger", {"rule": {"interval": [rule]}}, timezone="UTC")

    assert lines(found) == [cron]
    assert (told(found, "Clock").fidelity == "exact") is exact


@pytest.mark.parametrize(
    ("item", "cron"),
    [
        ({}, "0 14 * * *"),
        ({"mode": "everyMinute"}, "* * * * *"),
        ({"mode": "everyHour", "minute": 7}, "7 * * * *"),
        ({"mode": "everyDay", "hour": 8, "minute": 15}, "15 8 * * *"),
        ({"mode": "everyWeek", "hour": 8, "weekday": "3"}, "0 8 * * 3"),
        ({"mode": "everyMonth", "hour": 8, "dayOfMonth": 28}, "0 8 28 * *"),
        ({"mode": "everyX", "value": 3, "unit": "hours"}, "0 */3 * * *"),
        ({"mode": "everyX", "value": 10, "unit": "minutes"}, "*/10 * * * *"),
        ({"mode": "custom", "cronExpression": "0 */2 * * * *"}, "*/2 * * * *"),
    ],
)
def test_each_time_of_the_older_cron_node(item: Any, cron: str) -> None:
    found = clocked("cron", {"triggerTimes": {"item": [item]}}, timezone="UTC")
    assert lines(found) == [cron]


def test_several_rules_are_several_triggers() -> None:
    rules = [{"field": "hours"}, {"field": "days", "triggerAtHour": 7}]
    found = clocked("scheduleTrigger", {"rule": {"interval": rules}}, timezone="UTC")

    assert lines(found) == ["0 * * * *", "0 7 * * *"]
    assert all(t["start"] == ["n"] for t in found.document["triggers"])


def test_the_interval_node_is_approximate() -> None:
    found = clocked("interval", {"interval": 2, "unit": "hours"}, timezone="UTC")
    assert lines(found) == ["0 */2 * * *"]
    assert told(found, "Clock").fidelity == "approximate"


def test_the_zone_is_that_of_the_workflow_or_told() -> None:
    rule: Any = {"rule": {"interval": [{}]}}
    found = clocked("scheduleTrigger", rule, timezone="Europe/Berlin")
    assert found.document["triggers"][0]["config"]["timezone"] == "Europe/Berlin"
    for unknown in ("DEFAULT", "Mars/Olympus", None):
        found = clocked("scheduleTrigger", rule, timezone=unknown)
        assert found.document["triggers"][0]["config"]["timezone"] == "UTC"
        assert "time zone" in told(found, "Clock").differs[0]


@pytest.mark.parametrize(
    "expression", ["", "nonsense", "61 * * * *", "={{ $json.cron }}", "* * * * * * *"]
)
def test_a_line_that_cannot_be_used_is_told(expression: str) -> None:
    rule = {"field": "cronExpression", "expression": expression}
    found = clocked("scheduleTrigger", {"rule": {"interval": [rule]}}, timezone="UTC")

    assert lines(found) == []
    assert told(found, "Clock").fidelity == "approximate"

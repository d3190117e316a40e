"""The trigger kind `run_finished`: its config, and which ends it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.triggers.base import get, problems_of
from workflows.triggers.run_finished import wants

KIND = get("run_finished")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"workflows": ["orders", "billing-*"], "statuses": ["failed", "dead_letter"]},
        {"workflows": ["*"], "condition": "{{ trigger.payload.duration > 60 }}"},
        {"condition": "{{ trigger.payload.error.class }} == 'wait_timeout'"},
    ],
)
def test_a_config_is_accepted(config: dict[str, Any]) -> None:
    assert problems_of(KIND, config) == []


@pytest.mark.parametrize(
    ("config", "place", "message"),
    [
        ({"workflows": []}, "config.workflows", ""),
        ({"workflows": ["Bad slug"]}, "config.workflows[0]", "must be a slug"),
        ({"statuses": ["done"]}, "config.statuses[0]", "succeeded"),
        ({"statuses": ["failed", "failed"]}, "config.statuses", ""),
        ({"condition": 7}, "config.condition", "text"),
        ({"condition": "{{ steps.a }}"}, "config.condition", 'cannot use "steps"'),
        ({"condition": "{{ variables.a }}"}, "config.condition", '"variables"'),
        ({"condition": "{{ trigger. }}"}, "config.condition", ""),
        ({"workflow": "orders"}, "config.workflow", ""),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    config: dict[str, Any], place: str, message: str
) -> None:
    [problem] = problems_of(KIND, config)
    assert problem.path == place
    assert message in problem.message


def test_single_names_become_lists() -> None:
    given = {"workflows": "orders", "statuses": "FAILED"}
    assert KIND.normalise(given) == {"workflows": ["orders"], "statuses": ["failed"]}
    assert KIND.normalise({"statuses": [7]}) == {"statuses": [7]}


@pytest.mark.parametrize(
    ("config", "slug", "status", "wanted"),
    [
        ({}, "orders", "succeeded", True),
        ({"workflows": ["*"]}, "orders", "cancelled", True),
        ({"workflows": ["orders"]}, "orders", "failed", True),
        ({"workflows": ["orders"]}, "orders-2", "failed", False),
        ({"workflows": ["a", "orders*"]}, "orders-2", "failed", True),
        ({"workflows": ["ORDERS"]}, "orders", "failed", False),
        ({"statuses": ["failed"]}, "orders", "failed", True),
        ({"statuses": ["failed"]}, "orders", "succeeded", False),
        ({"statuses": ["failed"], "workflows": ["a"]}, "orders", "failed", False),
    ],
)
def test_ends_are_chosen_by_workflow_and_status(
    config: dict[str, Any], slug: str, status: str, wanted: bool
) -> None:
    assert wants(config, slug, status) is wanted

"""The trigger kind `schedule`: its config, its moments, its minutes' names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workflows.triggers.base import get, problems_of
from workflows.triggers.moments import upcoming

NIGHTLY = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
KIND = get("schedule")


def told(config: Any) -> dict[str, str]:
    """What is wrong, by place."""
    return {problem.path: problem.message for problem in problems_of(KIND, config, "")}


def test_a_whole_config_is_accepted() -> None:
    config = {**NIGHTLY, "catch_up": "all", "payload": {"report": "daily"}}
    assert told(config) == {}
    assert KIND.normalise({"cron": "  30   2 * *\t* "}) == {"cron": "30 2 * * *"}
    assert KIND.normalise({"cron": 7}) == {"cron": 7}


@pytest.mark.parametrize(
    ("config", "place", "message"),
    [
        ({}, "cron", "required"),
        ({"cron": "0 0 31 2 *"}, "cron", "never comes"),
        ({"cron": "* * * * * *"}, "cron", "five fields"),
        ({"cron": "@daily", "timezone": "europe/berlin"}, "timezone", "Europe/Berlin"),
        ({"cron": "@daily", "timezone": "Europe"}, "timezone", "is no time zone"),
        ({"cron": "@daily", "timezone": "../etc"}, "timezone", "is no time zone"),
        ({"cron": "@daily", "timezone": ""}, "timezone", "is no time zone"),
        ({"cron": "@daily", "catch_up": "some"}, "catch_up", "skip"),
        ({"cron": "@daily", "payload": [1]}, "payload", "object"),
        (
            {"cron": "@daily", "payload": {"fired_at": 1}},
            "payload.fired_at",
            "is set by each firing",
        ),
        ({"cron": "@daily", "tz": "UTC"}, "tz", ""),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    config: Any, place: str, message: str
) -> None:
    found = told(config)
    assert list(found) == [place]
    assert message in found[place]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = told({"cron": "0 0 31 2 *", "timezone": "Nowhere"})
    assert list(found) == ["cron", "timezone"]


def test_the_next_five_moments_follow_the_clock_of_the_zone() -> None:
    after = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert [f"{moment:%dT%H:%M}" for moment in upcoming(KIND, NIGHTLY, after)] == [
        "25T00:30",
        "26T01:30",
        "27T01:30",
        "28T01:30",
        "29T01:30",
    ]


def test_without_a_zone_it_is_utc_and_without_a_choice_one_is_caught_up() -> None:
    config = {"cron": "0 12 * * *"}
    [moment] = upcoming(KIND, config, datetime(2026, 1, 1, tzinfo=UTC), 1)
    assert moment == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert KIND.catch_up(config) == "one"
    assert KIND.catch_up({**config, "catch_up": "skip"}) == "skip"
    assert KIND.slot(config, moment) == "2026-01-01T12:00 UTC"


def test_a_minute_is_named_as_the_wall_shows_it() -> None:
    moment = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert KIND.slot(NIGHTLY, moment) == "2026-10-25T02:30 Europe/Berlin"


def test_the_payload_begins_with_the_configs_and_says_which_moment_it_is() -> None:
    config = {**NIGHTLY, "payload": {"report": "daily"}}
    assert KIND.payload(config, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == {
        "report": "daily",
        "scheduled_for": "2026-10-25T02:30:00+02:00",
        "timezone": "Europe/Berlin",
    }


def test_kinds_that_do_not_go_by_the_clock_have_no_moments() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert upcoming(get("manual"), {}, now) == []
    assert upcoming(get("run_finished"), {}, now) == []

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automate.lib.redaction import Redactor
from tests.automate.lib.fakes import FakeClock
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail, Outcome, Wait
from workflows.definition import validate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(make_context: MakeContext) -> Any:
    def execute(config: dict[str, Any], **changes: Any) -> Outcome:
        changes.setdefault("clock", FakeClock(NOW))
        return get("delay").execute(make_context(config, **changes))

    return execute


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(2, 2), (0.5, 0.5), ("500ms", 0.5), ("5m", 300), ("1h30m", 5400), ("366d", None)],
)
def test_a_duration_waits_from_now(
    duration: Any, seconds: float | None, run: Any
) -> None:
    length = timedelta(days=366) if seconds is None else timedelta(seconds=seconds)
    assert run({"duration": duration}).until == NOW + length


def test_when_the_time_has_come_the_output_tells_the_moment(run: Any) -> None:
    assert run({"duration": 2}) == Wait(
        NOW + timedelta(seconds=2), {"waited_until": "2026-01-01T00:00:02Z"}
    )


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("2026-01-02T00:00:00Z", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T02:00:00+02:00", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T12:30", datetime(2026, 1, 2, 12, 30, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_until_is_a_moment_and_utc_without_an_offset(
    until: str, moment: datetime, run: Any
) -> None:
    assert run({"until": until}).until == moment


@pytest.mark.parametrize(
    ("config", "moment"),
    [
        ({"duration": 0}, "2026-01-01T00:00:00Z"),
        ({"until": "2020-01-01T00:00:00Z"}, "2020-01-01T00:00:00Z"),
    ],
)
def test_a_moment_that_has_passed_is_done_at_once(
    config: dict[str, Any], moment: str, run: Any
) -> None:
    assert run(config) == Done({"waited_until": moment})


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"duration": -1},
        {"duration": "5 parsecs"},
        {"duration": True},
        {"duration": None},
        {"duration": 1e300},
        {"duration": "367d"},
        {"until": "tomorrow"},
        {"until": 5},
        {"until": None},
        {"until": "2099-01-01T00:00:00Z"},
        {"until": "0001-01-01T00:00:00+23:00"},
    ],
)
def test_what_is_no_time_fails_with_the_reason(
    config: dict[str, Any], run: Any
) -> None:
    outcome = run(config)
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"


def test_the_reason_is_redacted(run: Any) -> None:
    outcome = run({"until": "hunter22"}, redactor=Redactor(["hunter22"]))
    assert "hunter22" not in outcome.error.message


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"duration": "5 parsecs"}, ".duration"),
        ({"duration": "400d"}, ".duration"),
        ({"until": "tomorrow"}, ".until"),
        ({"duration": -1}, ".duration"),
        ({"duration": 1, "until": "2030-01-01"}, ""),
        ({}, ""),
        ({"duration": "{{ variables.pause }}"}, None),
        ({"until": "{{ trigger.payload.at }}"}, None),
        ({"until": "2030-01-01T00:00:00Z"}, None),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], place: str | None
) -> None:
    node = {"id": "wait", "type": "delay", "config": config}
    value = {"nodes": [node], "connections": [], "variables": {}}
    expected = [] if place is None else [f"nodes[0].config{place}"]
    assert [problem.path for problem in validate(value, all_actions())] == expected

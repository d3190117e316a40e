from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.actions.http_request.classify import (
    matches,
    outcome_of,
    reason,
    retries_kind,
    retries_status,
    retry_after,
)

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        # The three forms of an HTTP-date in RFC 9110, section 5.6.7.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
        ("Sun Nov  6 08:49:37 1994", 37),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("99999999999999999999", None),
        ("١٢", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after_takes_seconds_or_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} -?\d+ .*"))
def test_retry_after_never_raises_and_is_never_negative(value: str) -> None:
    found = retry_after(value, NOW)
    assert found is None or found >= 0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_these_statuses_are_tried_again(status: int) -> None:
    assert retries_status(status, None)


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 409, 410, 422])
def test_these_statuses_are_not(status: int) -> None:
    assert not retries_status(status, None)


def test_retry_on_replaces_the_defaults() -> None:
    assert retries_status(404, [404])
    assert retries_status(409, ["4xx"])
    assert not retries_status(503, [404])
    assert not retries_status(503, [])
    assert retries_kind("blocked", ["blocked"])
    assert not retries_kind("timeout", ["reset"])


def test_kinds_that_waiting_may_mend_are_tried_again() -> None:
    again = {"name", "connect", "tls", "timeout", "reset"}
    for kind in (*again, "blocked", "protocol", "redirect"):
        assert retries_kind(kind, None) == (kind in again)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (299, "delivered"),
        (304, "rejected"),
        (404, "rejected"),
        (500, "rejected"),
        (503, "rejected"),
        (502, "unknown"),
        (504, "unknown"),
    ],
)
def test_an_answer_says_what_became_of_the_request(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


def test_a_class_of_statuses_is_written_with_xx() -> None:
    assert matches(204, ["2xx"])
    assert matches(204, [200, 204])
    assert not matches(304, ["2xx", 200])


def test_a_status_without_a_name_is_a_number() -> None:
    assert reason(404) == "404 Not Found"
    assert reason(599) == "599"

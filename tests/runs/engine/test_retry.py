"""delay_after(): how long to wait, for any policy and any dice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.engine.retry import RetryPolicy, delay_after

seconds = st.floats(0, 86_400)
dice = st.floats(0, 1)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 100),
    backoff=st.sampled_from(["exponential", "fixed"]),
    initial=seconds,
    max=seconds,
    jitter=dice,
    waits=st.lists(seconds, max_size=5).map(tuple),
)


def cap(policy: RetryPolicy) -> float:
    return max((policy.max, *policy.waits))


@given(policy=policies, attempt=st.integers(1, 200), dice=dice, after=seconds)
def test_a_wait_is_within_the_cap_or_there_is_none(
    policy: RetryPolicy, attempt: int, dice: float, after: float
) -> None:
    for asked in (None, after):
        wait = delay_after(policy, attempt, retry_after=asked, dice=dice)
        if attempt >= policy.max_attempts:
            assert wait is None
        else:
            assert wait is not None
            assert 0 <= wait <= cap(policy)


@given(policy=policies, attempt=st.integers(1, 99), dice=dice)
def test_jitter_stays_within_its_share(
    policy: RetryPolicy, attempt: int, dice: float
) -> None:
    middle = delay_after(policy, attempt, dice=0.5)
    wait = delay_after(policy, attempt, dice=dice)
    if middle is None or wait is None:
        assert middle is wait
        return
    assert wait <= middle * (1 + policy.jitter) + 1e-6
    assert wait >= middle * (1 - policy.jitter) - 1e-6


@given(policy=policies, dice=dice)
def test_an_exponential_wait_never_shrinks(policy: RetryPolicy, dice: float) -> None:
    plain = RetryPolicy(100, "exponential", policy.initial, policy.max, policy.jitter)
    waits = [delay_after(plain, attempt, dice=dice) for attempt in range(1, 100)]

    assert None not in waits
    assert waits == sorted(waits, key=lambda wait: wait or 0.0)


@given(policy=policies, attempt=st.integers(1, 99), after=seconds, dice=dice)
def test_what_the_receiver_asks_for_is_a_lower_bound(
    policy: RetryPolicy, attempt: int, after: float, dice: float
) -> None:
    wait = delay_after(policy, attempt, retry_after=after, dice=dice)
    plain = delay_after(policy, attempt, dice=dice)
    if wait is not None and plain is not None:
        assert wait >= min(after, cap(policy))
        assert wait >= plain


@given(attempt=st.integers(1, 10**9), initial=st.floats(0, 1e308))
def test_no_attempt_is_too_large_to_count(attempt: int, initial: float) -> None:
    policy = RetryPolicy(max_attempts=10**9 + 1, initial=initial)
    wait = delay_after(policy, attempt)

    assert wait is not None
    assert math.isfinite(wait)


def test_it_doubles_from_the_first_wait_up_to_the_cap() -> None:
    policy = RetryPolicy(max_attempts=6, initial=2, max=10, jitter=0)

    waits = [delay_after(policy, attempt) for attempt in range(1, 7)]

    assert waits == [2, 4, 8, 10, 10, None]


def test_a_fixed_backoff_stays_the_same() -> None:
    policy = RetryPolicy(max_attempts=3, backoff="fixed", initial=7, jitter=0)

    assert [delay_after(policy, n) for n in (1, 2, 3)] == [7, 7, None]


def test_a_list_of_waits_is_taken_as_it_is_beyond_any_default_cap() -> None:
    policy = RetryPolicy.of({"waits": [1, 60, 3600], "jitter": 0})

    assert policy.max_attempts == 4
    assert [delay_after(policy, n) for n in range(1, 5)] == [1, 60, 3600, None]


def test_more_tries_than_waits_repeat_the_last() -> None:
    policy = RetryPolicy.of({"waits": [1, 2], "max_attempts": 4, "jitter": 0})

    assert [delay_after(policy, n) for n in range(1, 5)] == [1, 2, 2, None]


@pytest.mark.parametrize(("after", "wait"), [(0.0, 2.0), (5.0, 5.0), (10_000.0, 600.0)])
def test_retry_after_is_honoured_up_to_the_cap(after: float, wait: float) -> None:
    assert delay_after(RetryPolicy(jitter=0), 1, retry_after=after) == wait


def test_later_layers_win_and_unknown_keys_are_ignored() -> None:
    policy = RetryPolicy.of({"max": 9, "initial": 1}, None, {"max": 5, "retry_on": []})

    assert (policy.initial, policy.max, policy.max_attempts) == (1, 5, 5)

"""Tokens in memory: fetched once, before they end, by one thread at a time."""

from __future__ import annotations

import threading
from time import monotonic
from uuid import uuid4

import pytest

from workflows.connections.base import SignInFailed
from workflows.connections.tokens import Token, Tokens

NOW = 1_000_000.0
KEY = ("crm", "basis")


def token(value: str = "t", life: float = 3600, basis: str = "basis") -> Token:
    return Token(value, NOW + life, NOW, basis)


class Fetch:
    """Counts how often it is called, and gives what it is told to."""

    def __init__(self, *results: Token | Exception) -> None:
        self.results = list(results) or [token("fetched")]
        self.count = 0

    def __call__(self) -> Token:
        self.count += 1
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        return result


def get(
    tokens: Tokens, fetch: Fetch, stored: Token | None = None, **more: float
) -> str:
    now, until = more.get("now", NOW), monotonic() + more.get("wait", 5)
    return tokens.get(KEY, stored, now, until, fetch).value


def test_a_token_is_fetched_once() -> None:
    tokens, fetch = Tokens(), Fetch()

    assert [get(tokens, fetch) for _ in range(3)] == ["fetched"] * 3
    assert fetch.count == 1


def test_a_stored_token_is_not_fetched_at_all() -> None:
    fetch = Fetch()

    assert get(Tokens(), fetch, token("stored")) == "stored"
    assert fetch.count == 0


def test_the_token_that_holds_longer_is_used() -> None:
    tokens = Tokens()
    get(tokens, Fetch(token("own", 1000)))

    assert get(tokens, Fetch(), token("stored", 2000)) == "stored"
    assert get(tokens, Fetch(), token("stored", 500)) == "own"


def test_a_stored_token_of_other_credentials_is_worth_nothing() -> None:
    assert get(Tokens(), Fetch(), token("old", basis="other")) == "fetched"


@pytest.mark.parametrize(
    ("life", "age", "fetched"),
    [
        (3600, 3500, False),
        (3600, 3580, True),
        (3600, 3700, True),
        (60, 30, False),
        (60, 54, True),
    ],
)
def test_a_token_is_fetched_anew_before_it_ends(
    life: float, age: float, fetched: bool
) -> None:
    fetch = Fetch()
    found = get(Tokens(), fetch, token("stored", life), now=NOW + age)

    assert (found == "fetched") is fetched


def test_a_token_that_still_holds_is_used_when_no_other_can_be_had() -> None:
    fetch = Fetch(SignInFailed("away", retries=True))
    stored = token("stored", 60)

    assert get(Tokens(), fetch, stored, now=NOW + 50) == "stored"
    with pytest.raises(SignInFailed):
        get(Tokens(), fetch, stored, now=NOW + 58)


def test_what_the_receiver_refused_is_used_neither_from_here_nor_from_the_row() -> None:
    tokens, fetch = Tokens(), Fetch(token("first"), token("second"))
    get(tokens, fetch)
    tokens.refuse(KEY, "first", NOW)

    assert get(tokens, fetch, token("first", 9999)) == "second"
    assert get(tokens, fetch, token("first", 9999)) == "second"
    assert fetch.count == 2


def test_all_that_were_refused_lately_are_remembered() -> None:
    """Shown to fail when the second one's refusal forgets the first."""
    tokens, fetch = Tokens(), Fetch(token("first"), token("third"))
    get(tokens, fetch)
    for value in ("first", "second"):
        tokens.refuse(KEY, value, NOW)

    assert get(tokens, fetch, token("second", 9999)) == "third"


def test_only_a_token_that_was_fetched_since_is_no_old_one() -> None:
    tokens = Tokens()
    get(tokens, Fetch(token("own")))

    assert tokens.refuse(KEY, "own", NOW) is False
    assert tokens.refuse(KEY, "own", NOW + 1) is True
    assert tokens.refuse(KEY, "of the row", NOW) is True


def crowd(tokens: Tokens, fetch: Fetch, size: int = 16) -> list[str]:
    """What so many threads get that come while one fetches."""
    found: list[str] = []

    def work() -> None:
        try:
            found.append(get(tokens, fetch))
        except SignInFailed as error:
            found.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


class Slow(Fetch):
    """Lets the others queue up first."""

    def __call__(self) -> Token:
        threading.Event().wait(0.1)
        return super().__call__()


def test_one_thread_fetches_for_all_that_wait() -> None:
    fetch = Slow()

    assert crowd(Tokens(), fetch) == ["fetched"] * 16
    assert fetch.count == 1


def test_those_that_wait_are_told_of_the_failure_and_do_not_repeat_it() -> None:
    fetch = Slow(SignInFailed("invalid_client", retries=False))

    assert crowd(Tokens(), fetch) == ["invalid_client"] * 16
    assert fetch.count <= 2  # a thread that came late begins anew


def test_a_failure_that_was_one_step_s_own_is_not_told_to_the_others() -> None:
    own = SignInFailed("not wanted any more", retries=True, shared=False)
    fetch = Slow(own, token("fetched"))

    found = crowd(Tokens(), fetch)
    assert sorted(found) == ["fetched"] * 15 + ["not wanted any more"]
    assert fetch.count == 2


def test_waiting_for_another_thread_ends() -> None:
    tokens, begun, over = Tokens(), threading.Event(), threading.Event()

    def hang() -> Token:
        begun.set()
        over.wait(60)
        return token()

    thread = threading.Thread(
        target=lambda: tokens.get(KEY, None, NOW, monotonic() + 60, hang)
    )
    thread.start()
    assert begun.wait(60)
    with pytest.raises(SignInFailed, match="did not end in time") as caught:
        get(tokens, Fetch(), wait=0.05)
    over.set()
    thread.join(60)

    assert caught.value.retries


def test_while_another_thread_fetches_a_token_that_holds_is_used() -> None:
    tokens, begun, over = Tokens(), threading.Event(), threading.Event()
    stored = token("stored", 60)

    def slow() -> Token:
        begun.set()
        over.wait(60)
        return token("new")

    thread = threading.Thread(
        target=lambda: tokens.get(KEY, stored, NOW + 50, monotonic() + 60, slow)
    )
    thread.start()
    assert begun.wait(60)
    assert get(tokens, Fetch(), stored, now=NOW + 50) == "stored"
    over.set()
    thread.join(60)


def test_what_was_fetched_is_handed_over_once_and_can_be_given_back() -> None:
    tokens, key = Tokens(), uuid4()
    tokens.get((key, "basis"), None, NOW, 0, Fetch())
    found = tokens.take_unwritten()
    assert found == {key: token("fetched")}
    assert tokens.take_unwritten() == {}
    tokens.give_back(found)
    assert tokens.take_unwritten() == found


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"value": "t"},
        {"value": "t", "expires_at": "x", "fetched_at": 1, "basis": ""},
    ],
)
def test_what_is_no_token_is_none(data: object) -> None:
    assert Token.stored(data) is None


def test_a_token_survives_its_row_and_is_never_printed() -> None:
    assert Token.stored(token("canary").as_data()) == token("canary")
    assert "canary" not in repr(token("canary"))

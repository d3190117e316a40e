"""Access tokens in memory: one for a connection, fetched by one thread at a time.

A process keeps what it fetched; a drain writes it down with its sign of life, so that
other processes read it with the connection's row instead of fetching one each.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import uniform
from time import monotonic
from typing import Any
from uuid import UUID

from workflows.connections.base import SignInFailed

MARGIN = 60.0  # seconds before its end, on average, a token is fetched anew
LAST = 5.0  # seconds before its end it is not used any more
MOST = 1000
REFUSED = 8  # values of one connection that a receiver refused, newest first

Key = tuple[UUID | str, str]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; times are seconds since 1970.

    `basis` names the settings and credentials that it was fetched with: of others it is
    worth nothing.
    """

    value: str = field(repr=False)
    expires_at: float
    fetched_at: float
    basis: str

    @classmethod
    def stored(cls, data: object) -> Token | None:
        """What `as_data` wrote; None for anything else."""
        if not isinstance(data, Mapping):
            return None
        try:
            return cls(
                str(data["value"]),
                float(data["expires_at"]),
                float(data["fetched_at"]),
                str(data["basis"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def as_data(self) -> dict[str, Any]:
        """For the row, which is encrypted."""
        return {
            "value": self.value,
            "expires_at": self.expires_at,
            "fetched_at": self.fetched_at,
            "basis": self.basis,
        }

    def left(self, now: float) -> float:
        return self.expires_at - now

    def is_fresh(self, now: float, chance: float) -> bool:
        """Whether nobody need fetch another yet; short-lived ones have less margin."""
        life = max(self.expires_at - self.fetched_at, 0.0)
        return self.left(now) > min(MARGIN * chance, life / 4)


class _Flight:
    """One fetch that several threads wait for."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.token: Token | None = None
        self.error: SignInFailed | None = None


class Tokens:
    """Thread-safe; one a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, Token] = OrderedDict()
        self._refused: OrderedDict[Key, tuple[str, ...]] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}
        self._unwritten: dict[UUID, Token] = {}
        # Not all processes fetch at the same moment: the first one's is read by all.
        self._chance = uniform(0.5, 1.5)  # noqa: S311 - spreads load

    def get(
        self,
        key: Key,
        stored: Token | None,
        now: float,
        until: float,
        fetch: Callable[[], Token],
    ) -> Token:
        """A token that holds; `fetch` makes one where nobody has or is fetching one.

        `stored` is the row's, `now` seconds since 1970, `until` the monotonic time at
        which waiting for another thread ends. Raises SignInFailed.
        """
        while True:
            with self._lock:
                token = self._best(key, stored, now)
                if token is not None and token.is_fresh(now, self._chance):
                    return token
                flight = self._flights.get(key)
                if flight is None:
                    mine = self._flights[key] = _Flight()
                    break
            if token is not None:
                return token  # good for a little longer; another thread sees to it
            if not flight.done.wait(max(until - monotonic(), 0.0)):
                message = "another step's request for a token did not end in time"
                raise SignInFailed(message, retries=True)
            if flight.token is not None:
                return flight.token
            if flight.error is not None and flight.error.shared:
                raise flight.error
        return self._fetch(key, mine, token, fetch)

    def refuse(self, key: Key, value: str, began: float) -> bool:
        """The receiver would not have this one: neither from here nor from the row.

        True when it had not been fetched by this process since `began`, in seconds
        since 1970: then another may still be better.
        """
        with self._lock:
            others = (old for old in self._refused.get(key, ()) if old != value)
            self._refused[key] = (value, *others)[:REFUSED]
            self._refused.move_to_end(key)
            while len(self._refused) > MOST:
                self._refused.popitem(last=False)
            own = self._known.get(key)
            return own is None or own.value != value or own.fetched_at < began

    def take_unwritten(self) -> dict[UUID, Token]:
        """What was fetched since the last call, by connection."""
        with self._lock:
            found, self._unwritten = self._unwritten, {}
        return found

    def give_back(self, tokens: Mapping[UUID, Token]) -> None:
        """These could not be written down after all."""
        with self._lock:
            self._unwritten = {**tokens, **self._unwritten}

    def clear(self) -> None:
        """Forget all, as a new process would."""
        with self._lock:
            self._known.clear()
            self._refused.clear()
            self._unwritten.clear()

    def _best(self, key: Key, stored: Token | None, now: float) -> Token | None:
        refused = self._refused.get(key, ())
        found = [
            token
            for token in (self._known.get(key), stored)
            if token is not None
            and token.basis == key[1]
            and token.value not in refused
            and token.left(now) > LAST
        ]
        return max(found, key=lambda token: token.expires_at, default=None)

    def _fetch(
        self,
        key: Key,
        flight: _Flight,
        old: Token | None,
        fetch: Callable[[], Token],
    ) -> Token:
        try:
            token = flight.token = fetch()
        except SignInFailed as error:
            flight.error = error
            if old is not None and error.retries:
                flight.token = old
                return old  # still holds: the next request asks again
            raise
        else:
            with self._lock:
                self._known[key] = token
                self._known.move_to_end(key)
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
                if isinstance(key[0], UUID):
                    self._unwritten[key[0]] = token
            return token
        finally:
            with self._lock:
                del self._flights[key]
            flight.done.set()


tokens = Tokens()

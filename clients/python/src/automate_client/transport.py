"""Requests that are repeated where that is harmless."""

from __future__ import annotations

import random
from time import sleep
from typing import Any

import requests
from requests.auth import AuthBase

from automate_client.errors import (
    ApiError,
    RateLimited,
    Unavailable,
    Unreachable,
    error_of,
)

LONGEST_WAIT = 60.0  # seconds; who is asked to wait longer is told


class Bearer(AuthBase):
    """The key, in place of what a .netrc has for the host."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Transport:
    """Sends requests below one address, with one key."""

    def __init__(self, url: str, key: str, timeout: float, tries: int) -> None:
        self.base = url.rstrip("/") + "/api/v1"
        self.timeout, self.tries = timeout, tries
        self.session = requests.Session()
        self.session.auth = Bearer(key)
        self.session.headers["Accept"] = "application/json"

    def send(
        self, method: str, path: str, *, repeatable: bool, **more: Any
    ) -> requests.Response:
        """The answer, a 2xx. Raises ApiError or Unreachable.

        A 429 has done nothing and is always sent again; a 503, or silence, only where
        the request is `repeatable`: nobody knows what it has done.
        """
        for tried in range(1, self.tries + 1):
            try:
                return self.once(method, self.base + path, **more)
            except RateLimited as error:
                self._wait(tried, error, error.retry_after)
            except Unavailable as error:
                self._wait(
                    tried if repeatable else self.tries, error, error.retry_after
                )
            except Unreachable as error:
                self._wait(tried if repeatable else self.tries, error, None)
        raise AssertionError("unreachable: the last try returns or raises")

    def once(self, method: str, url: str, **more: Any) -> requests.Response:
        """One request, sent once. Redirects are not followed: the key stays here."""
        given = {"timeout": self.timeout, "allow_redirects": False, **more}
        try:
            response = self.session.request(method, url, **given)
        except requests.RequestException as error:
            raise Unreachable(f"{method} {url}: {error}") from error
        if not 200 <= response.status_code < 300:
            with response:
                raise error_of(response)
        return response

    def _wait(
        self, tried: int, error: ApiError | Unreachable, asked: float | None
    ) -> None:
        """Sleep until the next try; raise the error where there is none."""
        if tried >= self.tries or (asked or 0) > LONGEST_WAIT:
            raise error
        # Not all clients at once.
        backoff = min(0.25 * 2**tried, 8.0) * random.uniform(0.5, 1.0)  # noqa: S311
        sleep(max(asked or 0.0, backoff))


def json_of(response: requests.Response) -> Any:
    """What it holds. Raises Unreachable for what is none of Automate's answers."""
    try:
        return response.json()
    except ValueError:
        raise Unreachable(f"{response.url} did not answer with JSON") from None

"""Requests of tests: an answer, or the error instead of one."""

from __future__ import annotations

import pytest

from automate.lib.net import Client, NetError, Request, Response


def get(client: Client, url: str, **changes: object) -> Response:
    """The answer to a GET, changed as said."""
    values: dict[str, object] = {"method": "GET", "url": url, "timeout": 60.0}
    return client.send(Request(**{**values, **changes}))  # type: ignore[arg-type]


def failure(client: Client, url: str, **changes: object) -> NetError:
    """Why there is no answer to it."""
    with pytest.raises(NetError) as caught:
        get(client, url, **changes)
    return caught.value

"""`requests` under the same guard, for everything off the hot path."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager

from automate.lib.net.errors import NetError
from automate.lib.net.guard import Policy
from automate.lib.net.transport import (
    GuardedHTTPConnection,
    GuardedHTTPSConnection,
    Sockets,
)

_TIMEOUT = (5.0, 30.0)


def guarded_session(
    policy: Policy, *, timeout: tuple[float, float] = _TIMEOUT
) -> requests.Session:
    """A session that connects to permitted addresses only, on every redirect too.

    `timeout` (connect, read; s) is the default of each request. It takes nothing
    from the environment. A refusal is a requests.ConnectionError whose cause is the
    NetError.
    """
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 5
    adapter = _GuardedAdapter(policy, timeout)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, policy: Policy, timeout: tuple[float, float]) -> None:
        guard: dict[str, Any] = {"policy": policy, "sockets": Sockets()}
        plain = partial(GuardedHTTPConnection, **guard)
        tls = partial(GuardedHTTPSConnection, **guard)
        self._pools = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
        self._timeout = timeout
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *_args: Any, **_kwargs: Any) -> Any:
        """Refused: behind a proxy nobody here sees which address is reached."""
        raise NetError("blocked", "proxies are not used", sent=False)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        try:
            return super().send(request, *args, **kwargs)
        except NetError as error:
            raise requests.ConnectionError(str(error), request=request) from error

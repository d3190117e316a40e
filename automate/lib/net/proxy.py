"""Through a forward proxy: the guard looks at the proxy and at the target.

The name is resolved here and each of its addresses must be permitted, because the proxy
resolves it once more and chooses. What a name service tells the proxy and not us only
the proxy can refuse; docs/security.md says so.
"""

from __future__ import annotations

import socket
from time import monotonic

from automate.lib.net.errors import NetError
from automate.lib.net.guard import Policy
from automate.lib.net.route import Proxy
from automate.lib.net.transport import Sockets, open_socket, resolve
from automate.lib.net.wire import Wire

_LONGEST = 60.0


def check_target(policy: Policy, host: str, port: int) -> None:
    """NetError("name") or ("blocked") unless all addresses of `host` are permitted."""
    resolve(policy, host, port, all_of_them=True)


def open_tunnel(
    policy: Policy,
    proxy: Proxy,
    sockets: Sockets,
    user_agent: str,
    host: str,
    port: int,
    timeout: float | None,
) -> socket.socket:
    """A socket to `host` by CONNECT (RFC 9110, 9.3.6); NetError, always unsent."""
    deadline = monotonic() + (_LONGEST if timeout is None else timeout)
    check_target(policy, host, port)
    sock = open_proxy(policy, proxy, sockets, deadline - monotonic())
    try:
        _connect(Wire(sock, deadline), proxy, user_agent, host, port)
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
    except TimeoutError:
        sock.close()
        message = f"the proxy {proxy.host}:{proxy.port} did not answer in time"
        raise NetError("timeout", message, sent=False) from None
    except (NetError, OSError) as error:
        sock.close()
        message = f"no tunnel through the proxy {proxy.host}:{proxy.port}: {error}"
        raise NetError("connect", message, sent=False) from error
    except BaseException:
        sock.close()
        raise
    return sock


def open_proxy(
    policy: Policy, proxy: Proxy, sockets: Sockets, timeout: float | None
) -> socket.socket:
    """A socket to the proxy itself; NetError that says whose address was refused."""
    try:
        return open_socket(policy, proxy.host, proxy.port, timeout, sockets)
    except NetError as error:
        message = f"the connection's proxy: {error.message}"
        raise NetError(error.kind, message, sent=False) from error


def _connect(wire: Wire, proxy: Proxy, user_agent: str, host: str, port: int) -> None:
    shown = host.rstrip(".")
    authority = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if login := proxy.authorization:
        lines.append(f"Proxy-Authorization: {login}")
    lines.append(f"User-Agent: {user_agent}")
    wire.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    answer = wire.read_head("CONNECT")
    if not 200 <= answer.status < 300:
        raise NetError("connect", f"it answered {answer.status}", sent=False)
    if not wire.is_clean:
        raise NetError("protocol", "it spoke before the tunnel was open", sent=False)

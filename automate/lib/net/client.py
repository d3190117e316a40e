"""The guarded HTTP client of the hot path."""

from __future__ import annotations

import ssl
from functools import partial
from time import monotonic

from automate.lib.net import redirect
from automate.lib.net.decode import collect
from automate.lib.net.errors import NetError
from automate.lib.net.guard import Policy
from automate.lib.net.message import Request, Response, head
from automate.lib.net.pool import Connection, Origin, Pool
from automate.lib.net.proxy import check_target, open_proxy, open_tunnel
from automate.lib.net.route import Contexts, Route
from automate.lib.net.transport import (
    GuardedHTTPConnection,
    GuardedHTTPSConnection,
    Opener,
    Sockets,
    default_context,
)
from automate.lib.net.url import Target, host_allowed, parse
from automate.lib.net.wire import Wire

_LONGEST_TIMEOUT = 86_400.0


class Client:
    """Thread-safe; make one per process, after the fork.

    `pool_size` is the number of idle connections kept per origin; it never blocks.
    `verify` is a file of authorities or a context (for a client certificate).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        pool_size: int = 32,
        verify: str | ssl.SSLContext | None = None,
        user_agent: str = "Automate",
    ) -> None:
        if isinstance(verify, str):
            verify = ssl.create_default_context(cafile=verify)
        self._context = verify
        self._contexts = Contexts()
        self._policy = policy
        self._pool = Pool(pool_size)
        self._sockets = Sockets()
        self._user_agent = user_agent
        self._plain = partial(
            GuardedHTTPConnection, policy=policy, sockets=self._sockets
        )
        self._tls = partial(
            GuardedHTTPSConnection, policy=policy, sockets=self._sockets
        )

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; NetError when no full answer came."""
        started = monotonic()
        deadline = started + min(request.timeout, _LONGEST_TIMEOUT)
        headers = list(request.headers.items())
        target = parse(request.url)
        hop = redirect.Hop(request.method, target, headers, request.body, request.route)
        for number in range(request.max_redirects + 1):
            try:
                response = self._send_hop(hop, request, started, deadline)
            except NetError as error:
                if number and not error.sent:
                    message = f"after a redirect: {error.message}"
                    raise NetError(error.kind, message, sent=True) from error
                raise
            where = redirect.location(response.status, response.headers)
            if where is None or not request.max_redirects:
                return response
            hop = redirect.follow(hop, response.status, where)
        message = f"more than {request.max_redirects} redirects"
        raise NetError("redirect", message, sent=True)

    def abort(self) -> None:
        """Shut every socket: blocked threads return, and nothing is sent again."""
        self._sockets.shut()
        self._pool.close()

    def close(self) -> None:
        """Close the idle connections; those in use close when they are done."""
        self._pool.close()

    def _send_hop(
        self, hop: redirect.Hop, request: Request, started: float, deadline: float
    ) -> Response:
        _check_hosts(hop, request.allowed_hosts)
        data = head(hop, self._user_agent)
        if hop.body:
            data += hop.body
        connection = self._connection(hop.target, hop.route, deadline)
        if request.wanted is not None and not request.wanted():
            self._pool.give(connection)
            raise NetError("unwanted", "no longer wanted, so not sent", sent=False)
        wire = Wire(connection.sock, deadline)
        reusable = False
        try:
            early = _send(wire, data)
            answer = wire.read_head(hop.method)
            body, truncated = collect(
                wire.read_body(answer), answer.encoding, request.max_response
            )
            if answer.is_open_ended and self._sockets.aborted:
                raise ConnectionAbortedError
            reusable = answer.keep_alive and wire.is_clean and not (early or truncated)
        except (NetError, OSError) as error:
            raise self._explained(error, request.timeout, sent=wire.sent) from error
        finally:
            if reusable:
                self._pool.give(connection)
            else:
                connection.close()
        return Response(
            status=answer.status,
            headers=answer.headers,
            body=body,
            truncated=truncated,
            duration=monotonic() - started,
            url=hop.target.url,
        )

    def _connection(
        self, target: Target, route: Route | None, deadline: float
    ) -> Connection:
        """An idle connection, or a new one: name, guard, connect, TLS."""
        if self._sockets.aborted:
            raise NetError("reset", "the client was stopped", sent=False)
        origin: Origin = target.origin
        if route is not None:
            origin = (*target.origin, route)
            if route.proxy and target.scheme == "http":  # it asks for the name anew
                check_target(self._policy, target.host, target.port)
        connection = self._pool.take(origin)
        if connection is not None:
            return connection
        timeout = deadline - monotonic()
        if timeout <= 0:
            raise NetError("timeout", "no time left to connect", sent=False)
        http = self._new(target, route, timeout)
        try:
            http.connect()
        except NetError as error:
            http.close()
            raise self._explained(error, 0, sent=False) from error
        except BaseException:
            http.close()
            raise
        return Connection(http, http.sock, origin)

    def _new(
        self, target: Target, route: Route | None, timeout: float
    ) -> GuardedHTTPConnection | GuardedHTTPSConnection:
        opener = self._opener(target, route) if route and route.proxy else None
        if target.scheme == "http":
            return self._plain(target.host, target.port, timeout=timeout, opener=opener)
        context = self._context or default_context()
        if route is not None and route.has_own_tls:
            context = self._contexts.of(route)
        return self._tls(
            target.host,
            target.port,
            timeout=timeout,
            ssl_context=context,
            opener=opener,
        )

    def _opener(self, target: Target, route: Route) -> Opener:
        """What opens a socket to the route's proxy, or through it."""
        assert route.proxy is not None  # noqa: S101 - asked for with a proxy alone
        if target.scheme == "https":
            return partial(
                open_tunnel, self._policy, route.proxy, self._sockets, self._user_agent
            )
        proxy = route.proxy
        return lambda _host, _port, timeout: open_proxy(
            self._policy, proxy, self._sockets, timeout
        )

    def _explained(
        self, error: NetError | OSError, timeout: float, *, sent: bool
    ) -> NetError:
        if self._sockets.aborted:
            return NetError("reset", "the client was stopped", sent=sent)
        if isinstance(error, NetError):
            return NetError(error.kind, error.message, sent=error.sent)
        if isinstance(error, TimeoutError):
            message = f"no full answer within {timeout:g} s"
            return NetError("timeout", message, sent=sent)
        reason = error.strerror or str(error) or type(error).__name__
        return NetError("reset", f"the connection broke: {reason}", sent=sent)


def _send(wire: Wire, data: bytes) -> bool:
    """True when the peer stopped reading early, which it may do to answer (413)."""
    try:
        wire.send(data)
    except (BrokenPipeError, ConnectionResetError):
        if not wire.sent:
            raise
        return True
    return False


def _check_hosts(hop: redirect.Hop, allowed: frozenset[str]) -> None:
    """NetError("blocked") unless the host, and a Host header, are in `allowed`."""
    if not allowed:
        return
    named = [
        parse(f"http://{value.strip()}/").host
        for name, value in hop.headers
        if name.lower() == "host"
    ]
    for host in (hop.target.host, *named):
        if not host_allowed(host, allowed):
            hosts = ", ".join(sorted(allowed))
            message = (
                f"{host} is not permitted: the secret or connection in use"
                f" allows only certain hosts ({hosts})"
            )
            raise NetError("blocked", message, sent=False)

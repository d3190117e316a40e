"""How requests travel that do not go the plain way: own TLS files, a proxy."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from automate.lib.net.errors import NetError
from automate.lib.net.transport import fresh_context
from automate.lib.net.url import parse

MOST_CONTEXTS = 200


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy that is spoken to in HTTP."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str, password: str = "") -> Proxy:
        """`http://proxy.example:3128`, perhaps with `user@`; ValueError if it is not.

        The proxy itself is not spoken to in TLS: what is secret is inside the tunnel.
        """
        try:
            parts = urlsplit(url.strip())
            login, _, host = parts.netloc.rpartition("@")
            target = parse(f"{parts.scheme}://{host}/")
        except (NetError, ValueError) as error:
            raise ValueError(f"the proxy's URL is not valid: {error}") from None
        if target.scheme != "http" or parts.path.strip("/") or parts.query:
            raise ValueError("the proxy's URL must be http://host:port")
        user, colon, written = login.partition(":")
        if colon:
            password = password or unquote(written)
        port = target.port if parts.port else 3128
        return cls(target.host, port, unquote(user), password)

    @property
    def authorization(self) -> str:
        """The value of Proxy-Authorization (RFC 7617); empty without a login."""
        if not (self.username or self.password):
            return ""
        login = f"{self.username}:{self.password}"
        return "Basic " + b64encode(login.encode()).decode()


@dataclass(frozen=True, slots=True)
class Route:
    """What a connection asks of the way; PEM texts, not files.

    `owner` keeps idle sockets apart: those of two owners are never mixed. With
    `authorities` these alone are trusted. `certificate` and `private_key` are shown to
    the first origin only, not to one that it redirects to.
    """

    owner: str
    certificate: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    authorities: str = field(default="", repr=False)
    proxy: Proxy | None = None

    def anonymous(self) -> Route:
        """The same way without the client certificate."""
        return replace(self, certificate="", private_key="")

    @property
    def has_own_tls(self) -> bool:
        return bool(self.certificate or self.private_key or self.authorities)


class Contexts:
    """TLS contexts by what they hold, made once; thread-safe and bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, str, str], ssl.SSLContext] = OrderedDict()

    def of(self, route: Route) -> ssl.SSLContext:
        """The context of a route with its own TLS; NetError("tls") if it is unsound."""
        key = (route.certificate, route.private_key, route.authorities)
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
                return found
        try:
            made = tls_context(*key)
        except ValueError as error:
            raise NetError("tls", str(error), sent=False) from None
        with self._lock:
            self._made[key] = made
            while len(self._made) > MOST_CONTEXTS:
                self._made.popitem(last=False)
        return made


def tls_context(certificate: str, private_key: str, authorities: str) -> ssl.SSLContext:
    """A verifying context from PEM texts, each of which may be empty.

    ValueError says what is wrong with which of them. The key is on no disk: OpenSSL
    reads it from memory that has a file descriptor.
    """
    if authorities:
        # Beside the certificates there may be comments, in any language.
        plain = authorities.encode("ascii", "replace").decode()
        try:
            context = ssl.create_default_context(cadata=plain)
        except (ssl.SSLError, ValueError):
            raise ValueError("the authorities are not certificates in PEM") from None
    else:
        context = fresh_context()
    if not certificate and not private_key:
        return context
    if not certificate or not private_key:
        raise ValueError("a client certificate needs its private key, and the reverse")
    with _as_file(f"{private_key.strip()}\n{certificate.strip()}\n") as path:
        try:
            context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ValueError(_reason(error)) from None
    return context


def _no_password() -> str:
    """Without it OpenSSL asks at the terminal, and waits."""
    raise ValueError("the private key is encrypted; give it without a pass phrase")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", "") or ""
    if "MISMATCH" in reason:
        return "the private key does not belong to the client certificate"
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return str(error)
    return "the client certificate or its private key is not valid PEM"


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path at which `text` can be read until the end of the block."""
    if not hasattr(os, "memfd_create"):  # not Linux
        with tempfile.NamedTemporaryFile() as file:  # mode 0600
            file.write(text.encode())
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)

"""What a kind of connection is, and those that exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from automate.lib.net import Proxy, Route

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData, Context

MODULES = ("bearer", "basic", "header", "oauth2", "mtls", "n8n")


class BadConnection(ValueError):
    """The connection lacks something, or holds what cannot be used; says what."""


class SignInFailed(Exception):
    """The request was not sent, because no credentials could be had for it.

    `retries` says whether they may be had later, in `after` seconds at the earliest;
    `shared` that others who waited for the same may be told the same.
    """

    def __init__(
        self,
        message: str,
        *,
        retries: bool,
        after: float | None = None,
        shared: bool = True,
    ) -> None:
        super().__init__(message)
        self.retries = retries
        self.after = after
        self.shared = shared


class Kind:
    """A kind of connection: stateless, called from many threads, without a database.

    `secrets` are the names in its encrypted credentials, `also` those that it may hold
    besides, all or none; `options` the names of its settings that may be read, of which
    `optional` need not be there. `readable` of the
    secrets is no secret: redaction does not search for it.
    """

    name: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]] = ()
    also: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    readable: ClassVar[tuple[str, ...]] = ()
    # Whether credentials are fetched over the network before a request.
    signs_in: ClassVar[bool] = False

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - a hook
        """What each request carries; KeyError names what is missing."""
        return ()

    def check(
        self,
        options: Mapping[str, str],  # noqa: ARG002 - a hook
        secrets: Mapping[str, str],  # noqa: ARG002
    ) -> Iterable[tuple[str, str]]:
        """Pairs of name and problem; `secrets` are those that were given anew."""
        return ()

    def hosts(self, options: Mapping[str, str]) -> frozenset[str]:  # noqa: ARG002 - a hook
        """Hosts other than the API's that get credentials."""
        return frozenset()

    def sign_in(self, context: Context) -> ConnectionData:
        """The step's connection with what is needed to send; raises SignInFailed."""
        assert context.connection is not None  # noqa: S101 - asked with one alone
        return context.connection

    def refused(
        self,
        link: ConnectionData,  # noqa: ARG002 - a hook
        began: float,  # noqa: ARG002
        *,
        again: bool,  # noqa: ARG002
    ) -> bool:
        """The receiver said 401: whether to sign in again and repeat the request.

        `began` is when the attempt did, in seconds since 1970; `again` says that the
        request was repeated already.
        """
        return False


@cache
def _kinds() -> Mapping[str, Kind]:
    modules = (import_module(f"workflows.connections.{name}") for name in MODULES)
    return {module.KIND.name: module.KIND for module in modules}


def kind_of(name: str) -> Kind | None:
    """The kind of this name, if there is one."""
    return _kinds().get(name)


def route_of(link: ConnectionData) -> Route | None:
    """How its requests travel; None for the plain way. Raises BadConnection."""
    given = link.credentials
    certificate = given.get("certificate", "")
    if not (certificate or link.authorities or link.proxy):
        return None
    proxy = None
    if link.proxy:
        try:
            proxy = Proxy.at(link.proxy, given.get("proxy_password", ""))
        except ValueError as error:
            raise BadConnection(str(error)) from None
    return Route(
        owner=str(link.id or link.name),
        certificate=certificate,
        private_key=given.get("private_key", ""),
        authorities=link.authorities,
        proxy=proxy,
    )

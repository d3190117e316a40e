"""The kinds of connections: one module each, what it stores and what it sends."""

from workflows.connections.base import (
    BadConnection,
    Kind,
    SignInFailed,
    kind_of,
    route_of,
)

__all__ = ["BadConnection", "Kind", "SignInFailed", "kind_of", "route_of"]

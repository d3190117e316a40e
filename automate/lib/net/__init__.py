"""Outgoing HTTP: only to permitted addresses, under a deadline, with capped answers."""

from automate.lib.net.client import Client
from automate.lib.net.errors import Kind, NetError
from automate.lib.net.guard import Policy
from automate.lib.net.literal import refused as literal_refusal
from automate.lib.net.message import Request, Response
from automate.lib.net.route import Proxy, Route
from automate.lib.net.session import guarded_session

__all__ = [
    "Client",
    "Kind",
    "NetError",
    "Policy",
    "Proxy",
    "Request",
    "Response",
    "Route",
    "guarded_session",
    "literal_refusal",
]

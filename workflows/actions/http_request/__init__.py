"""Step kind `http_request`: one request to another system, with its fate told."""

from workflows.actions.http_request.action import HttpRequest
from workflows.actions.http_request.build import preview

__all__ = ["HttpRequest", "preview"]

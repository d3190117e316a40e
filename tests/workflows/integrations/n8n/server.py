"""n8n's public API, played over a real socket."""

from __future__ import annotations

import json
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = "n8n_api_" + "k3y" * 8


def reply(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data), status, content_type="application/json")


class FakeN8n:
    """Answers as https://docs.n8n.io/api/ says; `per_page` workflows a page."""

    def __init__(self, server: HTTPServer, *workflows: dict[str, Any]) -> None:
        self.server = server
        self.workflows = list(workflows)
        self.per_page = 2
        self.asked: list[str] = []
        server.expect_request("/api/v1/workflows").respond_with_handler(self._list)
        for workflow in self.workflows:
            path = f"/api/v1/workflows/{workflow['id']}"
            server.expect_request(path).respond_with_handler(self._one)

    @property
    def url(self) -> str:
        return self.server.url_for("").rstrip("/")

    def _allowed(self, request: Request) -> Response | None:
        self.asked.append(request.full_path.rstrip("?"))
        if request.headers.get("X-N8N-API-KEY") != KEY:
            return reply({"message": "unauthorized"}, 401)
        return None

    def _list(self, request: Request) -> Response:
        if refused := self._allowed(request):
            return refused
        found = self.workflows
        if name := request.args.get("name"):
            found = [one for one in found if one["name"] == name]
        start = int(request.args.get("cursor", "c0")[1:])
        end = start + self.per_page
        following = f"c{end}" if end < len(found) else None
        return reply({"data": found[start:end], "nextCursor": following})

    def _one(self, request: Request) -> Response:
        if refused := self._allowed(request):
            return refused
        id_ = request.path.rpartition("/")[2]
        return reply(next(one for one in self.workflows if one["id"] == id_))

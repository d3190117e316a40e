"""Imports workflows of n8n, publishes them and lets them run against a receiver."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.test import Client
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from runs.models import Run
from runs.services import Event, Target, accept
from tests.runs.drains import drained, draining
from tests.runs.flows import again
from workflows.integrations.n8n.files import read_exported
from workflows.integrations.n8n.report import Report
from workflows.integrations.n8n.source import read_workflow
from workflows.models import Trigger, Workflow
from workflows.services.n8n_import import FILE, Given, Origin, import_all
from workflows.services.publishing import publish

FOLDER = Path(__file__).with_name("exported")


@dataclass(frozen=True)
class Sent:
    """A request as it came."""

    query: str
    headers: dict[str, str]
    body: str


class World:
    """The receiver answers as `answers` says by `GET /path`; `seen` is what came."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.answers: dict[str, Any] = {}
        self.seen: list[tuple[str, Any]] = []
        self.requests: dict[str, Sent] = {}
        self.reports: dict[str, Report] = {}
        server.expect_request(re.compile("/.*")).respond_with_handler(self._answer)

    def import_files(self, *names: str) -> dict[str, Workflow]:
        """The workflows of these files by name, each published."""
        return self.import_texts(
            *((FOLDER / f"{name}.json").read_text() for name in names)
        )

    def import_texts(self, *texts: str) -> dict[str, Workflow]:
        """The workflows of these exports by name, each published."""
        given = []
        for text in texts:
            raw = text.replace("http://RECEIVER", self.url).encode()
            for found in read_exported(raw):
                source = read_workflow(found.tree)
                given.append(Given(Origin(FILE, source.id or source.name), source))
        imported = {item.name: item for item in import_all(given, by=None)}
        for name, item in imported.items():
            assert item.workflow is not None, item.error
            assert item.report is not None
            assert list(item.problems) == []
            self.reports[name] = item.report
            publish(item.workflow, by=None)
        return {name: item.workflow for name, item in imported.items() if item.workflow}

    @property
    def url(self) -> str:
        return self.server.url_for("").rstrip("/")

    def send(
        self, path: str, body: Any = None, *, method: str = "POST", query: str = ""
    ) -> Any:
        """The answer to an event for the webhook at a path, with drains at work."""
        with draining():
            return Client().generic(
                method,
                f"/v1/webhooks/{path}{query}",
                b"" if body is None else json.dumps(body).encode(),
                content_type="application/json",
            )

    def start(self, workflow: Workflow, kind: str, payload: Any = None) -> Run:
        """The ended run of the workflow's trigger of this kind."""
        trigger = Trigger.objects.get(workflow=workflow, kind=kind)
        assert workflow.published_id is None or trigger.is_active
        workflow.refresh_from_db()
        assert workflow.published_id is not None
        body = b"" if payload is None else json.dumps(payload).encode()
        event = Event(body=body, content_type="application/json")
        target = Target(
            workflow.pk, workflow.published_id, start=tuple(trigger.start or ())
        )
        run = Run.objects.get(pk=accept(target, event).run_id)
        drained()
        return again(run)

    def fidelity(self, workflow: str, node: str) -> str:
        """What the import said of a node."""
        found = next(n for n in self.reports[workflow].nodes if n.node == node)
        return found.fidelity

    def bodies(self, what: str) -> list[Any]:
        """What came to `POST /path`, in order."""
        return [body for seen, body in self.seen if seen == what]

    def _answer(self, request: Request) -> Response:
        key = f"{request.method} {request.path}"
        raw = request.get_data()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode()
        query = request.query_string.decode()
        self.seen.append((key, body if body is not None else query))
        self.requests[key] = Sent(query, dict(request.headers), raw.decode())
        said = self.answers.get(key, {"ok": True})
        if not isinstance(said, Response) and callable(said):
            said = said(body if body is not None else query)
        if isinstance(said, Response):
            return said
        return Response(json.dumps(said), content_type="application/json")

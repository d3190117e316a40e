"""The n8n step against a server that plays n8n's API and its webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.workflows.actions.conftest import MakeContext
from tests.workflows.integrations.n8n.making import exported, node
from tests.workflows.integrations.n8n.server import KEY, FakeN8n, reply
from workflows.actions.base import ConnectionData, get
from workflows.actions.outcomes import Done, Fail, Outcome, Retry


def flow(id_: str = "abc", **more: Any) -> dict[str, Any]:
    hook = node("Hook", "webhook", {"path": "in/orders", "httpMethod": "PUT"}, 2)
    return {**exported([hook], id=id_, active=True), "name": "Enrich lead", **more}


class N8n:
    """An n8n whose webhook keeps what comes."""

    def __init__(self, server: HTTPServer, make: MakeContext) -> None:
        self.server, self.make = server, make
        self.came: list[Request] = []
        self.answer = reply({"score": 7})
        self.url = server.url_for("").rstrip("/")
        server.expect_request("/webhook/in/orders").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.came.append(request)
        return self.answer

    def run(self, *flows: dict[str, Any], **config: Any) -> Outcome:
        FakeN8n(self.server, *(flows or (flow(),)))
        link = ConnectionData("n8n", "n8n", self.url, credentials={"api_key": KEY})
        config = {"connection": "n8n", "workflow": "abc", **config}
        return get("n8n").execute(self.make(config, connection=link))


@pytest.fixture
def n8n(httpserver: HTTPServer, make_context: MakeContext) -> N8n:
    return N8n(httpserver, make_context)


def test_the_webhook_is_found_and_called(n8n: N8n) -> None:
    outcome = n8n.run(body={"a": 1}, query={"q": "2"}, headers={"X-A": "3"})

    assert isinstance(outcome, Done)
    assert outcome.output["body"] == {"score": 7}
    (request,) = n8n.came
    assert (request.method, request.path) == ("PUT", "/webhook/in/orders")
    assert request.get_json() == {"a": 1}
    assert request.args["q"] == "2"
    assert request.headers["X-A"] == "3"
    assert request.headers["Idempotency-Key"] == "key-1"


def test_the_key_goes_to_the_api_alone(n8n: N8n) -> None:
    n8n.run()
    assert "X-N8N-API-KEY" not in n8n.came[0].headers


def test_a_workflow_is_found_by_its_name(n8n: N8n, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/workflows/-").respond_with_json({}, 404)
    outcome = n8n.run(flow(), flow("other", name="Another"), workflow="Enrich lead")
    assert isinstance(outcome, Done)


@pytest.mark.parametrize(
    ("flows", "config", "error"),
    [
        ([flow(active=False)], {}, "N8nInactive"),
        ([flow(nodes=[])], {}, "N8nNoWebhook"),
        ([flow(nodes=[*flow()["nodes"], *flow()["nodes"]])], {}, "N8nNoWebhook"),
        ([flow()], {"node": "Other"}, "N8nNoWebhook"),
        ([flow(nodes=[node("H", "webhook", {"path": "a/:id"})])], {}, "N8nNoWebhook"),
        ([flow(nodes=7)], {}, "BadResponse"),
        ([flow("a"), flow("b")], {"workflow": "Enrich lead"}, "N8nNotFound"),
        ([flow("a")], {"workflow": "Nobody here"}, "N8nNotFound"),
    ],
)
def test_what_cannot_be_called_is_told(
    n8n: N8n, httpserver: HTTPServer, flows: Any, config: Any, error: str
) -> None:
    httpserver.expect_request("/api/v1/workflows/-").respond_with_json({}, 404)
    outcome = n8n.run(*flows, **config)

    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == error
    assert n8n.came == []


def test_one_of_several_webhooks_is_chosen_by_name(n8n: N8n) -> None:
    nodes = [*flow()["nodes"], node("Second", "webhook", {"path": "x"}, 2)]
    assert isinstance(n8n.run(flow(nodes=nodes), node="Hook"), Done)


def test_an_n8n_that_is_away_is_tried_again(n8n: N8n, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/workflows/abc").respond_with_data("", 503)
    outcome = get("n8n").execute(
        n8n.make(
            {"connection": "n8n", "workflow": "abc"},
            connection=ConnectionData(
                "n8n", "n8n", n8n.url, credentials={"api_key": KEY}
            ),
        )
    )
    assert isinstance(outcome, Retry)
    assert outcome.attempt is not None
    assert outcome.attempt.response_status == 503


def test_what_the_webhook_answers_is_the_step_s_fate(n8n: N8n) -> None:
    n8n.answer = reply({"message": "no"}, 422)
    outcome = n8n.run()
    assert isinstance(outcome, Fail)
    assert outcome.output["status"] == 422


def test_another_kind_of_connection_is_refused(make_context: MakeContext) -> None:
    link = ConnectionData("crm", "bearer", "https://x.example.com")
    config = {"connection": "crm", "workflow": "abc"}
    outcome = get("n8n").execute(make_context(config, connection=link))
    assert isinstance(outcome, Fail)
    assert "of the kind n8n" in outcome.error.message

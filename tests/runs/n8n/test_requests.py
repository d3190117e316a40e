"""What an HTTP Request of n8n's sends, it sends here: its options, over a socket.

The expectations are those of packages/nodes-base/nodes/HttpRequest (V2 and V3) and of
axios, which sends for it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug import Response

from tests.runs.flows import step
from tests.runs.n8n.world import World
from tests.workflows.integrations.n8n.making import exported, node

pytestmark = [pytest.mark.slow, pytest.mark.once]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def new(*items: tuple[str, Any]) -> Any:
    return {"parameters": [{"name": name, "value": value} for name, value in items]}


def old(*items: tuple[str, Any]) -> Any:
    return {"parameter": [{"name": name, "value": value} for name, value in items]}


def body(kind: str, **more: Any) -> Any:
    return {"method": "POST", "sendBody": True, "contentType": kind, **more}


def query(*items: tuple[str, Any], **options: Any) -> Any:
    return {"sendQuery": True, "queryParameters": new(*items), "options": options}


TWICE = (("id", "1"), ("id", "2"))
# Parameters, the node's version, and: the query, the Content-Type, the body.
SENT: dict[str, tuple[Any, float, str, str, Any]] = {
    "nothing": ({}, 4.2, "", "", ""),
    "fields": (
        body("json", bodyParameters=new(("a.b", 1), ("a.c", "={{ 1 + 1 }}"))),
        4.2, "", JSON, {"a": {"b": 1, "c": 2}},
    ),
    "fields-3": (body("json", bodyParameters=new(("a.b", 1))), 3, "", JSON, {"a.b": 1}),
    "json": (
        body("json", specifyBody="json", jsonBody='={"n": {{ [1] }}, "t": "{{ 1 }}"}'),
        4.2, "", JSON, {"n": [1], "t": "1"},
    ),
    "json-expression": (
        body("json", specifyBody="json", jsonBody="={{ JSON.stringify({a: [true]}) }}"),
        4.2, "", JSON, {"a": [True]},
    ),
    "form": (
        body("form-urlencoded", bodyParameters=new(("a", "x y"), ("b", "ü&"))),
        4.2, "", FORM, "a=x+y&b=%C3%BC%26",
    ),
    "form-text": (
        body("form-urlencoded", specifyBody="string", body="a=1&b=2"),
        4.2, "", FORM, "a=1&b=2",
    ),
    "raw": (
        body("raw", rawContentType="text/csv", body="=a,{{ 1 + 1 }}\n"),
        4.2, "", "text/csv", "a,2\n",
    ),
    "get-with-body": (
        {"sendBody": True, "bodyParameters": new(("a", 1))}, 4.2, "", JSON, {"a": 1},
    ),
    "query": (query(("a b", "ü&"), ("n", "={{ 2 * 2 }}")), 4.2,
              "a+b=%C3%BC%26&n=4", "", ""),
    "query-twice": (query(*TWICE), 4.2, "id=2", "", ""),
    "query-brackets": (query(*TWICE), 4.3, "id%5B%5D=1&id%5B%5D=2", "", ""),
    "query-repeat": (
        query(*TWICE, queryParameterArrays="repeat"), 4.3, "id=1&id=2", "", "",
    ),
    "query-indices": (
        query(*TWICE, queryParameterArrays="indices"), 4.3,
        "id%5B0%5D=1&id%5B1%5D=2", "", "",
    ),
    "query-json": (
        {"sendQuery": True, "specifyQuery": "json",
         "jsonQuery": '{"a": {"b": 1}, "l": [1]}'},
        4.2, "a%5Bb%5D=1&l%5B%5D=1", "", "",
    ),
    "old-fields": (
        {"requestMethod": "PUT", "bodyParametersUi": old(("a.b", "1")),
         "queryParametersUi": old(*TWICE), "options": {"useQueryString": True}},
        2, "id=1&id=2", JSON, {"a.b": "1"},
    ),
    "old-get": ({"bodyParametersUi": old(("a", "1"))}, 1, "", "", ""),
    "old-json": (
        {"requestMethod": "POST", "jsonParameters": True,
         "bodyParametersJson": '={"n": {{ 3 }}}', "queryParametersJson": '{"a": "1"}'},
        1, "a=1", JSON, {"n": 3},
    ),
    "old-form": (
        {"requestMethod": "POST", "bodyParametersUi": old(("a", "1")),
         "options": {"bodyContentType": "form-urlencoded"}},
        2, "", FORM, "a=1",
    ),
    "old-raw": (
        {"requestMethod": "POST", "jsonParameters": True, "bodyParametersJson": "<a/>",
         "options": {"bodyContentType": "raw", "bodyContentCustomMimeType": "a/xml"}},
        2, "", "a/xml", "<a/>",
    ),
}  # fmt: skip


def calls(world: World, nodes: dict[str, Any]) -> Any:
    """A run that makes all these requests, one beside the other."""
    start = node("By hand", "manualTrigger")
    tree = exported([start, *nodes.values()], [("By hand", name) for name in nodes])
    (flow,) = world.import_texts(json.dumps(tree)).values()
    return world.start(flow, "manual")


def test_what_is_sent(world: World) -> None:
    nodes = {
        name: node(
            name,
            "httpRequest",
            {"url": f"http://RECEIVER/{name}", **parameters},
            version,
        )
        for name, (parameters, version, *_) in SENT.items()
    }
    run = calls(world, nodes)
    assert run.status == "succeeded"

    came: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for name, (parameters, version, asked, content, text) in SENT.items():
        method = parameters.get("requestMethod", parameters.get("method", "GET"))
        sent = world.requests[f"{method} /{name}"]
        kind = sent.headers.get("Content-Type", "").partition(";")[0]
        came[name] = sent.query, kind, sent.body
        if not isinstance(text, str):
            came[name] = sent.query, kind, json.loads(sent.body)
        wanted[name] = asked, content, text
        report = next(n for n in world.reports["Test"].nodes if n.node == name)
        assert report.fidelity == "exact", (name, version, report.differs)
    assert came == wanted


READ: dict[str, tuple[Any, Any, str, Any]] = {
    "auto-json": ({}, {"data": [1]}, "={{ $json.data }}", [1]),
    "auto-text": ({}, Response("<p>", content_type="text/html"),
                  "={{ $json.data }}", "<p>"),
    "as-text": ({"responseFormat": "text", "outputPropertyName": "page"},
                {"a": 1}, "={{ $json.page }}", '{"a": 1}'),
    "as-json": ({"responseFormat": "json"},
                Response('{"a": 1}', content_type="text/plain"), "={{ $json.a }}", 1),
    "all-of-it": ({"fullResponse": True}, Response("{}", 201, {"X-B": "c"}),
                  "={{ $json.statusCode }} {{ $json.headers['x-b'] }}", "201 c"),
    "never-error": ({"neverError": True, "fullResponse": True},
                    Response("{}", 418), "={{ $json.statusCode }}", 418),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_how_the_answer_is_read(world: World, case: str) -> None:
    response, answer, expression, value = READ[case]
    world.answers["GET /x"] = answer
    options = {"response": {"response": response}} if response else {}
    fields = {"assignments": {"assignments": [{"name": "v", "value": expression}]}}
    tree = exported(
        [
            node("By hand", "manualTrigger"),
            node("Call", "httpRequest", {"url": "http://RECEIVER/x",
                                         "options": options}, 4.2),
            node("Here", "set", fields, 3.4),
        ]
    )  # fmt: skip
    (flow,) = world.import_texts(json.dumps(tree)).values()
    run = world.start(flow, "manual")

    assert run.status == "succeeded"
    assert step(run, "here").output == {"v": value}
    assert world.fidelity("Test", "Call") == "exact"


@pytest.mark.parametrize(("status", "ways"), [(200, ["fine"]), (500, ["broken"])])
def test_an_if_that_asks_whether_the_call_failed(
    world: World, status: int, ways: list[str]
) -> None:
    """Continue On Fail, and `$json.error` behind it: the way most workflows do it."""
    world.answers["GET /x"] = Response('{"ok": 1}', status, content_type=JSON)
    exists = {"type": "string", "operation": "exists", "singleValue": True}
    condition = {
        "options": {"caseSensitive": True, "typeValidation": "loose", "version": 2},
        "conditions": [{"leftValue": "={{ $json.error }}", "operator": exists}],
        "combinator": "and",
    }
    call = {"url": "http://RECEIVER/x"}
    tree = exported(
        [
            node("By hand", "manualTrigger"),
            node("Call", "httpRequest", call, 4.2, onError="continueRegularOutput"),
            node("Failed?", "if", {"conditions": condition}, 2.2),
            node("broken", "httpRequest", {"url": "http://RECEIVER/broken"}, 4.2),
            node("fine", "httpRequest", {"url": "http://RECEIVER/fine"}, 4.2),
        ],
        [
            ("By hand", "Call"),
            ("Call", "Failed?"),
            ("Failed?", "broken", 0),
            ("Failed?", "fine", 1),
        ],
    )
    (flow,) = world.import_texts(json.dumps(tree)).values()
    assert world.start(flow, "manual").status == "succeeded"
    assert [what[5:] for what, _ in world.seen[1:]] == ways

"""HTTP Request: each shape of its parameters, and what its answer is then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import line, node, step, told
from workflows.integrations.n8n.convert import Conversion

URL = "https://api.example.com/x"


def sent(parameters: Any, version: float = 4.2, **more: Any) -> tuple[Any, Conversion]:
    """The config of the step, and the conversion."""
    given = {"url": URL, **parameters}
    found = line(node("Call", "httpRequest", given, version, **more))
    return step(found, "call")["config"], found


def pairs(**values: Any) -> Any:
    return {"parameters": [{"name": k, "value": v} for k, v in values.items()]}


def old(**values: Any) -> Any:
    return {"parameter": [{"name": k, "value": v} for k, v in values.items()]}


def test_the_simplest_request_of_each_version() -> None:
    for version in (1, 2):
        config, found = sent({}, version)
        assert config["method"] == "GET"
        assert config["url"] == URL
        assert config["response_format"] == "json"
        assert told(found, "Call").fidelity == "exact"
    for newer in (3, 4, 4.1, 4.2):
        config, found = sent({}, newer)
        assert (config["method"], config["url"]) == ("GET", URL)
        assert told(found, "Call").fidelity == "exact"


def test_pairs_of_version_1() -> None:
    config, _ = sent(
        {
            "requestMethod": "POST",
            "headerParametersUi": old(**{"X-A": "1"}),
            "queryParametersUi": old(page="={{ $json.body.page }}"),
            "bodyParametersUi": old(name="n"),
        },
        1,
    )
    assert config["method"] == "POST"
    assert config["headers"] == {"X-A": "1"}
    assert config["query"] == {"page": "{{ trigger.payload.page }}"}
    assert config["body"] == {"name": "n"}


def test_json_of_version_1() -> None:
    config, _ = sent(
        {
            "requestMethod": "PUT",
            "jsonParameters": True,
            "headerParametersJson": '{"X-A": "1"}',
            "queryParametersJson": '={"page": {{ $json.body.page }} }',
            "bodyParametersJson": '={"text": "Hi {{ $json.body.name }}", "n": 1}',
        },
        2,
    )
    assert config["headers"] == {"X-A": "1"}
    assert config["query"] == {"page": "{{ trigger.payload.page }}"}
    assert config["body"] == {"text": "Hi {{ trigger.payload.name }}", "n": 1}


def test_pairs_since_version_3() -> None:
    config, _ = sent(
        {
            "method": "PATCH",
            "sendHeaders": True,
            "headerParameters": pairs(**{"X-A": "={{ $json.body.a }}"}),
            "sendQuery": True,
            "queryParameters": pairs(id="2"),
            "sendBody": True,
            "bodyParameters": pairs(name="n"),
        }
    )
    assert config["method"] == "PATCH"
    assert config["headers"] == {"X-A": "{{ trigger.payload.a }}"}
    assert config["query"] == {"id": "2"}
    assert config["body"] == {"name": "n"}


def test_what_is_not_to_be_sent_is_not() -> None:
    config, _ = sent({"bodyParameters": pairs(a="1"), "headerParameters": pairs(b="2")})
    assert "body" not in config
    assert "headers" not in config


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ('{"a": 1}', {"a": 1}),
        ('={"a": {{ $json.body.n }}}', {"a": "{{ trigger.payload.n }}"}),
        ('={"a": "{{ $json.body.n }}"}', {"a": "{{ trigger.payload.n | string }}"}),
        ('={"a": {{ JSON.stringify($json.body.n) }}}',
         {"a": "{{ trigger.payload.n }}"}),
        ("={{ $json.body }}", "{{ trigger.payload }}"),
        ("={{ JSON.stringify($json.body, null, 2) }}", "{{ trigger.payload }}"),
        ({"a": "={{ $json.body.n }}"}, {"a": "{{ trigger.payload.n }}"}),
        ('={"{{ $json.body.k }}": [1, "x{{ $json.body.n }}"]}',
         {"{{ trigger.payload.k | string }}": [1, "x{{ trigger.payload.n }}"]}),
    ],
)  # fmt: skip
def test_a_body_of_json(given: Any, body: Any) -> None:
    config, found = sent({"sendBody": True, "specifyBody": "json", "jsonBody": given})
    assert config["body"] == body
    assert told(found, "Call").fidelity == "exact"


def test_json_that_is_none_is_sent_as_text_and_told() -> None:
    given = {
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": '={"a": {{ $json.body }}',
    }
    config, found = sent(given)
    assert config["body"] == '{"a": {{ trigger.payload }}'
    assert told(found, "Call").fidelity == "approximate"


def test_forms_and_raw_texts() -> None:
    form = {
        "sendBody": True,
        "contentType": "form-urlencoded",
        "bodyParameters": pairs(a="1"),
    }
    config, _ = sent(form)
    assert (config["body"], config["body_format"]) == ({"a": "1"}, "form")
    raw = {
        "sendBody": True,
        "contentType": "raw",
        "rawContentType": "text/csv",
        "body": "a,b",
    }
    config, _ = sent(raw)
    assert (config["body"], config["body_format"]) == ("a,b", "text")
    assert config["headers"]["Content-Type"] == "text/csv"


@pytest.mark.parametrize("kind", ["multipart-form-data", "binaryData"])
def test_files_are_unsupported(kind: str) -> None:
    found = line(
        node(
            "Call",
            "httpRequest",
            {"url": URL, "sendBody": True, "contentType": kind},
            4.2,
        )
    )
    assert told(found, "Call").fidelity == "unsupported"


def test_options() -> None:
    options = {
        "timeout": 2500,
        "redirect": {"redirect": {"maxRedirects": 3, "followRedirects": True}},
        "response": {"response": {"neverError": True, "fullResponse": True}},
    }
    config, found = sent({"options": options})
    assert step(found, "call")["timeout"] == 2.5
    assert config["max_redirects"] == 3
    assert config["success_statuses"] == ["1xx", "2xx", "3xx", "4xx", "5xx"]


@pytest.mark.parametrize(
    ("version", "method", "option", "follows"),
    [
        (4.2, "GET", None, True),
        (4.2, "POST", None, True),
        (3, "GET", None, False),
        (4.2, "GET", {"redirect": {"followRedirects": False}}, False),
        (1, "GET", None, True),
        (1, "POST", None, False),
    ],
)
def test_redirects_are_followed_as_each_version_does(
    version: float, method: str, option: Any, *, follows: bool
) -> None:
    name = "requestMethod" if version < 3 else "method"
    options = {"redirect": option} if option else {}
    config, _ = sent({name: method, "options": options}, version)
    assert ("max_redirects" in config) is follows


def test_retries_are_those_of_the_node() -> None:
    _, found = sent({})
    assert step(found, "call")["retry"] == {"max_attempts": 1}
    _, found = sent({}, retryOnFail=True, maxTries=4, waitBetweenTries=2000)
    assert step(found, "call")["retry"] == {
        "max_attempts": 4,
        "backoff": "fixed",
        "initial": 2,
        "jitter": 0,
    }


@pytest.mark.parametrize(
    ("setting", "on_error"),
    [
        ({"onError": "continueRegularOutput"}, "continue"),
        ({"continueOnFail": True}, "continue"),
        ({"onError": "continueErrorOutput"}, "branch"),
    ],
)
def test_what_follows_an_error(setting: Any, on_error: str) -> None:
    _, found = sent({}, **setting)
    assert step(found, "call")["on_error"] == on_error


def test_credentials_are_a_connection_by_name() -> None:
    credentials = {"httpHeaderAuth": {"id": "x", "name": "My CRM!"}}
    config, found = sent(
        {
            "authentication": "genericCredentialType",
            "genericAuthType": "httpHeaderAuth",
        },
        credentials=credentials,
    )
    report = told(found, "Call")

    assert config["connection"] == "my-crm"
    assert report.credentials == ("My CRM!",)
    assert 'create the connection "my-crm"' in report.notes[0]
    assert report.fidelity == "exact"


def answered(options: Any, expression: str, version: float = 4.2) -> Any:
    fields = {"assignments": {"assignments": [{"name": "v", "value": expression}]}}
    call = node("Call", "httpRequest", {"url": URL, "options": options}, version)
    found = line(call, node("Here", "set", fields, 3.4))
    return step(found, "here")["config"]["values"]["v"]


def test_what_the_answer_is_behind_it() -> None:
    response = {"response": {"response": {"fullResponse": True}}}
    text = {"response": {"response": {"responseFormat": "text"}}}
    assert answered({}, "={{ $json.id }}") == "{{ steps.call.body.id }}"
    assert answered(response, "={{ $json.body.id }}") == "{{ steps.call.body.id }}"
    assert answered(response, "={{ $json.statusCode }}") == "{{ steps.call.status }}"
    assert answered(text, "={{ $json.data }}") == "{{ steps.call.body }}"


def test_an_unknown_option_is_told() -> None:
    _, found = sent({"options": {"brandNew": {"a": 1}}})
    differs = told(found, "Call").differs
    assert differs == ("the option brandNew has no counterpart",)


def test_a_url_without_a_scheme_is_completed() -> None:
    config, _ = sent({"url": "api.example.com/y"})
    assert config["url"] == "http://api.example.com/y"

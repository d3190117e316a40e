"""The description of the API is whole, valid, and the committed file is it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from openapi_spec_validator import validate

from automate.accounts.api.me import Me
from automate.accounts.models.api_key import Scope
from automate.lib.rest.described import described_of
from automate.openapi.document import FILE, codes, description, text
from automate.openapi.operations import Operation
from tests.contract.conforming import METHODS, PLACE, check
from tests.contract.test_api_contracts import DOCUMENT
from tests.walk.table import addresses

SUCCESSES = ("200", "201", "202", "204", "307")


def operations() -> list[tuple[str, str, Any]]:
    """(path, method, operation) of each."""
    return [
        (path, method, operation)
        for path, item in description()["paths"].items()
        for method, operation in item.items()
    ]


def test_the_committed_file_is_the_description() -> None:
    assert (settings.BASE_DIR / FILE).read_text() == text()
    call_command("openapi", "--check")


def test_it_is_valid_openapi() -> None:
    validate(deepcopy(description()))
    assert description()["openapi"].startswith("3.1")


def test_every_method_of_every_address_is_described_with_its_success() -> None:
    for name, route, pattern in addresses():
        if not name.startswith("api:"):
            continue
        view: Any = pattern.callback
        path = "/" + PLACE.sub(r"{\1}", route)
        for method in METHODS:
            if not hasattr(view.cls, method.lower()):
                continue
            operation = description()["paths"][path][method.lower()]
            found = [one for one in SUCCESSES if one in operation["responses"]]
            assert found, f"{method} {path} never succeeds"
            for status in found:
                content = operation["responses"][status].get("content")
                assert content or status in ("204", "307")


def test_a_method_that_says_nothing_is_an_error() -> None:
    class Silent(Me):
        def get(self, request: Any) -> Any:
            """Nothing is said here."""

    assert described_of(Me(), "GET") is not None
    operation = Operation()
    operation.view = Silent()
    with pytest.raises(ImproperlyConfigured, match=r"Silent\.get"):
        operation.get_operation("/api/v1/users/me", "", "", "GET", None)


def test_names_are_not_used_twice() -> None:
    names = [operation["operationId"] for _path, _method, operation in operations()]
    assert len(names) == len(set(names))


def test_no_answer_is_an_object_of_anything() -> None:
    for path, method, operation in operations():
        if path == "/api/v1/openapi.json":
            continue
        for status in SUCCESSES[:3]:
            said = operation["responses"].get(status, {}).get("content", {})
            schema = said.get("application/json", {}).get("schema", {})
            if "$ref" in schema:
                name = schema["$ref"].rpartition("/")[2]
                schema = description()["components"]["schemas"][name]
            if said and "application/json" in said:
                told = schema.get("properties") or schema.get("maxProperties") == 0
                assert told, f"{method} {path} {status}"


def test_an_operation_names_its_scopes() -> None:
    known = {*Scope.values}
    for path, method, operation in operations():
        for requirement in operation["security"]:
            for scopes in requirement.values():
                assert set(scopes) <= known, f"{method} {path}"
    submit = description()["paths"]["/api/v1/workflow"]["post"]["security"]
    assert submit[0] == {"bearer": ["workflows:write", "runs:execute"]}


def test_the_codes_are_those_of_the_page() -> None:
    for code in codes():
        assert f"| `{code}` |" in DOCUMENT
    said = str(description()["components"]["responses"])
    assert [code for code in codes() if f"`{code}`" not in said] == ["NOT_ACCEPTABLE"]


@pytest.mark.django_db
def test_it_is_served_to_everybody() -> None:
    response = Client().get("/api/v1/openapi.json")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.content.decode() == text()


def answer(status: int, body: str, media: str = "application/json") -> HttpResponse:
    return HttpResponse(body, status=status, content_type=media)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (answer(418, "{}"), "which is not described"),
        (answer(200, '{"count": "3"}'), "otherwise than described"),
        (answer(200, '{"count": 3, "more": 1}'), "otherwise than described"),
        (answer(200, "{}"), "otherwise than described"),
        (answer(200, '{"count": 3}', "text/html"), "as text/html"),
        (answer(503, "{}"), "without Retry-After"),
    ],
    ids=["status", "type", "more", "less", "media", "header"],
)
def test_answers_of_tests_are_held_against_it(
    response: HttpResponse, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check("POST", "api/v1/campaigns/count", response)
    check("POST", "api/v1/campaigns/count", answer(200, '{"count": 3}'))

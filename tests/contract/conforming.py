"""Every answer that a test of the API gets is held against the description of the API.

A middleware of the tests' settings: what an answer has beyond its description, or
lacks, fails the test that asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema_rs
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from automate.openapi.document import description

PREFIX = "/api/v1/"
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Conforming:
    """Raises AssertionError for an answer that is not as described."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        found = request.resolver_match
        if settings.ROOT_URLCONF != "automate.urls":  # addresses of tests alone
            return response
        if found and request.path.startswith(PREFIX) and request.method in METHODS:
            check(request.method, found.route, response)
        return response


def check(method: str, route: str, response: Any) -> None:
    """Whether this operation may answer so."""
    path = "/" + PLACE.sub(r"{\1}", route)
    operation = description()["paths"][path].get(method.lower())
    status = response.status_code
    if operation is None:
        assert status in (401, 404, 405, 429), f"{method} {path}: {status}"
        return
    where = f"{operation['operationId']} answered {status}"
    assert str(status) in operation["responses"], f"{where}, which is not described"
    said = operation["responses"][str(status)]
    if "$ref" in said:
        name = said["$ref"].rpartition("/")[2]
        said = description()["components"]["responses"][name]
    for header in said.get("headers", ()):
        assert header in response.headers, f"{where} without {header}"
    content = said.get("content")
    if not content:
        assert not response.content, f"{where} with a body: {response.content!r}"
        return
    media = response.headers["Content-Type"].partition(";")[0]
    assert media in content, f"{where} as {media}"
    body = json.loads(response.content)
    wrong = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(json.dumps(content[media]["schema"])).iter_errors(body)
    ]
    assert not wrong, f"{where} otherwise than described: {wrong}"


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    components = {"schemas": _closed(description()["components"]["schemas"])}
    whole = {**json.loads(schema), "components": components}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _closed(schema: Any) -> Any:
    """The schema, objects without fields that it does not name."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        found.setdefault("additionalProperties", False)
    return found

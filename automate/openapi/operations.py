"""An operation of the description, made of what its view says of itself."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.plumbing import get_doc
from jsonschema import Draft202012Validator
from uritemplate import variables

from automate.accounts.api.permissions import SIGNED_IN
from automate.lib.errors import JSON
from automate.lib.rest.described import Described, described_of
from automate.lib.rest.wire import FormParser
from automate.openapi import refusals
from automate.openapi.shapes import Schema, Shapes

# By the first part of an address below /api/v1/.
TAGS = {
    "": "API",
    "api-keys": "API keys",
    "auth": "Sign-in",
    "campaigns": "Campaigns",
    "connections": "Connections",
    "integrations": "n8n",
    "logs": "Runs",
    "openapi.json": "API",
    "runs": "Runs",
    "secrets": "Secrets",
    "trigger": "Start",
    "users": "Sign-in",
    "waits": "Steps that wait",
    "webhooks": "Webhooks",
    "workflow": "Start",
    "workflows": "Workflows",
}
PREFIX = "/api/v1/"


class Operation(Shapes):
    """What REST framework asks for each method of each view (DEFAULT_SCHEMA_CLASS)."""

    def get_operation(
        self,
        path: str,
        path_regex: str,
        path_prefix: str,
        method: str,
        registry: Any,
    ) -> Schema:
        """The operation object. Raises ImproperlyConfigured for a silent view."""
        self.registry = registry
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method = method
        said = described_of(self.view, method)
        if said is None:
            name = type(self.view).__name__
            raise ImproperlyConfigured(f"{name}.{method.lower()} is not @described.")
        name = said.name.format(verb=getattr(self.view, "verb", ""))
        found: Schema = {
            "operationId": name,
            "summary": name.replace("_", " ").capitalize(),
            "description": self._text(),
            "tags": [TAGS[path.removeprefix(PREFIX).partition("/")[0]]],
        }
        parameters = [*self._of_path(), *self._of_query(said), *_of_headers(said)]
        if parameters:
            found["parameters"] = parameters
        if said.body is not None:
            found["requestBody"] = self._body(said)
        found["responses"] = self._answers(said)
        found["security"] = self._security(said)
        return found

    def _text(self) -> str:
        """What the docstrings of the view and its method say."""
        docs = (get_doc(type(self.view)), get_doc(getattr(self.view, self._handler)))
        return "\n\n".join(text.split("Raises ")[0].strip() for text in docs if text)

    @property
    def _handler(self) -> str:
        return str(self.method).lower()

    def _of_path(self) -> list[Schema]:
        return list(self._resolve_path_parameters(variables(self.path)))

    def _of_query(self, said: Described) -> list[Schema]:
        if said.query is None:
            return []
        found = []
        for name, field in said.query().fields.items():
            schema = self._map_serializer_field(field, "request")
            self._insert_field_validators(field, schema)
            one: Schema = {"name": name, "in": "query", "schema": schema}
            text = schema.pop("description", "")
            found.append({**one, "description": text} if text else one)
        return found

    def _body(self, said: Described) -> Schema:
        assert said.body is not None  # noqa: S101 - asked by the caller
        content = {JSON: {"schema": self.schema_of(said.body, "request")}}
        if said.form is not None:
            form = self.schema_of(said.form, "request")
            content[FormParser.media_type] = {"schema": form}
        return {"content": content, "required": self._is_needed(content[JSON])}

    def _is_needed(self, content: Schema) -> bool:
        """Whether no body, which is read as `{}`, is refused."""
        schema = content["schema"]
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            known = {key[0]: one for key, one in self.registry._components.items()}
            schema = known[name].schema
        top = {key: schema[key] for key in ("required", "anyOf") if key in schema}
        return not Draft202012Validator(top).is_valid({})

    def _answers(self, said: Described) -> Schema:
        found: Schema = {}
        for status, shape in said.answers.items():
            one: Schema = {"description": _said_of(status)}
            if shape is not None:
                schema = self.schema_of(shape, "response")
                one["content"] = {said.media.get(status, JSON): {"schema": schema}}
            sent = self._sent(said, status)
            if sent:
                one["headers"] = sent
            found[str(status)] = one
        for status in sorted(self._refused(said)):
            why = said.refuses.get(status, "")
            found[str(status)] = refusals.response(
                status, why, of_form=said.form is not None
            )
        return found

    def _sent(self, said: Described, status: int) -> Schema:
        names = said.sends if status == next(iter(said.answers)) else ()
        if status in (202, 307):
            names = (*(one for one in names if one != "Location"), "Location")
        return {name: {"$ref": f"#/components/headers/{name}"} for name in names}

    def _refused(self, said: Described) -> set[int]:
        found = {*said.refuses, *refusals.ALWAYS}
        if said.query is not None or "If-Match" in said.takes:
            found.add(400)
        if said.body is not None:
            found |= {400, 413, 415}
        if "{" in self.path:
            found.add(404)
        if self._scope() is not None:
            found |= {401, 403, 429}
        elif said.body is not None:
            found.add(429)  # who tries too often, by address
        return found

    def _scope(self) -> str | None:
        """The scope that the method wants; None: it is open to everybody."""
        if not self.view.authentication_classes:
            return None
        scopes: dict[str, str] = getattr(self.view, "scopes", {})
        return scopes[str(self.method)]

    def _security(self, said: Described) -> list[Schema]:
        scope = self._scope()
        if scope is None:
            return []
        scopes = [str(one) for one in (scope, *said.needs) if one != SIGNED_IN]
        return [{name: scopes} for name in ("bearer", "key")]


def _of_headers(said: Described) -> list[Schema]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in said.takes]


def _said_of(status: int) -> str:
    return {
        200: "Done.",
        201: "Made.",
        202: "Begun; `Location` is the run's address.",
        204: "Done; there is nothing to say.",
        307: "The stream listener's address.",
    }[status]

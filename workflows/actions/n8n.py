"""Step kind `n8n`: calls a workflow of an n8n instance through its production webhook.

The webhook is found through n8n's public API (https://docs.n8n.io/api/), so that a path
that is changed there needs no change here. Its address is that of
https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from workflows.actions.base import Action, Context, register
from workflows.actions.http_request import HttpRequest
from workflows.actions.http_request.schema import CONFIG_SCHEMA as HTTP
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Retry

WEBHOOK = "n8n-nodes-base.webhook"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PATH = re.compile(r"[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
_PASSED = ("headers", "query", "body", "body_format", "response_format", "max_response")
_SENT_AS_IT_IS = ("success_statuses", "retry_on")


class _NoWebhook(ValueError):
    """The workflow cannot be called; `error_class` and a sentence."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


@register
class N8n(Action):
    """Its output is that of an HTTP request: `{"status", "headers", "body"}`."""

    kind = "n8n"
    label = "n8n workflow"
    description = "Calls a workflow of n8n through its production webhook."
    sends = True
    secret_fields = ("headers", "query", "body")
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["connection", "workflow"],
        "properties": {
            "connection": {
                **HTTP["properties"]["connection"],
                "description": "Of the kind n8n: the instance's address and an API key",
            },
            "workflow": {
                "title": "Workflow",
                "description": "Its id in n8n, or its name there",
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
            },
            "node": {
                "title": "Webhook",
                "description": "The name of the webhook node, where there are several",
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
            },
            **{name: HTTP["properties"][name] for name in (*_PASSED, *_SENT_AS_IT_IS)},
        },
    }

    def target(self, config: Mapping[str, Any]) -> tuple[str, str]:
        return "POST", f"n8n: {config.get('workflow') or ''}"

    def preview(self, context: Context) -> dict[str, Any]:
        """The look-up that comes first: the webhook is known only after it."""
        return HttpRequest().preview(replace(context, config=_lookup(context)))

    def execute(self, context: Context) -> Outcome:
        link = context.connection
        if link is None or link.kind != "n8n":
            message = "connection must name a connection of the kind n8n"
            return Fail(ErrorInfo("BadConfig", message))
        found = self._found(context)
        if not isinstance(found, Done):
            return found
        try:
            called = _webhook(found.output["body"], context.config.get("node"))
        except _NoWebhook as error:
            info = ErrorInfo(error.error_class, context.redactor.text(str(error)))
            return Fail(info, attempt=found.attempt)
        config = {
            name: context.config[name]
            for name in (*_PASSED, *_SENT_AS_IT_IS)
            if name in context.config
        }
        config |= {**called, "connection": link.name}
        # The key is for the API alone: a webhook's owner must not see it.
        keyless = replace(link, credentials=_without_key(link.credentials))
        return HttpRequest().execute(
            replace(context, config=config, connection=keyless)
        )

    def _found(self, context: Context) -> Outcome:
        """Done with the workflow as the answer's body."""
        by_id = _ask(context, _lookup(context))
        if not _is_missing(by_id):
            return by_id
        name = str(context.config["workflow"])
        query = {"name": name, "limit": 10}
        by_name = _ask(
            context, {**_request(context), "url": "api/v1/workflows", "query": query}
        )
        if not isinstance(by_name, Done):
            return by_name
        body = by_name.output["body"]
        items = body.get("data") if isinstance(body, dict) else None
        same = [
            item
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and item.get("name") == name
        ]
        if len(same) == 1:
            return replace(by_name, output={"body": same[0]})
        what = "several workflows" if same else "no workflow"
        message = f'n8n has {what} with the id or name "{name[:100]}"'
        info = ErrorInfo("N8nNotFound", context.redactor.text(message))
        return Fail(info, attempt=by_name.attempt)


def _without_key(credentials: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in credentials.items() if name != "api_key"}


def _request(context: Context) -> dict[str, Any]:
    name = context.config.get("connection")
    return {"method": "GET", "connection": name, "response_format": "json"}


def _lookup(context: Context) -> dict[str, Any]:
    """Of a name that cannot be an id one that there is not: then names are asked."""
    given = str(context.config["workflow"])
    id_ = quote(given, safe="") if _ID.fullmatch(given) else "-"
    return {**_request(context), "url": f"api/v1/workflows/{id_}"}


def _ask(context: Context, config: dict[str, Any]) -> Outcome:
    return HttpRequest().execute(replace(context, config=config))


def _is_missing(outcome: Outcome) -> bool:
    if not isinstance(outcome, Fail | Retry) or not isinstance(outcome.output, dict):
        return False
    return outcome.output.get("status") in (400, 404)


def _webhook(workflow: Any, wanted: object) -> dict[str, str]:
    """Method and address, below the instance's, of the webhook to call."""
    if not isinstance(workflow, dict) or not isinstance(workflow.get("nodes"), list):
        raise _NoWebhook("BadResponse", "n8n's answer is no workflow")
    name = str(workflow.get("name"))[:100]
    if workflow.get("active") is not True:
        message = f'the workflow "{name}" is not active in n8n: activate it there'
        raise _NoWebhook("N8nInactive", message)
    nodes = [
        node
        for node in workflow["nodes"]
        if isinstance(node, dict)
        and node.get("type") == WEBHOOK
        and node.get("disabled") is not True
        and wanted in (None, node.get("name"))
    ]
    if len(nodes) != 1:
        said = f' called "{str(wanted)[:100]}"' if wanted else ""
        found = "several webhooks: choose one in node" if nodes else f"no webhook{said}"
        raise _NoWebhook("N8nNoWebhook", f'the workflow "{name}" has {found}')
    given = nodes[0].get("parameters")
    parameters = given if isinstance(given, dict) else {}
    path = str(parameters.get("path") or nodes[0].get("webhookId") or "").strip("/")
    if not _PATH.fullmatch(path):
        message = f'the webhook of "{name}" has no plain path: "{path[:100]}"'
        raise _NoWebhook("N8nNoWebhook", message)
    method = parameters.get("httpMethod", "GET")
    method = method[0] if isinstance(method, list) and method else method
    if method not in HTTP["properties"]["method"]["enum"]:
        message = (
            f'the webhook of "{name}" takes "{str(method)[:20]}", which is not sent'
        )
        raise _NoWebhook("N8nNoWebhook", message)
    return {"method": str(method), "url": f"webhook/{path}"}

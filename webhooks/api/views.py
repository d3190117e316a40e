"""The list of webhooks, one webhook, its secrets, and a test event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller, user_of
from automate.accounts.models.api_key import Scope
from automate.accounts.visibility import visible_to
from automate.lib.errors import Code
from automate.lib.rest import ApiError, ListQuery, invalid, page
from automate.lib.rest.described import RULES, described, page_of
from automate.lib.rest.strict import StrictQuery, flatten
from webhooks.api import answers, shapes
from webhooks.api.body import (
    RotateBody,
    SwitchBody,
    TestBody,
    WebhookBody,
    config_of,
)
from webhooks.sending import CannotSend
from webhooks.trying import try_out
from workflows import services
from workflows.api.base import NO_SUCH, find_workflow, listed, told, workflow_in_query
from workflows.models import Trigger

# The places of a config by what a webhook's body calls them.
FIELDS = {
    "path": "url_path",
    "methods": "method",
    "events": "event_type",
    "required_headers": "headers",
    "condition": "headers",
}


def visible_webhooks(request: Request) -> QuerySet[Trigger]:
    """The webhooks of workflows that the caller may see."""
    seen = visible_to(user_of(request), "workflow__")
    rows = Trigger.objects.filter(seen, kind="webhook")
    return rows.select_related("workflow")


class WebhookQuery(ListQuery):
    """Query parameters of the list of webhooks."""

    workflow = serializers.CharField(required=False, max_length=100)
    is_active = serializers.BooleanField(required=False)


class WebhookList(APIView):
    """Webhooks, newest first; new ones are made here."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ, "POST": Scope.WORKFLOWS_WRITE}

    @described(
        "list_webhooks",
        {200: page_of(answers.Webhook)},
        query=WebhookQuery,
        refuses={400: NO_SUCH},
    )
    def get(self, request: Request) -> Response:
        """`{"results": [webhook], "next", "next_cursor"}`."""
        query = WebhookQuery.read_query(request)
        rows = visible_webhooks(request)
        if "workflow" in query:
            meant = workflow_in_query(request, query["workflow"])
            rows = rows.filter(workflow=meant)
        if "is_active" in query:
            rows = rows.filter(is_active=query["is_active"])
        found, further = page(rows, request, query)
        results = [shapes.webhook(row, request) for row in found]
        return Response({"results": results, **further})

    @described(
        "create_webhook",
        {201: answers.NewWebhook},
        body=WebhookBody,
        sends=("Location",),
        refuses={
            400: RULES,
            404: "There is no such workflow.",
            409: "The path is taken.",
        },
    )
    def post(self, request: Request) -> Response:
        """201 with the webhook, its `url`, and `secret` where one was made."""
        body = WebhookBody.read(request.data)
        try:
            config, secret = config_of(body)
        except serializers.ValidationError as error:
            raise invalid(list(flatten(error.detail))) from None
        workflow = find_workflow(request, body["workflow_id"])
        try:
            with told():
                added = services.add_trigger(
                    workflow, "webhook", config, secret=secret, by=caller(request)
                )
        except ApiError as error:
            raise _in_words_of_the_body(error, config["scheme"]) from None
        shown = shapes.webhook(added.trigger, request)
        return Response(
            {**shown, "secret": added.secret, "warnings": listed(added.warnings)},
            status=201,
            headers={"Location": shown["links"]["self"]},
        )


class WebhookView(APIView):
    """A view below one webhook's address."""

    def find(self, request: Request, webhook_id: UUID) -> Trigger:
        """The webhook. Raises ApiError 404, also for another team's."""
        row = visible_webhooks(request).filter(pk=webhook_id).first()
        if row is None:
            text = f"There is no webhook {webhook_id}."
            raise ApiError(404, Code.NOT_FOUND, text)
        return row


class WebhookDetail(WebhookView):
    """One webhook."""

    scopes: ClassVar = {
        "GET": Scope.WORKFLOWS_READ,
        "PATCH": Scope.WORKFLOWS_WRITE,
        "DELETE": Scope.WORKFLOWS_WRITE,
    }

    @described("get_webhook", {200: answers.Webhook}, query=StrictQuery)
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """The webhook."""
        StrictQuery.read_query(request)
        return Response(shapes.webhook(self.find(request, webhook_id), request))

    @described("switch_webhook", {200: answers.Webhook}, body=SwitchBody)
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        """Switch it on or off."""
        row = self.find(request, webhook_id)
        body = SwitchBody.read(request.data)
        active = body["is_active"]
        services.set_trigger_active(row, active=active, by=caller(request))
        return Response(shapes.webhook(self.find(request, webhook_id), request))

    @described("delete_webhook", {204: None})
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """204; its address is nobody's then."""
        services.remove_trigger(self.find(request, webhook_id), caller(request))
        return Response(status=204)


class WebhookRotate(WebhookView):
    """Another secret; the one before counts for a while."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "rotate_webhook_secret",
        {200: answers.RotatedWebhook},
        body=RotateBody,
        refuses={400: RULES, 409: "Its scheme has no secret."},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """The webhook, with `secret` where one was made."""
        row = self.find(request, webhook_id)
        body = RotateBody.read(request.data)
        kept = timedelta(seconds=body["keep_previous"])
        with told():
            new = services.rotate_trigger_secret(
                row, caller(request), kept, body["secret"]
            )
        shown = shapes.webhook(self.find(request, webhook_id), request)
        return Response({**shown, "secret": new if body["secret"] is None else None})


class WebhookPrevious(WebhookView):
    """The secret before the current one."""

    scopes: ClassVar = {"DELETE": Scope.WORKFLOWS_WRITE}

    @described("end_previous_webhook_secret", {204: None})
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """204: only the current secret counts from now on."""
        row = self.find(request, webhook_id)
        services.end_previous_secret(row, caller(request))
        return Response(status=204)


class WebhookTest(WebhookView):
    """A signed event, as its sender would post it."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}

    @described(
        "test_webhook",
        {200: answers.Tried},
        body=TestBody,
        refuses={400: RULES, 409: "No such event can be made."},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """`{"status", "answer", "run_id", "sent"}`: what the sender would be told."""
        row = self.find(request, webhook_id)
        body = TestBody.read(request.data)
        try:
            found = try_out(
                row,
                by=caller(request),
                event=body["event_type"],
                payload=body.get("payload"),
                headers=body["headers"],
            )
        except CannotSend as error:
            raise ApiError(409, Code.CONFLICT, str(error)) from None
        return Response(found.as_data())


def _in_words_of_the_body(error: ApiError, scheme: str) -> ApiError:
    """The refusal of a config, its places as the body has them."""

    def field(place: str) -> str:
        head, _, rest = place.partition(".")
        if head in (scheme, "scheme", "secret"):
            return f"authentication.{rest}" if rest else "authentication"
        bare = head.split("[")[0]
        if bare in FIELDS:
            return FIELDS[bare]
        return f"authentication.{place}" if place else "authentication"

    if error.status_code != 400:
        return error
    pairs: list[Any] = [(field(place), issue) for place, issue in error.errors]
    return invalid(pairs)

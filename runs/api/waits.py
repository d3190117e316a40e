"""Steps that wait for an answer: which there are, what they ask, and answering."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller
from automate.accounts.models.api_key import Scope
from automate.lib import jsonio
from automate.lib.rest import ApiError, ListQuery, StrictSerializer, page
from automate.lib.rest.described import RULES, described, list_of, page_of
from automate.lib.rest.fields import AnyField
from automate.lib.rest.strict import StrictQuery
from runs import services
from runs.api import answers as run_answers
from runs.api import other_answers as answers
from runs.api import shapes
from runs.api.base import RunView, short_runs, visible_runs
from runs.api.history import NAMING
from runs.models import WaitToken
from runs.redaction import clean, redactor_for
from runs.services import Decision, Given
from runs.services.open_waits import open_waits, shown_details
from runs.services.resume import LONGEST_COMMENT

SEALED_ANSWER = ("body", "headers", "query")
# What programs of other systems say.
ALIASES = {
    "approve": Decision.APPROVED,
    "reject": Decision.REJECTED,
    "resume": Decision.RECEIVED,
}
DECISIONS = (*Decision.values, *ALIASES)


class WaitList(APIView):
    """Every step that waits for an answer, the oldest first."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("list_waits", {200: page_of(answers.Wait)}, query=ListQuery)
    def get(self, request: Request) -> Response:
        """`{"results", "next", "next_cursor"}`; what is asked is on the run's own."""
        query = ListQuery.read_query(request)
        runs = visible_runs(request).values("pk")
        waits = open_waits(WaitToken.objects.filter(run__in=runs))
        shown = waits.select_related("run__workflow").only(
            "node_id", "kind", "created_at", "expires_at", "decision",
            "run__id", "run__workflow__slug",
        )  # fmt: skip
        found, further = page(shown, request, query, newest_first=False)
        results = [{**_short(row), "workflow": row.run.workflow.slug} for row in found]
        return Response({"results": results, **further})


class RunWaits(RunView):
    """What the steps of one run ask."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("list_run_waits", {200: list_of(answers.RunWait)}, query=StrictQuery)
    def get(self, request: Request, run_id: UUID) -> Response:
        """`{"results": [wait]}`, with the question, redacted."""
        StrictQuery.read_query(request)
        runs = visible_runs(request).select_related("workflow", "version")
        run = self.find(runs.only(*NAMING), run_id)
        waits = list(open_waits(run.wait_tokens.defer(*SEALED_ANSWER)))
        if not waits:
            return Response({"results": []})
        redactor = redactor_for(run)
        return Response({"results": [_asked(clean(row, redactor)) for row in waits]})


def _short(token: WaitToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "run_id": token.run_id,
        "step": token.node_id,
        "kind": token.kind,
        "asked_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _asked(token: WaitToken) -> dict[str, Any]:
    details = shown_details(token)
    return {
        **_short(token),
        "message": str(details.get("message", "")),
        "details": details.get("details"),
        "approvers": list(details.get("approvers") or ()),
    }


class AnswerBody(StrictSerializer):
    """`{"decision", "comment", "data"}`: data for `received` and `happened` alone."""

    decision = serializers.CharField(max_length=20)
    comment = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=LONGEST_COMMENT
    )
    # DRF's metaclass takes the field out; the serializer's own `data` stays.
    data = AnyField(required=False, allow_null=True)  # type: ignore[assignment]

    def validate_decision(self, text: str) -> Decision:
        """The decision of this name, in any case and by alias."""
        plain = text.strip().lower().replace("-", "_")
        if plain not in DECISIONS:
            known = ", ".join(DECISIONS)
            raise serializers.ValidationError(f"Unknown decision. Known: {known}.")
        return ALIASES.get(plain) or Decision(plain)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """No data where a decision is all."""
        takes = (Decision.RECEIVED, Decision.HAPPENED)
        if "data" in attrs and attrs["decision"] not in takes:
            raise serializers.ValidationError(
                {"data": "Only a step that waits for data takes some."}
            )
        return attrs


class AnswerWait(RunView):
    """Answers a step that waits, once."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}
    of_people: ClassVar = {"POST": "runs.answer_waittoken"}

    @described(
        "answer_wait",
        {200: run_answers.ShortRun},
        body=AnswerBody,
        refuses={
            400: RULES,
            403: "The step names its approvers.",
            409: "Nobody waits for this answer.",
            410: "The wait is over.",
        },
    )
    def post(self, request: Request, run_id: UUID, step: str) -> Response:
        """The run afterwards. 403 for no approver, 409 when nobody waits for it."""
        run = self.find(short_runs(request), run_id)
        body = AnswerBody.read(request.data)
        try:
            services.resume(run.pk, step, _given(body), by=caller(request))
        except services.NotAnApprover as error:
            raise ApiError(403, error.code, error.message) from None
        except services.WaitOver as error:
            raise ApiError(410, error.code, error.message) from None
        except services.RunServiceError as error:
            raise ApiError(409, error.code, error.message) from None
        run = self.find(short_runs(request), run.pk)
        return Response(shapes.short(run, request))


def _given(body: dict[str, Any]) -> Given:
    text = jsonio.dumps(body["data"]) if "data" in body else ""
    return Given(
        body["decision"],
        comment=body["comment"],
        body=text.encode(),
        content_type="application/json" if text else "",
    )

"""Campaigns: count what a filter means, redrive all of it at a rate, steer."""

from __future__ import annotations

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
from automate.lib.rest import ApiError, ListQuery, StrictSerializer, page
from automate.lib.rest.described import NOTHING, described, page_of
from automate.lib.rest.strict import StrictQuery
from runs import services
from runs.api import other_answers as answers
from runs.api.repair import LONGEST_START
from runs.models import Campaign, CampaignRun
from runs.services import campaigns

VERBS = {
    "pause": campaigns.pause,
    "resume": campaigns.resume,
    "stop": campaigns.stop,
}


REFUSED = "A filter that cannot be read, or that nothing matches; a rate that is none."


class FilterBody(StrictSerializer):
    """`{"filter"}`: the names and values of the list of runs."""

    filter = serializers.DictField()


class CampaignBody(FilterBody):
    """How the runs that match are redriven."""

    version = serializers.ChoiceField(["pinned", "latest"], default="pinned")
    rate = serializers.FloatField(default=5.0)
    check_after = serializers.IntegerField(default=20, min_value=0, max_value=100_000)
    max_failed = serializers.FloatField(default=0.2)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `from`, which Python keeps for itself."""
        start = serializers.CharField(default="failed", max_length=LONGEST_START)
        return {"from": start, **super().get_fields()}


class CampaignCount(APIView):
    """How many runs a campaign with this filter would redrive."""

    scopes: ClassVar = {"POST": Scope.RUNS_REDRIVE}

    @described(
        "count_campaign",
        {200: answers.Counted},
        body=FilterBody,
        refuses={409: REFUSED},
    )
    def post(self, request: Request) -> Response:
        """`{"count"}`."""
        body = FilterBody.read(request.data)
        with _refusals():
            return Response(
                {"count": campaigns.count(body["filter"], by=caller(request))}
            )


class CampaignList(APIView):
    """Campaigns, newest first, and starting one."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_REDRIVE}

    @described("list_campaigns", {200: page_of(answers.ShortCampaign)}, query=ListQuery)
    def get(self, request: Request) -> Response:
        """`{"results", "next", "next_cursor"}`; how far one is, is on its own page."""
        query = ListQuery.read_query(request)
        found, further = page(_seen(request), request, query)
        return Response({"results": [_short(row) for row in found], **further})

    @described(
        "start_campaign",
        {201: answers.Campaign},
        body=CampaignBody,
        refuses={409: REFUSED},
    )
    def post(self, request: Request) -> Response:
        """201 with the campaign, which has begun."""
        body = CampaignBody.read(request.data)
        with _refusals():
            campaign = campaigns.start_campaign(
                body["filter"],
                by=caller(request),
                start=body["from"],
                version=body["version"],
                rate=body["rate"],
                check_after=body["check_after"],
                max_failed=body["max_failed"],
            )
        campaign.refresh_from_db()
        return Response(_full(campaign), status=201)


class _One(APIView):
    def find(self, request: Request, key: UUID) -> Campaign:
        """The campaign. Raises ApiError 404, also for others' ones."""
        campaign = _seen(request).filter(pk=key).first()
        if campaign is None:
            raise ApiError(404, Code.NOT_FOUND, f"There is no campaign {key}.")
        return campaign


class CampaignDetail(_One):
    """One campaign."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("get_campaign", {200: answers.Campaign}, query=StrictQuery)
    def get(self, request: Request, key: UUID) -> Response:
        """With how far it is."""
        StrictQuery.read_query(request)
        return Response(_full(self.find(request, key)))


class CampaignRuns(_One):
    """The runs that a campaign means, and what became of each."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described(
        "list_campaign_runs", {200: page_of(answers.CampaignRun)}, query=ListQuery
    )
    def get(self, request: Request, key: UUID) -> Response:
        """`{"results", "next", "next_cursor"}`, in the order in which it takes them."""
        query = ListQuery.read_query(request)
        seen = visible_to(user_of(request), "run__workflow__")
        items = CampaignRun.objects.filter(seen, campaign=self.find(request, key))
        chosen = items.select_related("fresh").only(
            "run_id", "refused", "fresh__status", "campaign_id"
        )
        found, further = page(chosen, request, query, newest_first=False)
        return Response({"results": [_item(row) for row in found], **further})


class CampaignSteer(_One):
    """Pause, resume or stop."""

    scopes: ClassVar = {"POST": Scope.RUNS_REDRIVE}
    verb = ""

    @described(
        "{verb}_campaign",
        {200: answers.Campaign},
        body=NOTHING,
        refuses={409: "Its state does not allow it."},
    )
    def post(self, request: Request, key: UUID) -> Response:
        """The campaign afterwards; 409 when its state does not allow it."""
        StrictSerializer.read(request.data)
        campaign = self.find(request, key)
        if not VERBS[self.verb](campaign, by=caller(request)):
            said = f"The campaign is {campaign.status}: it cannot {self.verb}."
            raise ApiError(409, Code.CONFLICT, said)
        return Response(_full(campaign))


class _refusals:
    """Turns what the service refuses into answers."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _kind: Any, error: Any, _trace: Any) -> None:
        if isinstance(error, services.CampaignRefused):
            raise ApiError(409, error.code, error.message) from None


def _seen(request: Request) -> QuerySet[Campaign]:
    return campaigns.seen_by(user_of(request)).select_related("created_by")


def _short(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "status": campaign.status,
        "reason": campaign.reason or None,
        "filter": campaign.filter,
        "from": campaign.start,
        "version": campaign.version,
        "rate": campaign.rate,
        "check_after": campaign.check_after,
        "max_failed": campaign.max_failed,
        "total": campaign.total,
        "created_by": campaign.created_by.email if campaign.created_by else None,
        "created_at": campaign.created_at,
        "completed_at": campaign.finished_at,
    }


def _full(campaign: Campaign) -> dict[str, Any]:
    done = campaigns.progress(campaign)
    return {
        **_short(campaign),
        "redriven": done.redriven,
        "refused": done.refused,
        "ended": done.ended,
        "failed": done.failed,
        "left": done.left,
    }


def _item(row: CampaignRun) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "redriven_as": row.fresh_id,
        "status": row.fresh.status if row.fresh else None,
        "refused": row.refused or None,
    }

"""Campaigns: all runs that match a filter redriven, at a rate, watched as they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.accounts.visibility import visible_to
from automate.lib.database import write_transaction
from runs.engine import sql, wake
from runs.models import Campaign, CampaignRun, Run
from runs.models.run import RunQuerySet
from runs.services.errors import CampaignRefused
from runs.services.selection import read_filter, select
from runs.services.unrepaired import taken_over
from runs.states import RunStatus
from workflows.models import Workflow
from workflows.services import naming

By = User | ApiKey | None
FAILED = (RunStatus.FAILED, RunStatus.DEAD_LETTER, RunStatus.CANCELLED)
REDRIVABLE = tuple(str(status) for status in FAILED)
MAX_RATE = 100.0
MOST = 100_000
RUNNING = Campaign.Status.RUNNING


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is; `ended` and `failed` count its redrives, not its runs."""

    total: int
    redriven: int
    refused: int
    ended: int
    failed: int

    @property
    def left(self) -> int:
        """Runs that it has not come to yet."""
        return max(self.total - self.redriven - self.refused, 0)


def matching(wanted: Mapping[str, Any], by: By) -> RunQuerySet:
    """The runs that a campaign with this filter would redrive, oldest first.

    Only ended ones that did not succeed (unless `status` names succeeded ones too),
    for whose event no later or succeeded redrive stands, that are no child of another
    run, and that `by` may see: of each event at most one. Raises CampaignRefused for a
    filter that cannot be read, and for one that names a workflow that is not there or
    the children of a run: it would match nothing, and silently.
    """
    given = {"status": list(REDRIVABLE), **_read(wanted)}
    person = by.user if isinstance(by, ApiKey) else by
    _must_be_there(given, person)
    runs = select(Run.objects.with_waiting(), given)
    if person is not None:
        runs = runs.filter(visible_to(person, "workflow__"))
    open_to_it = runs.filter(
        ~Exists(taken_over(parent=None)), parent=None, finished_at__isnull=False
    )
    return open_to_it.order_by("pk")


def _read(wanted: object) -> dict[str, Any]:
    try:
        return read_filter(wanted)
    except ValueError as error:
        raise CampaignRefused(str(error)) from None


def _must_be_there(given: Mapping[str, Any], person: User | None) -> None:
    if "parent" in given:
        raise CampaignRefused(
            "A campaign takes no runs that another run started. Redrive that one: it "
            "repeats those of them that did not succeed."
        )
    if "workflow" not in given:
        return
    rule = visible_to(person) if person is not None else Q()
    seen = Workflow.objects.filter(rule)
    if not naming.named(seen, given["workflow"]).exists():
        raise CampaignRefused(naming.unknown(seen, given["workflow"]))


def count(wanted: Mapping[str, Any], *, by: By) -> int:
    """How many runs a campaign with this filter would redrive now."""
    return matching(wanted, by).count()


def start_campaign(
    wanted: Mapping[str, Any],
    *,
    by: By,
    start: str = "failed",
    version: str = "pinned",
    rate: float = 5.0,
    check_after: int = 20,
    max_failed: float = 0.2,
) -> Campaign:
    """Redrive all runs that match, `rate` a second, oldest first.

    It begins with `check_after` redrives and goes on when they have ended; from then
    on it stops by itself when more than the share `max_failed` of those that ended
    have failed. `check_after` 0 never looks. Raises CampaignRefused.
    """
    _check(start, version, rate, max_failed)
    if start == "failed" and _read(wanted).get("status") == [RunStatus.SUCCEEDED]:
        raise CampaignRefused("In runs that succeeded nothing failed: begin at start.")
    with write_transaction():
        runs = matching(wanted, by)
        campaign = Campaign.objects.create(
            filter=_plain(_read(wanted)),
            start=start,
            version=version,
            rate=rate,
            check_after=check_after,
            max_failed=max_failed,
            created_by=by.user if isinstance(by, ApiKey) else by,
        )
        campaign.total = _enlist(campaign, runs)
        if not campaign.total:
            raise CampaignRefused("No run matches that could be redriven.")
        if campaign.total > MOST:
            raise CampaignRefused(
                f"{campaign.total:,} runs match; a campaign takes at most {MOST:,}. "
                "Narrow the filter, for instance by dates."
            )
        campaign.save(update_fields=("total",))
        audit(
            "campaign.start",
            campaign,
            by=by,
            changes={"filter": campaign.filter, "total": campaign.total, "from": start},
        )
        transaction.on_commit(wake.notify)
    return campaign


def _check(start: str, version: str, rate: float, max_failed: float) -> None:
    if not 0 < rate <= MAX_RATE:
        raise CampaignRefused(f"The rate must be above 0 and at most {MAX_RATE:g}.")
    if not 0 <= max_failed <= 1:
        raise CampaignRefused("The share of failures must be from 0 to 1.")
    if version not in ("pinned", "latest"):
        raise CampaignRefused("Redrive on the pinned or the latest version.")
    if not start:
        raise CampaignRefused('Redrive from "start", from "failed" or from a step.')


def _enlist(campaign: Campaign, runs: RunQuerySet) -> int:
    """Write down which runs are meant, in one statement; returns how many."""
    chosen, values = runs.values("pk").query.sql_with_params()
    return sql.run(
        "INSERT INTO runs_campaignrun (campaign_id, run_id, refused, created_at) "  # noqa: S608 - the ORM's own text
        f"SELECT %s, chosen.pk, '', {sql.now()} FROM ({chosen}) chosen ORDER BY 2",
        [sql.key(campaign.pk), *values],
    )


def _plain(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The filter as JSON: moments as texts, ids too."""
    return {
        name: value if isinstance(value, str | int | list) else str(value)
        for name, value in wanted.items()
    }


def seen_by(user: User) -> QuerySet[Campaign]:
    """One's own campaigns, and those of whose runs one sees every one."""
    if user.is_superuser:
        return Campaign.objects.all()
    own = CampaignRun.objects.filter(campaign=OuterRef("pk"))
    unseen = own.exclude(visible_to(user, "run__workflow__"))
    return Campaign.objects.filter(Q(created_by=user) | (Exists(own) & ~Exists(unseen)))


def pause(campaign: Campaign, *, by: By) -> bool:
    """running -> paused. False when it was not running."""
    return _move(campaign, by, "pause", Campaign.Status.PAUSED, [RUNNING])


def resume(campaign: Campaign, *, by: By) -> bool:
    """paused or stopped -> running, from where it was.

    One that stopped because of failures looks at those that follow: the next
    `check_after` decide again.
    """
    return _move(
        campaign,
        by,
        "resume",
        Campaign.Status.RUNNING,
        [Campaign.Status.PAUSED, Campaign.Status.STOPPED],
        reason="",
        next_at=Now(),
        checked_from=_last_item(campaign),
    )


def stop(campaign: Campaign, *, by: By) -> bool:
    """running or paused -> stopped. What it has redriven goes on."""
    states = [RUNNING, Campaign.Status.PAUSED]
    reason = f"Stopped by {by or 'the system'}."
    return _move(campaign, by, "stop", Campaign.Status.STOPPED, states, reason=reason)


def _move(
    campaign: Campaign,
    by: By,
    verb: str,
    status: Campaign.Status,
    leaves: list[Campaign.Status],
    **changes: Any,
) -> bool:
    with write_transaction():
        moved = Campaign.objects.filter(pk=campaign.pk, status__in=leaves).update(
            status=status, **changes
        )
        if moved:
            audit(f"campaign.{verb}", campaign, by=by)
            transaction.on_commit(wake.notify)
    campaign.refresh_from_db()
    return bool(moved)


def _last_item(campaign: Campaign) -> int:
    ids = CampaignRun.objects.filter(campaign=campaign).order_by("-pk")
    return ids.values_list("pk", flat=True).first() or 0


def progress(campaign: Campaign) -> Progress:
    """How far it is; one query."""
    return progress_of(CampaignRun.objects.filter(campaign=campaign), campaign.total)


def progress_of(items: QuerySet[CampaignRun], total: int) -> Progress:
    """The same of some of its runs."""
    counts = items.aggregate(
        redriven=Count("pk", filter=Q(fresh__isnull=False)),
        refused=Count("pk", filter=~Q(refused="")),
        ended=Count("pk", filter=Q(fresh__finished_at__isnull=False)),
        failed=Count("pk", filter=Q(fresh__status__in=REDRIVABLE)),
    )
    return Progress(total=total, **counts)

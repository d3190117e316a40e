"""The chore that goes on with campaigns: one redrive a transaction, at their rate."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from automate.lib.database import is_away, repeat, write_transaction
from automate.lib.jsonio import storable
from runs.engine import wake
from runs.engine.clock import database_now
from runs.models import Campaign, CampaignRun
from runs.services.campaigns import RUNNING, progress_of
from runs.services.errors import RedriveRefused
from runs.services.redrive import key_again, redrive_here
from runs.services.unrepaired import standing_for

logger = logging.getLogger(__name__)

# Redrives in one go, so that the drain's own work does not wait for long.
AT_ONCE = 10
LOOK = 1.0  # seconds between looks at campaigns that wait for their first redrives
WINDOW = 500  # of so many last redrives, at most, the failures are counted
BEHIND = timedelta(seconds=1)  # what a campaign that fell behind makes up for
# A run refused for a reason that passes is asked again: about five minutes in all.
TRIES = 10
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds; each wait is twice the one before


def advance() -> float:
    """Go on with every campaign that is due; seconds until the next one is."""
    due = Campaign.objects.filter(status=RUNNING, next_at__lte=Now())
    for campaign_id in due.values_list("pk", flat=True):
        for _ in range(AT_ONCE):
            ahead = _look_ahead(campaign_id)
            if not repeat(partial(_step, campaign_id, ahead)):
                break
    running = Campaign.objects.filter(status=RUNNING).order_by("next_at")
    following = running.values_list("next_at", flat=True).first()
    if following is None:
        return LOOK
    return min(max((following - database_now()).total_seconds(), 0.0), LOOK)


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next run of a campaign, with what its redrive needs of the payload store."""

    item_id: int
    exclusive_key: str = ""
    refused: RedriveRefused | None = None


def _open(campaign_id: UUID) -> QuerySet[CampaignRun]:
    """Its runs that it has not done with, those that wait to be asked again too."""
    items = CampaignRun.objects.filter(campaign=campaign_id, fresh=None, refused="")
    return items.order_by("pk")


def _due(campaign_id: UUID) -> QuerySet[CampaignRun]:
    return _open(campaign_id).filter(Q(again_at=None) | Q(again_at__lte=Now()))


def _look_ahead(campaign_id: UUID) -> Ahead | None:
    """Outside of the transaction, in which no network may be awaited."""
    item = _due(campaign_id).select_related("run", "campaign").first()
    if item is None:
        return None
    try:
        return Ahead(item.pk, key_again(item.run, item.campaign.version))
    except RedriveRefused as error:
        return Ahead(item.pk, refused=error)


def _step(campaign_id: UUID, ahead: Ahead | None) -> bool:
    """One redrive, or one decision. False: nothing more to do now."""
    with write_transaction():
        now = database_now()
        rows = Campaign.objects.filter(pk=campaign_id, status=RUNNING, next_at__lte=now)
        campaign = rows.select_for_update(no_key=True, skip_locked=True).first()
        if campaign is None:
            return False
        if not _may_go_on(campaign):
            campaign.save()
            return False
        item = _due(campaign_id).first()
        if item is not None and (ahead is None or item.pk != ahead.item_id):
            return True  # another worker was faster: look again
        if item is None or ahead is None:
            _rest(campaign, now)
            return False
        _redrive(campaign, item, ahead)
        pace = timedelta(seconds=1 / campaign.rate)
        campaign.next_at = max(campaign.next_at, now - BEHIND) + pace
        campaign.save(update_fields=("next_at",))
        transaction.on_commit(wake.notify)
    return True


def _rest(campaign: Campaign, now: datetime) -> None:
    """Nothing is due: wait for what is asked again, or be finished."""
    waiting = _open(campaign.pk).order_by("again_at").first()
    if waiting is not None and waiting.again_at is not None:
        campaign.next_at = max(waiting.again_at, now)
    else:
        campaign.status, campaign.finished_at = Campaign.Status.FINISHED, now
    campaign.save()


def _may_go_on(campaign: Campaign) -> bool:
    """Whether its failures allow it, and whether they can be told yet."""
    if not campaign.check_after:
        return True
    begun = CampaignRun.objects.filter(
        campaign=campaign, fresh__isnull=False, pk__gt=campaign.checked_from
    )
    done = progress_of(begun.order_by("-pk")[:WINDOW], campaign.total)
    if done.ended >= campaign.check_after:
        if done.failed > campaign.max_failed * done.ended:
            campaign.status = Campaign.Status.STOPPED
            campaign.reason = (
                f"{done.failed} of {done.ended} redrives have failed, more than "
                f"{campaign.max_failed:.0%}. Mend the cause, then resume it."
            )
            logger.warning("%s stopped: %s", campaign, campaign.reason)
            return False
        return True
    if done.redriven < campaign.check_after:
        return True
    campaign.next_at = database_now() + timedelta(seconds=LOOK)
    return False


def _redrive(campaign: Campaign, item: CampaignRun, ahead: Ahead) -> None:
    """This run anew, or why not: a run that cannot be redriven stops no campaign."""
    again = standing_for(item.run)
    if again is not None:
        item.refused = f"It was redriven already, as {again}."
        item.save(update_fields=("refused",))
        return
    try:
        if ahead.refused:
            raise ahead.refused
        with transaction.atomic():
            item.fresh = redrive_here(
                item.run_id,
                by=campaign.created_by,
                start=campaign.start,
                version=campaign.version,
                exclusive_key=ahead.exclusive_key,
            )
    except RedriveRefused as error:
        _refuse(item, error)
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("run %s of %s cannot be redriven", item.run_id, campaign)
        item.refused = storable(f"{type(error).__name__}: {error}".splitlines()[0])
    item.save(update_fields=("fresh", "refused", "tries", "again_at"))


def _refuse(item: CampaignRun, error: RedriveRefused) -> None:
    """For good, or until later when the reason passes by itself."""
    item.tries += 1
    if not error.transient or item.tries >= TRIES:
        item.refused = error.message
        return
    wait = min(FIRST_WAIT * 2 ** (item.tries - 1), LONGEST_WAIT)
    item.again_at = database_now() + timedelta(seconds=wait)

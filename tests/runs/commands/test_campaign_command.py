"""manage.py campaign."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from automate.accounts.models import AuditEntry
from automate.lib.ids import uuid7
from runs.models import Campaign
from runs.services.campaigning import advance
from runs.services.campaigns import start_campaign
from tests.makers import make_run

pytestmark = pytest.mark.usefixtures("engine")


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("campaign", *arguments, stdout=out)
    return out.getvalue()


def campaign(count: int = 2) -> Campaign:
    for _ in range(count):
        make_run(status="failed")
    return start_campaign({}, by=None, rate=0.5)


def test_all_are_listed_the_latest_first() -> None:
    first = campaign()
    advance()
    second = campaign()
    lines = said().splitlines()
    assert [line.split()[0] for line in lines] == [str(second.pk), str(first.pk)]
    assert lines[1].endswith("running: 1 of 2 redriven, 0 failed, 0 refused")


def test_one_is_paused_resumed_and_stopped() -> None:
    one = campaign()
    for verb, status, text in (
        ("--pause", "paused", "is paused."),
        ("--resume", "running", "is running again."),
        ("--stop", "stopped", "is stopped."),
    ):
        assert said(str(one.pk), verb) == f"Campaign {one.pk} {text}\n"
        one.refresh_from_db()
        assert one.status == status
    assert "Stopped by the system." in said(str(one.pk))
    actions = AuditEntry.objects.values_list("action", flat=True)
    assert {"campaign.pause", "campaign.resume", "campaign.stop"} <= set(actions)


def test_what_its_state_does_not_allow_is_refused() -> None:
    one = campaign()
    with pytest.raises(CommandError, match="is running: not changed"):
        said(str(one.pk), "--resume")


def test_a_campaign_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="There is no campaign"):
        said(str(uuid7()), "--pause")


def test_a_verb_wants_a_campaign() -> None:
    with pytest.raises(CommandError, match="Name the campaign: campaign ID --stop"):
        said("--stop")


def test_one_verb_at_a_time() -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        said(str(uuid7()), "--stop", "--pause")

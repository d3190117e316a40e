"""manage.py redrive, cancel and reap."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from automate.lib.ids import uuid7
from runs.models import Campaign, Job, Run
from tests.makers import make_run
from tests.runs.drains import Hand, drained
from tests.runs.flows import again, expire, given, publish, started, steps

pytestmark = pytest.mark.usefixtures("engine")


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def failed() -> Run:
    run = started(publish(given("a"), given("b", x="{{ trigger.payload.gone }}")))
    drained()
    return again(run)


class TestRedrive:
    def test_a_run_by_its_id(self) -> None:
        run = failed()

        text = said("redrive", str(run.pk))

        fresh = run.replays.get()
        assert text == f"{run.pk} redriven as {fresh.pk}\n"
        assert steps(fresh)["a"] == "succeeded", "from the failed step by default"

    def test_from_a_named_step(self) -> None:
        run = failed()
        said("redrive", str(run.pk), "--from", "a")

        assert "a" not in steps(run.replays.get())

    def test_a_refusal_is_told(self) -> None:
        run = started(publish(given("a")))

        with pytest.raises(CommandError, match="is still queued; cancel it or wait"):
            said("redrive", str(run.pk))

    def test_a_run_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="There is no run"):
            said("redrive", str(uuid7()))

    @pytest.mark.parametrize("more", [("--dry-run",), ("--yes",)])
    def test_a_mistyped_workflow_is_told_with_the_near_one(
        self, more: tuple[str, ...]
    ) -> None:
        publish(given("a"), slug="order-intake")
        with pytest.raises(CommandError, match="Did you mean order-intake"):
            said("redrive", "--workflow", "orderintake", *more)
        assert not Campaign.objects.exists()

    def test_a_filter_becomes_a_campaign(self) -> None:
        first = make_run(status="failed")
        make_run(status="dead_letter")

        text = said("redrive", "--status", "failed", "--rate", "2", "--yes")

        campaign = Campaign.objects.get()
        assert "1 run(s) match." in text
        assert f"Campaign {campaign.pk} redrives 1 run(s)" in text
        assert (campaign.rate, campaign.start) == (2.0, "failed")
        assert campaign.runs.get().run == first

    def test_a_filter_by_time_takes_dates(self) -> None:
        make_run(status="failed")

        assert "0 run(s) match." in said("redrive", "--until", "2001-01-31")
        text = said("redrive", "--since", "2001-01-31T12:00:00", "--dry-run")
        assert text == "1 run(s) match.\n"
        assert not Campaign.objects.exists()

    def test_without_yes_it_asks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make_run(status="failed")
        asked = []

        def answer(question: str) -> str:
            asked.append(question)
            return "n"

        monkeypatch.setattr("builtins.input", answer)

        text = said("redrive", "--status", "failed")

        assert asked == ["Redrive them, 5 a second? [y/N] "]
        assert "Nothing was done." in text
        assert not Campaign.objects.exists()

    def test_a_dry_run_of_named_runs_redrives_nothing(self) -> None:
        """Shown to fail when the option is only looked at for filters."""
        run = failed()

        with pytest.raises(CommandError, match="--dry-run counts"):
            said("redrive", str(run.pk), "--dry-run")
        assert not run.replays.exists()

    def test_neither_or_both_is_a_mistake(self) -> None:
        with pytest.raises(CommandError, match="Name runs, or a filter"):
            said("redrive")
        with pytest.raises(CommandError, match="Name runs, or a filter"):
            said("redrive", str(uuid7()), "--workflow", "x")

    def test_a_wrong_moment_is_named(self) -> None:
        with pytest.raises(CommandError, match="--since"):
            said("redrive", "--since", "yesterday")


class TestCancel:
    def test_each_is_ended_and_said(self) -> None:
        run, ended = started(publish(given("a"))), make_run(status="succeeded")

        text = said("cancel", str(run.pk), str(ended.pk), "--reason", "a mistake")

        assert text.splitlines() == [
            f"{run.pk} cancelled",
            f"{ended.pk} had ended already: succeeded",
        ]
        assert (again(run).status, again(run).error_message) == (
            "cancelled",
            "a mistake",
        )

    def test_a_run_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="There is no run"):
            said("cancel", str(uuid4()))


def test_reap_gives_back_what_a_vanished_worker_held(
    hand: Hand, engine: Settings
) -> None:
    engine.HEARTBEAT = 0.05
    run = started(publish(given("a")))
    hand.claim()
    expire(run)

    assert said("reap") == "1 run(s) given back.\n"
    assert Job.objects.get(run=run).lease_token is None

"""`manage.py explain`: plain text for people, JSON for programs, clear errors."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from automate.lib import jsonio
from runs.models import Run
from tests.webhooks.makers import make_trigger, post
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db


def said(*line: str) -> str:
    out = StringIO()
    call_command("explain", *line, stdout=out)
    return out.getvalue()


def test_a_run_is_explained_in_plain_text() -> None:
    post(make_trigger({"condition": "trigger.payload.a == 1"}), {"a": 1})
    run = Run.objects.get()
    text = said(str(run.pk))
    assert text.startswith(f"Run {run.pk} of ")
    assert "Why it ran" in text
    assert "trigger.payload.a = 1" in text
    assert "Where it stands" in text


def test_an_event_is_explained_by_its_number_and_by_the_sender_s_id() -> None:
    post(make_trigger({"condition": "false"}), {}, idempotency_key="evt-1")
    event = InboundEvent.objects.get()
    assert said("evt-1") == said(str(event.pk))
    assert "It did not run: filtered." in said("evt-1")
    assert "x condition" in said("evt-1")


def test_json_for_programs_is_a_list() -> None:
    post(make_trigger(), idempotency_key="evt-1")
    run = Run.objects.get()
    (told,) = jsonio.loads(said("evt-1", "--json").encode())
    assert (told["about"], told["id"]) == ("run", str(run.pk))
    assert told["parts"][0]["findings"][0]["by"] == "webhook"


def test_why_a_delivery_did_not_run_at_one_trigger() -> None:
    one, two = make_trigger(), make_trigger({"condition": "false"})
    post(one, idempotency_key="evt-1")
    post(two, idempotency_key="evt-1")
    assert "It did not run" not in said("evt-1", "--trigger", one.key)
    text = said("evt-1", "--trigger", str(two.pk))
    assert "It did not run: filtered." in text
    assert "Why it ran" not in text


def test_the_latest_that_a_trigger_turned_away_are_listed() -> None:
    trigger = make_trigger({"condition": "false"}, path="orders/in")
    whose = f"the webhook trigger of {trigger.workflow}"
    assert f"came to {whose} and" in said("--trigger", "orders/in")
    with pytest.raises(CommandError, match=f"among the events of {whose}"):
        said("evt-0", "--trigger", "orders/in")
    post(trigger, {}, idempotency_key="evt-1")
    text = said("--trigger", "/orders/in")
    assert "filtered at condition" in text
    assert "evt-1" in text
    (row,) = jsonio.loads(said("--trigger", trigger.key, "--json").encode())
    assert (row["gate"], row["event_id"], row["run_id"]) == ("condition", "evt-1", None)


def test_an_unknown_id_says_where_else_to_look() -> None:
    with pytest.raises(CommandError) as caught:
        said("evt-unknown")
    message = str(caught.value)
    assert "evt-unknown" in message
    assert "30 days" in message
    assert "counted by the minute" in message


@pytest.mark.parametrize("line", [[], ["--trigger", "nowhere"]])
def test_without_anything_to_look_for_it_fails(line: list[str]) -> None:
    with pytest.raises(CommandError):
        said(*line)

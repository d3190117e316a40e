"""What the steps of a run may use is hidden in all that is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import Team
from runs.engine.prepare import prepare
from runs.redaction import redactor_for
from runs.services import redrive
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand
from tests.runs.engine.test_supplies import (
    OTHER,
    VALUE,
    connection,
    connects,
    finished,
    got,
    secret,
    sends,
)
from tests.runs.flows import again, attempts, call, publish, started, step
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Retry
from workflows.models import Workflow


def both_used(url: str) -> Workflow:
    """A step that uses the secret and the connection, and one that uses nothing."""
    uses = {"connection": "crm", "headers": {"X-TOKEN": "{{ secrets.TOKEN }}"}}
    return publish(call("a", url, config=uses), call("b", url))


def test_each_step_hides_what_any_step_of_the_run_uses(
    hand: Hand, receiver: Server
) -> None:
    secret()
    connection(credentials={"token": OTHER})
    started(both_used(receiver.url))

    hand.claim()
    [first] = hand.tasks
    hand.record()
    [second] = hand.tasks

    for task in (first, second):
        _, redactor, _ = prepare(task)
        assert redactor.text(f"{VALUE} and {OTHER}") == "[redacted] and [redacted]"
    assert prepare(first)[1] is prepare(second)[1], "built once"


def test_what_is_inactive_by_now_is_still_hidden(hand: Hand, receiver: Server) -> None:
    connection(status="inactive")
    started(connects(receiver.url))

    hand.claim()
    [task] = hand.tasks

    assert task.held.supplies.redactor.text(VALUE) == "[redacted]"


def test_a_run_hides_only_what_its_team_may_use(hand: Hand, receiver: Server) -> None:
    """Whoever names another team's secret learns nothing by trying values."""
    secret(team=Team.objects.create(name="Other", slug="other"))
    started(sends(receiver.url, "TOKEN"))

    hand.claim()
    [task] = hand.tasks

    assert task.held.supplies.redactor.text(VALUE) == VALUE


def test_values_are_not_printed_with_the_run(hand: Hand, receiver: Server) -> None:
    secret()
    connection(credentials={"token": OTHER})
    started(both_used(receiver.url))

    hand.claim()

    assert VALUE not in repr(hand.tasks)
    assert OTHER not in repr(hand.tasks)


def quotes(context: Context) -> Outcome:
    msg = f"the value {context.config['value']} is no good"
    raise ValueError(msg)


def fails(context: Context) -> Outcome:
    return Fail(ErrorInfo("bad", f"no {context.config['value']} here"))


def retries(context: Context) -> Outcome:
    return Retry(ErrorInfo("bad", f"no {context.config['value']} here"))


@pytest.mark.parametrize("deed", [quotes, fails, retries])
def test_an_action_that_quotes_a_secret_gives_nothing_away(
    hand: Hand,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    deed: Any,
) -> None:
    secret()
    teach(monkeypatch, deed=deed)
    config = {"value": "{{ secrets.TOKEN }}"}
    once = {"max_attempts": 1}
    run = finished(hand, publish(told("a", "deed", config=config, retry=once)))

    assert run.status in ("failed", "dead_letter")
    assert "[redacted]" in run.error_message
    assert "[redacted]" in step(run, "a").error_message
    assert VALUE not in run.error_message + step(run, "a").error_message + caplog.text
    if deed is quotes:
        assert "ValueError: the value [redacted] is no good" in caplog.text


def test_a_run_output_that_cannot_be_rendered_quotes_no_secret(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret()
    teach(monkeypatch, deed=lambda context: Done({context.config["value"]: 1}))
    config = {"value": "{{ secrets.TOKEN }}"}
    broken = publish(
        told("a", "deed", config=config), output={"x": "{{ steps.a.nothing }}"}
    )

    run = finished(hand, broken)

    assert run.error_class == "template"
    assert VALUE not in run.error_message


def test_a_redrive_on_another_version_hides_what_the_first_one_used(
    hand: Hand, receiver: Server
) -> None:
    """It takes over an echo of a secret that its own version does not name."""
    secret()
    body = answer(
        f'{{"echo": "you sent {VALUE}"}}'.encode(),
        "200 OK",
        "Content-Type: application/json",
    )
    passes_on = {"body": "{{ steps.a.body.echo }}"}
    with Server(always(body)) as echo:
        uses = {"headers": {"X-TOKEN": "{{ secrets.TOKEN }}"}}
        workflow = publish(
            call("a", echo.url, config=uses),
            call(
                "b", "http://127.0.0.1:1/", config=passes_on, retry={"max_attempts": 1}
            ),
        )
        run = finished(hand, workflow)
        assert run.status == "dead_letter"
        publish(
            call("a", echo.url),
            call("b", receiver.url, config=passes_on),
            workflow=workflow,
        )
        new = redrive(run, by=None, start="failed", version="latest")
        hand.claim()
        hand.finish()

    assert again(new).status == "succeeded"
    assert VALUE in got(receiver)
    [attempt] = attempts(new, "b")
    assert attempt.request_body == "you sent [redacted]"
    assert step(new, "b").input["body"] == "you sent [redacted]"
    assert redactor_for(again(new)).text(VALUE) == "[redacted]"

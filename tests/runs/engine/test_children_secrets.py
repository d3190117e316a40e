"""Secrets of child runs, and of those that started them, are hidden in both."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import DeliveryAttempt, Run, StepRun
from runs.redaction import hidden_from_readers
from tests.automate.lib.net.servers import Server
from tests.runs.drains import drained
from tests.runs.flows import (
    again,
    call,
    calling,
    children,
    given,
    loop,
    publish,
    started,
    step,
)
from workflows.models import Secret

pytestmark = pytest.mark.usefixtures("engine")


class TestSecrets:
    """What one run was given, another may echo: each hides the secrets of all."""

    VALUE = "s3cr3t-canary-4711"

    @pytest.fixture(autouse=True)
    def secret(self, engine: object) -> None:
        Secret.objects.create(name="TOKEN", value=self.VALUE, allowed_hosts=[])

    def shown(self) -> str:
        """All that is stored for people to read."""
        rows = [*StepRun.objects.values_list("input", "error_message")]
        rows += [*Run.objects.values_list("error_message", "error_class")]
        return repr(rows)

    def echo(self, receiver: Server) -> dict[str, Any]:
        config = {"headers": {"X-Token": "{{ secrets.TOKEN }}"}}
        return call("echo", receiver.url, config=config)

    def test_of_an_item_its_parent_hides(self, receiver: Server) -> None:
        each = loop("each", [1], self.echo(receiver), given("leak", v=self.VALUE))
        run = started(publish(each, given("after", v="{{ steps.each.results }}")))
        drained()
        assert again(run).status == "succeeded"
        assert step(run, "after").output["v"] == [{"v": self.VALUE}]
        assert self.VALUE not in self.shown()

    def test_of_an_item_what_it_names_a_secret(self, receiver: Server) -> None:
        """Shown to fail when only what the event itself named so is hidden."""
        sends = call(
            "tell", receiver.url, config={"body": {"x": "{{ item.password }}"}}
        )
        run = started(
            publish(loop("each", "{{ trigger.payload }}", sends)),
            [{"password": self.VALUE}],
        )
        drained()
        assert again(run).status == "succeeded"
        assert self.VALUE.encode() in receiver.requests[0]
        sent = DeliveryAttempt.objects.values_list("request_body", flat=True)
        assert self.VALUE not in repr([*sent]) + self.shown()

    def test_of_a_parent_its_items_hide(self, receiver: Server) -> None:
        leak = loop("each", [self.VALUE], given("leak", v="{{ item }}"))
        run = started(publish(self.echo(receiver), leak))
        drained()
        assert again(run).status == "succeeded"
        assert self.VALUE not in self.shown()

    def test_of_a_called_run_its_caller_hides(self, receiver: Server) -> None:
        callee = publish(self.echo(receiver), given("leak", v=self.VALUE))
        publish_after = given("after", v="{{ steps.call.output }}")
        run = started(publish(calling("call", callee.slug), publish_after))
        drained()
        assert step(run, "after").output["v"] == {"v": self.VALUE}
        assert self.VALUE not in repr(step(run, "after").input)
        assert self.VALUE in hidden_from_readers(again(run))

    def test_of_a_caller_the_called_run_hides(self, receiver: Server) -> None:
        callee = publish(given("leak", v="{{ trigger.payload }}"))
        caller = publish(self.echo(receiver), calling("call", callee.slug, self.VALUE))
        run = started(caller)
        drained()
        (child,) = children(run)
        assert step(child, "leak").output == {"v": self.VALUE}
        assert self.VALUE not in repr(step(child, "leak").input)
        assert self.VALUE in hidden_from_readers(child)

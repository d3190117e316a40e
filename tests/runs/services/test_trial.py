"""Trying one step: rendered against real data, and sent only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team
from automate.lib.filestore import storage_setting
from runs.models import DeliveryAttempt, Job, Run, StepRun
from runs.services.errors import TrialRefused
from runs.services.trial import try_step
from tests.automate.lib.net.servers import Server, always, answer
from tests.makers import make_user, make_workflow
from tests.runs.drains import LOOPBACK, Hand, drained
from tests.runs.flows import call, children, given, line, loop, node, publish, started
from workflows.models import Secret, Workflow

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(autouse=True)
def _loopback(settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = LOOPBACK


@pytest.fixture
def receiver() -> Any:
    with Server(always(answer(body=b'{"id": 7}'))) as server:
        yield server


def draft(*nodes: dict[str, Any], **fields: Any) -> Workflow:
    definition = {"nodes": list(nodes), "connections": line(*nodes), "variables": {}}
    return make_workflow(definition=definition, **fields)


def test_against_a_stored_run_it_shows_the_request_and_sends_nothing(
    hand: Hand, receiver: Server
) -> None:
    flow = publish(
        given("a", x="{{ trigger.payload.n }}"),
        call(
            "b",
            receiver.url,
            config={"body": {"n": "{{ trigger.payload.n }}", "x": "{{ steps.a.x }}"}},
        ),
    )
    run = started(flow, {"n": 7})
    hand.claim()
    hand.finish()
    sent, rows = len(receiver.requests), StepRun.objects.count()

    trial = try_step(flow, "b", by=None, run=run)

    assert trial.status == "rendered"
    assert trial.request["method"] == "POST"
    assert trial.request["url"] == receiver.url
    assert trial.request["body"] == '{"n":7,"x":7}'
    assert len(receiver.requests) == sent
    assert StepRun.objects.count() == rows


def test_against_pinned_data(receiver: Server) -> None:
    step = call("b", receiver.url, config={"body": "{{ trigger.payload.n + item }}"})
    flow = draft(loop("each", [1], step))

    data = {"trigger": {"payload": {"n": 1}}, "item": 2}
    assert try_step(flow, "b", by=None, data=data).request["body"] == "3"


def test_pinned_data_goes_before_the_runs(receiver: Server) -> None:
    nodes = [given("a"), call("b", receiver.url, config={"body": "{{ steps.a.x }}"})]
    flow = publish(*nodes)
    run = started(flow)

    trial = try_step(flow, "b", by=None, run=run, data={"steps": {"a": {"x": 5}}})
    assert trial.request["body"] == "5"


def test_it_sends_when_it_is_asked_to_and_stores_nothing(receiver: Server) -> None:
    flow = draft(call("b", receiver.url, config={"body": {"n": 1}}))
    ann = make_user("ann@example.com")

    trial = try_step(flow, "b", by=ann, send=True)

    assert (trial.status, trial.output["body"]) == ("succeeded", {"id": 7})
    assert trial.attempt is not None
    assert trial.attempt.response_status == 200
    assert b"idempotency-key: trial-" in receiver.requests[0].lower()
    assert not DeliveryAttempt.objects.exists()
    assert not Run.objects.exists()
    assert not Job.objects.exists()
    entry = AuditEntry.objects.get(action="step.try")
    assert entry.changes["step"] == "b"


def test_what_has_no_effect_is_executed_without_asking() -> None:
    flow = draft(given("a", total="{{ trigger.payload.price * 2 }}"))

    trial = try_step(flow, "a", by=None, data={"trigger": {"payload": {"price": 21}}})
    assert (trial.status, trial.output) == ("succeeded", {"total": 42})
    assert trial.request is None


def test_a_branch_says_which_way_it_takes() -> None:
    flow = draft(node("c", "branch", {"condition": "{{ trigger.payload.n > 1 }}"}))

    assert try_step(
        flow, "c", by=None, data={"trigger": {"payload": {"n": 2}}}
    ).port == ("true")


def test_a_missing_path_is_told_with_its_place(receiver: Server) -> None:
    flow = draft(
        call("b", receiver.url, config={"body": {"id": "{{ trigger.payload.id }}"}})
    )

    trial = try_step(flow, "b", by=None, data={"trigger": {"payload": {}}})
    assert trial.status == "failed"
    assert trial.error is not None
    assert trial.error.error_class == "template"
    assert "config.body.id" in trial.error.message


def test_a_receiver_that_refuses_is_shown_with_its_answer() -> None:
    with Server(always(answer(b"no", "503 Service Unavailable"))) as server:
        trial = try_step(draft(call("b", server.url)), "b", by=None, send=True)

    assert trial.status == "retry"
    assert trial.attempt is not None
    assert trial.attempt.response_status == 503


def test_secrets_are_used_and_never_shown(receiver: Server) -> None:
    team = Team.objects.create(name="Ours")
    Secret.objects.create(team=team, name="TOKEN", value="hunter2-hunter2")
    step = call(
        "b",
        receiver.url,
        config={"headers": {"X-Key": "{{ secrets.TOKEN }}"}, "body": "x"},
    )
    flow = draft(step, team=team)

    trial = try_step(flow, "b", by=None, send=True)

    assert b"hunter2-hunter2" in receiver.requests[0]
    assert "hunter2" not in repr(trial)


def test_the_secrets_of_another_team_are_not_there(receiver: Server) -> None:
    theirs = Team.objects.create(name="Theirs")
    Secret.objects.create(team=theirs, name="TOKEN", value="hunter2-hunter2")
    step = call("b", receiver.url, config={"headers": {"X-Key": "{{ secrets.TOKEN }}"}})

    trial = try_step(draft(step), "b", by=None)
    assert trial.status == "failed"
    assert trial.error is not None
    assert "does not exist for this workflow's team" in trial.error.message


def test_what_is_wrong_with_other_steps_does_not_matter(receiver: Server) -> None:
    broken = {"id": "z", "type": "no_such_kind", "config": {}}
    flow = draft(broken, call("b", receiver.url, config={"body": "{{ steps.z.x }}"}))

    data = {"steps": {"z": {"x": 1}}}
    assert try_step(flow, "b", by=None, data=data).request["body"] == "1"


@pytest.mark.parametrize(
    "value", ["{{ secrets.TOKEN }}", "{{ secrets.TOKEN | upper }}"]
)
def test_a_secret_where_none_may_stand_is_refused_before_it_is_read(value: str) -> None:
    team = Team.objects.create(name="Ours")
    Secret.objects.create(team=team, name="TOKEN", value="hunter2-hunter2")

    with pytest.raises(TrialRefused) as caught:
        try_step(draft(given("a", x=value), team=team), "a", by=None)
    assert 'Step "a" is not sound: nodes[0].config.values.x: ' in caught.value.message


@pytest.mark.parametrize("by", ["upper", "reverse", "b64encode | reverse"])
def test_a_secret_is_never_shown_transformed(receiver: Server, by: str) -> None:
    team = Team.objects.create(name="Ours")
    Secret.objects.create(team=team, name="TOKEN", value="hunter2-hunter2")
    step = call("b", receiver.url, config={"body": f"{{{{ secrets.TOKEN | {by} }}}}"})

    with pytest.raises(TrialRefused, match="history could not hide"):
        try_step(draft(step, team=team), "b", by=None, send=True)
    assert not receiver.requests


def test_a_step_of_a_loop_is_tried_with_what_its_items_run_had() -> None:
    inner = given("c", x="{{ item }}{{ index }}")
    shown = given("d", x="{{ item }}/{{ index }}/{{ c.x }}/{{ a.x }}")
    flow = publish(
        given("a", x="{{ trigger.payload.n }}"), loop("l", ["p", "q"], inner)
    )
    run = started(flow, {"n": 7})
    drained()
    second = children(run)[1]
    definition = {
        "nodes": [given("a"), loop("l", ["p", "q"], inner, shown)],
        "connections": line(node("a", "set"), node("l", "set")),
    }

    trial = try_step(flow, "d", by=None, run=second, definition=definition)
    assert trial.output == {"x": "q/1/q1/7"}


class TestRefusals:
    def refused(self, flow: Workflow, node_id: str, **options: Any) -> str:
        with pytest.raises(TrialRefused) as caught:
            try_step(flow, node_id, by=None, **options)
        return caught.value.message

    def test_a_step_that_is_not_there(self) -> None:
        message = self.refused(draft(given("a")), "b")
        assert message == 'There is no step "b"; there are: a.'

    def test_a_step_that_is_not_sound(self) -> None:
        flow = draft(node("b", "http_request", {"url": 7}))

        assert "nodes[0].config.url" in self.refused(flow, "b")

    def test_unknown_data(self) -> None:
        message = self.refused(draft(given("a")), "a", data={"colour": 1})
        assert message.startswith("Unknown data colour. Known: index, item, steps")

    def test_a_run_of_another_workflow(self) -> None:
        run = started(publish(given("a")))

        message = self.refused(draft(given("a")), "a", run=run)
        assert message == "This run is of another workflow."


def test_what_would_be_stored_is_shown_and_stored_only_when_asked(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": storage_setting("", tmp_path)}
    flow = draft(node("keep", "store_file", {"name": "a.txt", "content": "x"}))

    def stored() -> int:
        return len([path for path in tmp_path.rglob("*") if path.is_file()])

    trial = try_step(flow, "keep", by=None)
    assert (trial.status, trial.input["name"], stored()) == ("rendered", "a.txt", 0)
    assert try_step(flow, "keep", by=None, send=True).status == "succeeded"
    assert stored() == 1
    assert AuditEntry.objects.filter(action="step.try").count() == 1

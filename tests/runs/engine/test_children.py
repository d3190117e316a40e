"""Child runs: what they see, and what their parents get of them, in order."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import Team
from runs.models import Job, Run
from tests.automate.lib.net.servers import Server
from tests.runs.drains import drained
from tests.runs.flows import (
    again,
    call,
    calling,
    children,
    edge,
    given,
    loop,
    node,
    publish,
    started,
    step,
    steps,
)
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail

pytestmark = pytest.mark.usefixtures("engine")


def result(run: Run) -> Any:
    """The output of a run that has succeeded."""
    stored = again(run)
    assert stored.status == "succeeded", stored.error_message
    return stored.output


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    """`picky` fails for items that say so, and gives back the others."""

    def refuse(context: Context) -> Done | Fail:
        item = context.config["item"]
        if item == "bad":
            return Fail(ErrorInfo("refused", "This item is bad."))
        return Done({"item": item})

    teach(monkeypatch, picky=refuse)


PICKY = told("look", "picky", config={"item": "{{ item }}"})


class TestResults:
    def test_they_are_in_the_order_of_the_items(self) -> None:
        each = loop("each", "{{ trigger.payload }}", given("twice", n="{{ item }}"))
        run = started(publish(each, output="{{ steps.each }}"), [3, 1, 2])
        drained()
        assert result(run) == {
            "results": [{"n": 3}, {"n": 1}, {"n": 2}],
            "count": 3,
            "failed": [],
        }

    def test_an_item_gives_what_the_loops_output_says(self) -> None:
        each = loop(
            "each",
            "{{ trigger.payload }}",
            given("twice", n="{{ item }}"),
            output="{{ index }}: {{ steps.twice.n }}",
        )
        run = started(publish(each, output="{{ steps.each.results }}"), ["a", "b"])
        drained()
        assert result(run) == ["0: a", "1: b"]

    def test_of_several_last_steps_each_gives_its_output_by_name(self) -> None:
        each = loop(
            "each", [1], given("left", n=1), given("right", n=2), connections=[]
        )
        run = started(publish(each, output="{{ steps.each.results }}"))
        drained()
        assert result(run) == [{"left": {"n": 1}, "right": {"n": 2}}]

    def test_a_last_step_that_was_skipped_gives_null(self) -> None:
        way = node("way", "branch", {"condition": "{{ item }} > 1"})
        each = loop(
            "each",
            [1, 2],
            way,
            given("yes", n="{{ item }}"),
            connections=[edge("way", "yes", "true")],
        )
        run = started(publish(each, output="{{ steps.each.results }}"))
        drained()
        assert result(run) == [None, {"n": 2}]

    def test_an_empty_list_is_done_at_once(self) -> None:
        each = loop("each", "{{ trigger.payload }}", given("one", n=1))
        run = started(publish(each, output="{{ steps.each }}"), [])
        drained()
        assert result(run) == {"results": [], "count": 0, "failed": []}
        assert children(run) == []

    def test_of_an_object_each_item_is_key_and_value(self) -> None:
        each = loop("each", "{{ trigger.payload }}", given("one", at="{{ item }}"))
        run = started(publish(each, output="{{ steps.each.results }}"), {"a": 1})
        drained()
        assert result(run) == [{"at": {"key": "a", "value": 1}}]

    @pytest.mark.slow
    def test_a_thousand_items_come_back_in_order(self) -> None:
        each = loop(
            "each",
            "{{ trigger.payload }}",
            given("one", n="{{ item }}"),
            concurrency=100,
        )
        run = started(
            publish(each, output="{{ steps.each.results }}"), list(range(1000))
        )
        drained(within=120, threads=32)
        assert result(run) == [{"n": n} for n in range(1000)]
        assert len(children(run)) == 1000

    def test_two_loops_in_parallel_branches_do_not_mix(self) -> None:
        flow = publish(
            loop("left", [1, 2, 3], given("a", n="{{ item }}")),
            loop("right", ["x"], given("b", n="{{ item }}")),
            given("both", l="{{ steps.left.count }}", r="{{ steps.right.results }}"),
            connections=[edge("left", "both"), edge("right", "both")],
            output="{{ steps.both }}",
        )
        run = started(flow)
        drained()
        assert result(run) == {"l": 3, "r": [{"n": "x"}]}

    def test_loops_stand_in_loops_three_deep(self) -> None:
        inner = loop("c", "{{ item.c }}", given("leaf", n="{{ item }}"))
        flow = publish(
            loop("a", "{{ trigger.payload }}", loop("b", "{{ item.b }}", inner)),
            output="{{ steps.a.results }}",
        )
        run = started(flow, [{"b": [{"c": [1, 2]}, {"c": []}]}, {"b": [{"c": [3]}]}])
        drained(within=60)
        leaves = [
            [[item["n"] for item in part["results"]] for part in outer["results"]]
            for outer in result(run)
        ]
        assert leaves == [[[1, 2], []], [[3]]]
        assert {child.depth for child in children(run)} == {1}
        assert Run.objects.order_by("-depth").values_list("depth", flat=True)[0] == 3


class TestWhatAnItemSees:
    def test_the_event_the_variables_and_the_steps_before_the_loop(self) -> None:
        seen = given(
            "seen",
            event="{{ trigger.payload.who }}",
            region="{{ variables.region }}",
            first="{{ steps.first.n }}",
            item="{{ item }}",
            index="{{ index }}",
        )
        flow = publish(
            given("first", n=41),
            loop("each", ["x"], seen),
            variables={"region": "eu"},
            output="{{ steps.each.results[0] }}",
        )
        run = started(flow, {"who": "ada"})
        drained()
        assert result(run) == {
            "event": "ada",
            "region": "eu",
            "first": 41,
            "item": "x",
            "index": 0,
        }

    def test_a_loop_in_a_loop_sees_the_same_and_the_steps_of_its_outer_item(
        self,
    ) -> None:
        seen = given(
            "seen",
            event="{{ trigger.payload.who }}",
            first="{{ steps.first.n }}",
            outer="{{ steps.keep.n }}",
            item="{{ item }}",
        )
        outer = loop(
            "outer", [1, 2], given("keep", n="{{ item }}"), loop("inner", ["x"], seen)
        )
        flow = publish(given("first", n=41), outer, output="{{ steps.outer.results }}")
        run = started(flow, {"who": "ada"})
        drained(within=60)
        found = [part["results"][0] for part in result(run)]
        assert found == [
            {"event": "ada", "first": 41, "outer": number, "item": "x"}
            for number in (1, 2)
        ]

    def test_the_event_is_not_copied(self) -> None:
        each = loop("each", [1], given("one", n="{{ trigger.payload }}"))
        run = started(publish(each), {"large": "x" * 1000})
        drained()
        (child,) = children(run)
        assert bytes(child.body) == b"1"
        assert child.headers == {}

    def test_a_child_of_another_workflow_sees_only_its_input(self) -> None:
        callee = publish(
            given("one", got="{{ trigger.payload }}", tone="{{ variables.tone }}"),
            variables={"tone": "plain"},
        )
        caller = publish(
            calling(
                "call", callee.slug, {"n": 1}, config={"variables": {"tone": "loud"}}
            ),
            output="{{ steps.call }}",
        )
        run = started(caller, "not this")
        drained()
        (child,) = children(run)
        assert result(run) == {
            "run_id": str(child.pk),
            "status": "succeeded",
            "output": {"got": {"n": 1}, "tone": "loud"},
        }


@pytest.mark.usefixtures("picky")
class TestFailures:
    def test_with_stop_the_first_failed_item_fails_the_step(self) -> None:
        flow = publish(loop("each", ["a", "bad", "c"], PICKY, concurrency=1))
        run = started(flow)
        drained()
        stored, bad = again(run), children(run)[1]
        assert (stored.status, stored.error_class) == ("failed", "item_failed")
        assert f"Item 1 (run {bad.pk}) failed: Step look: This item is bad." in (
            stored.error_message
        )
        assert [child.status for child in children(run)] == [
            "succeeded",
            "failed",
            "cancelled",
        ]

    def test_with_continue_the_others_go_on_and_both_ports_are_taken(self) -> None:
        flow = publish(
            loop("each", ["a", "bad", "c"], PICKY, on_item_error="continue"),
            given("good", n="{{ steps.each.results }}"),
            given("mend", n="{{ steps.each.failed }}"),
            connections=[edge("each", "good"), edge("each", "mend", "item_failed")],
        )
        run = started(flow)
        drained()
        assert steps(run) == dict.fromkeys(("each", "good", "mend"), "succeeded")
        good, mend = step(run, "good").output, step(run, "mend").output
        assert good == {"n": [{"item": "a"}, None, {"item": "c"}]}
        bad = children(run)[1]
        assert mend["n"] == [
            {"index": 1, "run_id": str(bad.pk), "error": bad.error_message}
        ]

    def test_item_failed_is_not_taken_when_none_failed(self) -> None:
        flow = publish(
            loop("each", ["a"], PICKY, on_item_error="continue"),
            given("mend", n=1),
            connections=[edge("each", "mend", "item_failed")],
        )
        run = started(flow)
        drained()
        assert steps(run) == {"each": "succeeded", "mend": "skipped"}

    def test_a_failed_loop_takes_failure_where_on_error_is_branch(self) -> None:
        flow = publish(
            loop("each", ["bad"], PICKY, on_error="branch"),
            given("mend", n="{{ steps.each.failed[0].index }}"),
            connections=[edge("each", "mend", "failure")],
        )
        run = started(flow)
        drained()
        assert step(run, "mend").output == {"n": 0}

    def test_a_called_run_that_fails_fails_its_step(self) -> None:
        callee = publish(told("look", "picky", config={"item": "bad"}))
        run = started(publish(calling("call", callee.slug)))
        drained()
        stored, (child,) = again(run), children(run)
        assert (stored.status, stored.error_class) == ("failed", "child_failed")
        assert f"The run (run {child.pk}) failed: Step look" in stored.error_message
        assert step(run, "call").output["status"] == "failed"

    def test_a_template_that_fails_in_an_item_is_that_items_failure(self) -> None:
        each = loop(
            "each", [{"n": 1}, {}], given("one", n="{{ item.n }}"),
            on_item_error="continue",
        )  # fmt: skip
        run = started(publish(each, output="{{ steps.each }}"))
        drained()
        found = result(run)
        assert found["results"] == [{"n": 1}, None]
        assert "item" in found["failed"][0]["error"]


class TestCalls:
    def test_without_waiting_the_step_is_done_and_the_run_lives_on(self) -> None:
        callee = publish(node("nap", "delay", {"duration": 3600}))
        caller = publish(
            calling("call", callee.slug, config={"wait": False}),
            output="{{ steps.call }}",
        )
        run = started(caller)
        drained(lambda: again(run).is_final)
        (child,) = children(run)
        assert result(run)["run_id"] == str(child.pk)
        assert Job.objects.filter(run=child).exists()

    def test_a_call_that_waits_ends_with_the_run(self) -> None:
        callee = publish(given("one", n=1), output={"n": "{{ steps.one.n }}"})
        run = started(
            publish(calling("call", callee.slug), output="{{ steps.call.output }}")
        )
        drained()
        assert result(run) == {"n": 1}

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"status": "inactive"}, "is inactive; activate it first."),
            (
                {"status": "draft", "published": None},
                "has no published version; publish it first.",
            ),
        ],
    )
    def test_what_cannot_run_is_refused_with_the_reason(
        self, change: dict[str, Any], why: str
    ) -> None:
        callee = publish(given("one", n=1))
        for name, value in change.items():
            setattr(callee, name, value)
        callee.save()
        run = started(publish(calling("call", callee.slug)))
        drained()
        stored = again(run)
        assert stored.error_class == "workflow_refused"
        assert f'The workflow "{callee.slug}" {why}' in stored.error_message

    def test_another_teams_workflow_does_not_exist(self) -> None:
        team = Team.objects.create(name="Others", slug="others")
        callee = publish(given("one", n=1), team=team)
        messages = []
        for slug in (callee.slug, "nowhere"):
            run = started(publish(calling("call", slug)))
            drained()
            messages.append(again(run).error_message.replace(slug, "X"))
        assert messages[0] == messages[1]
        assert "does not exist for this workflow's team" in messages[0]

    def test_the_steps_of_an_item_may_send(self, receiver: Server) -> None:
        run = started(publish(loop("each", [1, 2], call("post", receiver.url))))
        drained()
        assert again(run).status == "succeeded"
        assert len(receiver.requests) == 2

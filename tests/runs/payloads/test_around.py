"""Large payloads where runs start runs, steps are tried, and requests wait."""

from __future__ import annotations

import pytest

from automate.lib.payloads import PayloadStore, opened
from runs.models import Run
from runs.services.answer import answer_of
from runs.services.errors import TrialRefused
from runs.services.trial import try_step
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import drained
from tests.runs.flows import again, call, calling, given, loop, publish, started, step
from tests.runs.payloads.stored import BIG, all_in, is_moved
from tests.runs.stores import KINDS

pytestmark = [
    pytest.mark.usefixtures("engine", "limits"),
    pytest.mark.parametrize("store", KINDS, indirect=True),
]


def test_a_loops_items_see_what_lies_around_them(store: PayloadStore) -> None:
    body = given(
        "one",
        event="{{ trigger.payload.text | length }}",
        before="{{ steps.before.copy | length }}",
    )
    workflow = publish(
        given("before", copy="{{ trigger.payload.text }}"),
        loop("each", [1, 2, 3], body, concurrency=2),
    )
    run = started(workflow, {"text": BIG})

    drained()

    run = again(run)
    assert run.status == "succeeded", run.error_message
    for child in run.children.all():
        assert step(child, "one").output == {"event": len(BIG), "before": len(BIG)}


def test_what_the_items_give_is_collected_however_large(store: PayloadStore) -> None:
    workflow = publish(
        loop("each", ["a", "b"], given("one", text="{{ item }}{{ trigger.payload }}")),
        given("next", first="{{ steps.each.results[0].text | length }}"),
    )
    run = started(workflow, BIG)

    drained()

    assert again(run).status == "succeeded", again(run).error_message
    results = opened(step(run, "each").output)["results"]
    assert [item["text"] for item in results] == [f"a{BIG}", f"b{BIG}"]
    assert step(run, "next").output == {"first": len(BIG) + 1}


def test_what_another_workflow_gives_is_taken_over(store: PayloadStore) -> None:
    inner = publish(
        given("copy", text="{{ trigger.payload.text }}"),
        output="{{ steps.copy.text }}",
        slug="inner",
    )
    outer = publish(
        calling("call", inner.slug, "{{ trigger.payload }}"),
        given("next", n="{{ steps.call.output | length }}"),
    )
    run = started(outer, {"text": BIG})

    drained()

    assert again(run).status == "succeeded", again(run).error_message
    assert step(run, "next").output == {"n": len(BIG)}


def test_a_step_is_tried_against_a_stored_run(store: PayloadStore) -> None:
    with Server(always(answer(b"{}"))) as server:
        config = {"body": "{{ steps.first.copy }}-{{ trigger.payload.n }}"}
        workflow = publish(
            given("first", copy="{{ trigger.payload.text }}"),
            call("call", server.url, config=config),
        )
        run = started(workflow, {"text": BIG, "n": 7})
        drained()
        assert is_moved(step(run, "first"), "output")

        trial = try_step(workflow, "call", by=None, run=again(run))

    assert trial.request["body"] == f"{BIG}-7"
    store.delete(all_in(store))
    with pytest.raises(TrialRefused, match="missing from the payload store"):
        try_step(workflow, "call", by=None, run=again(run))


def test_who_waits_for_a_run_gets_its_large_output(store: PayloadStore) -> None:
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        output="{{ steps.first.copy }}",
    )
    run = started(workflow, {"text": BIG})
    drained()
    assert is_moved(Run.objects.get(pk=run.pk), "output")

    found = answer_of(run.pk)

    assert found is not None
    assert found.output == BIG

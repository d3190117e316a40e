"""clients/python against our server: real processes, a real drain."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from automate_client import (
    ApiError,
    Automate,
    AutomateError,
    BadRequest,
    Conflict,
    Event,
    Forbidden,
    NotFound,
    PreconditionFailed,
    StillRunning,
    Unauthorized,
    Unreachable,
)

from automate import ports
from runs.models import Run
from tests.makers import make_key, make_user
from tests.runs.drains import until
from tests.runs.flows import given, node, publish, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]
ADD = given("sum", total="{{ trigger.payload.a + variables.b }}")
DOCUMENT = {
    "slug": "adder",
    "name": "Adder",
    "definition": {"nodes": [ADD], "output": {"total": "{{ steps.sum.total }}"}},
    "variables": {"b": 1},
}
ASK = node("ask", "approval", {"message": "Ship it?"})


def test_a_workflow_is_made_run_and_read(automate: Automate, at_work: None) -> None:
    automate.create_workflow(DOCUMENT)

    done = automate.execute("adder", {"a": 1}, variables={"b": 40})
    assert (done["status"], done["result"]) == ("succeeded", {"total": 41})
    run = automate.wait(automate.trigger("adder", {"a": 2}), within=120)
    assert (run["status"], run["output"]) == ("succeeded", {"total": 3})
    assert run["payload"] == {"a": 2}
    assert automate.run(done["run_id"])["workflow"] == "adder"


def test_a_run_that_fails_is_a_result(automate: Automate, at_work: None) -> None:
    publish(given("a", b="{{ trigger.payload.missing }}"), slug="broken")

    done = automate.execute("broken", {})
    assert done["status"] == "failed"
    assert done["error"] is not None
    assert done["error"]["class"] == "template"
    again = automate.wait(automate.redrive(done["run_id"], start="failed"))
    assert (again["status"], again["replay_of"]) == ("failed", done["run_id"])


def test_a_key_starts_one_run(automate: Automate) -> None:
    publish(given("a"), slug="once")
    first = automate.trigger("once", {"n": 1}, idempotency_key="order-7")

    assert automate.trigger("once", {"n": 1}, idempotency_key="order-7") == first
    assert automate.trigger("once", {"n": 1}) != automate.trigger("once", {"n": 1})
    with pytest.raises(ApiError) as refused:
        automate.trigger("once", {"n": 2}, idempotency_key="order-7")
    assert (refused.value.status, refused.value.code) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_waiting_has_an_end(automate: Automate) -> None:
    publish(given("a"), slug="idle")
    with pytest.raises(StillRunning):
        automate.wait(automate.trigger("idle"), within=0.3)


def test_lists_are_walked_to_their_end(automate: Automate) -> None:
    workflow = publish(given("a"), slug="many")
    made = [str(started(workflow, {}).pk) for _ in range(5)]
    automate.cancel(made[0], "Not this one.")

    found = [run["id"] for run in automate.runs(workflow="many", limit=2)]
    assert found == made[::-1]
    queued = automate.runs(workflow="many", status=["queued", "running"], limit=3)
    assert {run["id"] for run in queued} == set(made[1:])
    assert [run["id"] for run in automate.runs(status="cancelled")] == made[:1]


def test_an_approval_is_given_and_refused(automate: Automate, at_work: None) -> None:
    workflow = publish(ASK, slug="asking")
    first, second = (str(started(workflow, {}).pk) for _ in range(2))
    for run_id in (first, second):
        until(partial(is_waiting, automate, run_id))

    automate.approve(first, "ask", "Go on.")
    automate.reject(second, "ask")
    asked = automate.wait(first)["results"]["ask"]
    assert (asked["decision"], asked["comment"]) == ("approved", "Go on.")
    assert automate.wait(second)["status"] in ("succeeded", "failed")
    with pytest.raises(Conflict) as refused:
        automate.approve(first, "ask")
    assert refused.value.code == "ALREADY_ANSWERED"


def is_waiting(automate: Automate, run_id: str) -> bool:
    return automate.run(run_id)["status"] == "waiting"


def test_two_editors_do_not_overwrite_each_other(automate: Automate) -> None:
    automate.create_workflow(DOCUMENT)
    mine, theirs = automate.workflow("adder"), automate.workflow("adder")
    changed = {**DOCUMENT, "variables": {"b": 2}}

    saved = automate.put_workflow("adder", changed, etag=mine.etag)
    assert saved.data["variables"] == {"b": 2}
    assert saved.etag not in ("", mine.etag)
    with pytest.raises(PreconditionFailed):
        automate.put_workflow("adder", DOCUMENT, etag=theirs.etag)
    with pytest.raises(PreconditionFailed):
        automate.patch_workflow("adder", {"name": "A"}, etag=theirs.etag)
    automate.patch_workflow("adder", {"name": "A"}, etag=saved.etag)
    assert automate.workflow(saved.data["id"]).data["version"] == 2


def test_events_come_as_they_happen_and_go_on(
    automate: Automate, at_work: None
) -> None:
    run_id = str(started(publish(given("a"), ASK, slug="watched"), {}).pk)
    told = automate.events(run_id)
    before = list(up_to_the_question(told))
    told.close()  # type: ignore[attr-defined]
    automate.approve(run_id, "ask")
    rest = list(automate.events(run_id, last_id=before[-1].id))

    assert before[0].kind == "run"
    assert (rest[-1].kind, rest[-1].data["status"]) == ("end", "succeeded")
    steps = [event.data for event in rest if event.kind == "step"]
    assert ("ask", "succeeded") in {(step["id"], step["status"]) for step in steps}
    assert list(automate.events(run_id, last_id=rest[-1].id)) == []


def up_to_the_question(events: Iterator[Event]) -> Iterator[Event]:
    """Until the run waits and there is an id to go on from; not every event has one."""
    waits = False
    for event in events:
        yield event
        waits |= event.kind == "run" and event.data["status"] == "waiting"
        if waits and event.id:
            return


def test_refusals_are_typed(automate: Automate, url: str) -> None:
    with pytest.raises(NotFound) as missing:
        automate.execute("no such/../thing", {})
    assert missing.value.code == "NOT_FOUND"
    with pytest.raises(BadRequest) as bad:
        next(automate.runs(colour="red", limit=1000))
    assert set(bad.value.errors) == {"colour", "limit"}
    with pytest.raises(BadRequest) as broken:
        automate.create_workflow({"name": "B", "nodes": [{"id": "a", "type": "x"}]})
    assert "nodes[0].type" in broken.value.errors
    reader = Automate(url, make_key(make_user(), "runs:read"))
    with pytest.raises(Forbidden):
        reader.trigger("adder")
    with pytest.raises(Unauthorized):
        list(Automate(url, "amk_unknown").runs())
    with pytest.raises(Unreachable):
        Automate(f"http://127.0.0.1:{ports.free_port()}", "k", tries=1).run("1")
    assert issubclass(ApiError, AutomateError)
    assert not Run.objects.exists()


def test_address_and_key_come_from_the_environment(
    automate: Automate, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError, match="AUTOMATE_URL"):
        Automate()
    monkeypatch.setenv("AUTOMATE_URL", f"{url}/")
    monkeypatch.setenv("AUTOMATE_KEY", make_key(make_user(), "admin"))
    found: Any = list(Automate().runs())
    assert found == []

"""Following a run, and what is told of it."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from automate.demo import follow
from runs.models import Run
from tests.makers import make_attempt, make_run, make_step, make_workflow
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"


def finished(status: str = "succeeded", **fields: object) -> Run:
    workflow = make_workflow()
    nodes = [{"id": "notify", "name": "Post the message"}, {"id": "bare"}]
    version = WorkflowVersion.objects.create(
        workflow=workflow, number=2, definition={"nodes": nodes}, sha256="1" * 64
    )
    return make_run(workflow, status=status, version=version, **fields)


def test_a_run_that_has_ended_is_returned_at_once() -> None:
    run = finished()
    words: list[str] = []

    assert follow.until_final(run.pk, 10, words.append).status == "succeeded"
    assert words == []


def test_after_the_time_the_run_comes_as_it_is() -> None:
    run = make_run()

    assert follow.until_final(run.pk, 0, lambda _: None).status == "queued"


def test_waiting_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "TELL", 0.05)
    monkeypatch.setattr(follow, "LOOK", 0.01)
    words: list[str] = []

    follow.until_final(make_run().pk, 0.3, words.append)

    assert 1 <= len(words) <= 7
    assert words[0].startswith("  queued for ")


def test_a_run_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(Run.DoesNotExist):
        follow.until_final(uuid4(), 1, lambda _: None)


def test_the_story_has_steps_times_attempts_and_addresses() -> None:
    run = finished()
    began = timezone.now()
    step = make_step(run, started_at=began, finished_at=began + timedelta(seconds=0.25))
    make_step(run, "bare", kind="set")
    make_attempt(step, 1, response_status=503, response_body="later")
    make_attempt(step, 2, duration_ms=7)

    told = follow.story(run, SITE)

    assert told["run_id"] == str(run.pk)
    assert told["admin_url"] == f"{SITE}/admin/runs/run/{run.pk}/change/"
    assert told["api_url"] == f"{SITE}/api/v1/runs/{run.pk}"
    first, second = told["steps"]
    assert (first["name"], first["duration_ms"]) == ("Post the message", 250)
    assert [one["status"] for one in first["attempts"]] == [503, 200]
    assert (second["name"], second["duration_ms"]) == ("bare", None)
    assert second["attempts"] == []
    assert json.loads(follow.as_json(told)) == told


def test_the_lines_say_what_a_person_wants_to_see() -> None:
    run = finished()
    now = timezone.now()
    run.created_at, run.finished_at = now, now + timedelta(seconds=12.34)
    step = make_step(run, started_at=now, finished_at=now + timedelta(seconds=0.018))
    make_attempt(step, duration_ms=7, response_body="x" * 1000)

    lines = list(follow.lines(follow.story(run, SITE)))

    assert lines[0] == f"Run {run.pk}: succeeded, 12.3 s"
    assert lines[1] == "  Post the message  succeeded  18 ms"
    assert lines[2] == "    POST https://crm.example.com/hook -> 200, 7 ms"
    assert lines[3] == "    answer: " + "x" * follow.BODY
    assert lines[-2].endswith(f"/admin/runs/run/{run.pk}/change/")


def test_a_failure_is_told_with_its_reason_at_each_place() -> None:
    run = finished("failed", error_message="Step notify failed.")
    step = make_step(run, status="failed", error_message="127.0.0.1 is not permitted")
    make_attempt(
        step,
        outcome="not_sent",
        response_status=None,
        response_body="",
        error_message="set AUTOMATE_ALLOWED_NETWORKS",
    )

    text = "\n".join(follow.lines(follow.story(run, SITE)))

    assert "failed, " in text
    assert "  Step notify failed." in text
    assert "    127.0.0.1 is not permitted" in text
    assert "-> set AUTOMATE_ALLOWED_NETWORKS, 12 ms" in text
    assert "answer:" not in text


def test_an_unfinished_run_has_no_time() -> None:
    line = next(follow.lines(follow.story(make_run(), SITE)))

    assert line.endswith(": queued, not finished")

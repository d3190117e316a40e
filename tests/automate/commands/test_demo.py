"""manage.py demo against a real web server; the run itself is the acceptance test's."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from automate import ports
from automate.accounts.models import User
from automate.demo import follow
from runs.models import Run
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def demo(url: str, *arguments: Any) -> tuple[str, str]:
    """What it prints on both streams."""
    out, err = StringIO(), StringIO()
    call_command("demo", "--base-url", url, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_posts_a_signed_push_that_is_taken(live_server: LiveServer) -> None:
    out, _ = demo(live_server.url, "--no-wait", "--deliver-to", "http://x.example/y")

    run = Run.objects.get()
    assert str(run.pk) in out
    assert run.workflow.slug == "github-push-notify"
    assert b'"full_name": "example/orchard"' in run.body
    assert f"{live_server.url}/v1/webhooks/" in out
    assert "shown only this once" in out


def test_the_second_time_shows_no_password(live_server: LiveServer) -> None:
    demo(live_server.url, "--no-wait")
    out, _ = demo(live_server.url, "--no-wait")

    assert "shown only this once" not in out
    assert "changepassword operator@example.com" in out
    assert Run.objects.count() == 2
    assert User.objects.count() == Workflow.objects.count() == 1


def test_programs_get_one_document_and_progress_beside_it(
    live_server: LiveServer,
) -> None:
    out, err = demo(live_server.url, "--no-wait", "--json")

    assert json.loads(out) == {"run_id": str(Run.objects.get().pk), "status": "queued"}
    assert "Answered 202" in err


def test_without_a_worker_it_says_where_to_look(live_server: LiveServer) -> None:
    with pytest.raises(CommandError, match=r"has not finished.*\n?.*doctor"):
        demo(live_server.url, "--timeout", "1")


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_the_exit_status_tells_how_the_run_ended(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    def at_once(run_id: Any, *_: Any) -> Run:
        now = timezone.now()
        Run.objects.filter(pk=run_id).update(
            status=status, started_at=now, finished_at=now
        )
        return Run.objects.get(pk=run_id)

    monkeypatch.setattr(follow, "until_final", at_once)
    if status == "succeeded":
        out, _ = demo(live_server.url)
        assert f"Run {Run.objects.get().pk}: succeeded" in out
    else:
        with pytest.raises(CommandError, match="ended as failed"):
            demo(live_server.url)


def test_a_site_that_does_not_answer_is_told_with_what_to_do() -> None:
    url = f"http://127.0.0.1:{ports.free_port()}"

    with pytest.raises(CommandError, match=r"not ready: .*\n?.*manage.py up"):
        demo(url, "--timeout", "0.3")


def test_a_refusal_is_told(live_server: LiveServer) -> None:
    demo(live_server.url, "--no-wait")
    Workflow.objects.update(status="inactive")

    with pytest.raises(CommandError, match=r"is inactive\. Activate it"):
        demo(live_server.url, "--no-wait")

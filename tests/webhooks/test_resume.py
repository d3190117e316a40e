"""The addresses of steps that wait: for programs, and for people on their phones."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from runs.models import Job, Run, StepRun, WaitToken
from tests.makers import make_job, make_run, make_step, make_user, make_workflow
from tests.runs.waiting import ask, done, hook, path_of
from tests.webhooks.makers import code_of, told
from webhooks import record
from webhooks.models import InboundEvent
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


def waiting(node: dict[str, Any], *, begun: bool = True, **details: Any) -> Run:
    """A run whose only step waits for an answer, or has not come to it."""
    workflow = make_workflow(name="Shipping")
    definition = {"nodes": [node, done("other")], "connections": []}
    WorkflowVersion.objects.filter(workflow=workflow).update(definition=definition)
    run = make_run(workflow, status="running")
    make_job(run, due_in=3600)
    if begun:
        until = timezone.now() + timedelta(hours=1)
        kind = node["type"]
        make_step(
            run, node["id"], kind=kind, status="waiting", waiting_for="signal",
            due_at=until,
        )  # fmt: skip
        WaitToken.objects.create(
            run=run,
            node_id=node["id"],
            kind="approval" if kind == "approval" else "webhook",
            details={"message": "Ship it?", **details},
            expires_at=until,
        )
    return run


def call(
    path: str, body: Any = b"", kind: str = JSON, method: str = "POST", **headers: str
) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().generic(method, path, data, content_type=kind, headers=headers)


def step(run: Run) -> StepRun:
    return StepRun.objects.get(run=run)


class TestWebhook:
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_what_is_sent_becomes_the_output(self, method: str) -> None:
        run = waiting(hook())
        path = path_of(run, "hook") + "?tag=a&tag=b"
        answer = call(path, {"n": 1}, method=method, x_event="paid", cookie="s=1")

        assert answer.status_code == 200
        assert told(answer) == {
            "run_id": str(run.pk), "node": "hook", "status": "received",
        }  # fmt: skip
        row = step(run)
        assert (row.status, row.port, row.due_at) == ("succeeded", "received", None)
        assert row.output["payload"] == {"n": 1}
        assert row.output["query"] == {"tag": ["a", "b"]}
        assert row.output["headers"]["x-event"] == "paid"
        assert "cookie" not in row.output["headers"]
        job = Job.objects.get(run=run)
        assert job.signal_count == 1
        assert job.due_at <= timezone.now()

    def test_the_body_is_kept_to_the_byte(self) -> None:
        run = waiting(hook())
        call(path_of(run, "hook"), b"caf\xe9\x00", "text/plain; charset=latin-1")
        token = WaitToken.objects.get(run=run)
        assert bytes(token.body) == b"caf\xe9\x00"
        assert token.content_type == "text/plain; charset=latin-1"
        assert token.source_ip == "127.0.0.1"

    def test_an_answer_before_the_wait_is_kept(self) -> None:
        run = waiting(hook(), begun=False)
        answer = call(path_of(run, "hook"), {"n": 1})
        assert answer.status_code == 202
        assert told(answer)["status"] == "received"
        assert WaitToken.objects.get(run=run).decision == "received"
        assert Job.objects.get(run=run).signal_count == 0

    @pytest.mark.django_db(transaction=True)
    def test_the_second_answer_is_told_when_the_first_came(self) -> None:
        run = waiting(hook())
        call(path_of(run, "hook"), {"n": 1})
        answer = call(path_of(run, "hook"), {"n": 2})
        assert (answer.status_code, code_of(answer)) == (409, "ALREADY_ANSWERED")
        assert re.search(r"answered at \d{4}-.* UTC", told(answer)["error"]["message"])
        assert step(run).output["payload"] == {"n": 1}

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
    def test_only_post_and_put_bring_data(self, method: str) -> None:
        answer = call(path_of(waiting(hook()), "hook"), method=method)
        assert answer.status_code == 405
        assert answer["Allow"] == "POST, PUT"

    def test_json_that_is_none_is_refused_and_the_step_waits_on(self) -> None:
        run = waiting(hook())
        answer = call(path_of(run, "hook"), b"{not json")
        assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
        assert step(run).status == "waiting"

    def test_a_body_above_the_cap_is_refused(self, settings: Settings) -> None:
        settings.MAX_BODY = 10
        run = waiting(hook())
        answer = call(path_of(run, "hook"), b"x" * 11, "text/plain")
        assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")
        assert call(path_of(run, "hook"), b"x" * 10, "text/plain").status_code == 200

    def test_a_compressed_body_is_refused(self) -> None:
        answer = call(path_of(waiting(hook()), "hook"), b"x", content_encoding="gzip")
        assert answer.status_code == 415


class TestSignature:
    def others(self, run: Run) -> list[str]:
        path = path_of(run, "ask")
        head, node, signature = path.rsplit("/", 2)
        return [
            path[:-1] + ("a" if path[-1] != "a" else "b"),
            f"{head}/other/{signature}",
            f"{path.replace(str(run.pk), str(make_run().pk))}",
            f"{head}/{node}/",
            f"{head}/{node}",
            "/v1/resume/",
            "/v1/resume/nonsense",
            "/v1/resume/a/b/c",
            f"{path}/more",
            f"{head}/%00/{signature}",
            f"{head}/{node}/{signature.upper()}",
        ]

    @pytest.mark.parametrize("accept", [JSON, BROWSER])
    def test_there_is_one_refusal_for_all_other_addresses(self, accept: str) -> None:
        run = waiting(ask())
        bodies = set()
        for path in self.others(run):
            for method in ("GET", "POST"):
                answer = call(path, {}, method=method, accept=accept)
                assert answer.status_code == 401, path
                bodies.add(answer.content)
        assert len(bodies) == 1
        assert step(run).status == "waiting"

    def test_a_mistyped_link_opens_a_page_about_links(self) -> None:
        run = waiting(ask())
        answer = call(path_of(run, "ask")[:-1], method="GET", accept=BROWSER)
        text = answer.content.decode()
        assert (answer.status_code, answer["Content-Type"]) == (401, HTML)
        assert "<h1>This link is not valid</h1>" in text
        assert "It may be incomplete or mistyped" in text
        for word in ("webhook", "signature", "<form", "Shipping", "Ship it?"):
            assert word not in text
        told_programs = call(path_of(run, "ask")[:-1], {}, accept=JSON)
        assert "webhook" not in told(told_programs)["error"]["message"]

    def test_strangers_are_counted_by_the_minute(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(record, "tally", record.Tally())
        for _ in range(3):
            call("/v1/resume/a/b/c", {})
        found = InboundEvent.objects.filter(reason="bad_signature", trigger=None)
        assert sum(row.count for row in found) == 3

    def test_a_stranger_costs_no_look_at_runs(
        self, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(record.tally, "add", lambda *_: None)
        with django_assert_num_queries(0):
            answer = call("/v1/resume/a/b/c", {})
        assert answer.status_code == 401

    def test_an_address_outlives_the_rotation_of_its_key(
        self, settings: Settings
    ) -> None:
        run = waiting(ask())
        path = path_of(run, "ask")
        settings.FIELD_ENCRYPTION_KEYS = ["fresh", *settings.FIELD_ENCRYPTION_KEYS]
        assert path_of(run, "ask") != path
        assert call(path, {"decision": "approved"}).status_code == 200

    def test_without_its_key_an_address_is_worth_nothing(
        self, settings: Settings
    ) -> None:
        path = path_of(waiting(ask()), "ask")
        settings.FIELD_ENCRYPTION_KEYS = ["another"]
        assert call(path, {"decision": "approved"}).status_code == 401


class TestApproval:
    @pytest.mark.parametrize("decision", ["approved", "rejected"])
    @pytest.mark.parametrize("kind", [JSON, FORM])
    def test_a_program_decides(self, decision: str, kind: str) -> None:
        run = waiting(ask())
        body: Any = {"decision": decision, "comment": "So be it"}
        if kind == FORM:
            body = f"decision={decision}&comment=So+be+it".encode()
        answer = call(path_of(run, "ask"), body, kind)
        assert answer.status_code == 200
        assert told(answer)["status"] == decision
        output = step(run).output
        assert (output["decision"], output["comment"]) == (decision, "So be it")
        assert output["by"] is None

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "decision"),
            ([], "decision"),
            ({"decision": "yes"}, "decision"),
            ({"decision": ["approved"]}, "decision"),
            ({"decision": "approved", "comment": 5}, "comment"),
            ({"decision": "approved", "by": "boss"}, "by"),
        ],
    )
    def test_what_is_no_decision_says_so(self, body: Any, field: str) -> None:
        run = waiting(ask())
        answer = call(path_of(run, "ask"), body)
        assert (answer.status_code, code_of(answer)) == (400, "VALIDATION_ERROR")
        assert told(answer)["error"]["details"]["field"] == field
        assert step(run).status == "waiting"

    def test_a_decision_is_told_to_who_comes_later_and_not_whose(self) -> None:
        run = waiting(ask())
        call(path_of(run, "ask"), {"decision": "rejected", "comment": "canary"})
        for method in ("GET", "POST"):
            answer = call(path_of(run, "ask"), {}, method=method, accept=JSON)
            if method == "POST":
                answer = call(path_of(run, "ask"), {"decision": "approved"})
            assert (answer.status_code, code_of(answer)) == (409, "ALREADY_ANSWERED")
            assert "rejected at" in told(answer)["error"]["message"]
            assert "canary" not in answer.content.decode()

    @pytest.mark.parametrize("end", ["step", "run", "purged"])
    def test_a_wait_that_is_over_is_gone(self, end: str) -> None:
        run = waiting(ask())
        path = path_of(run, "ask")
        if end == "step":
            StepRun.objects.update(status="succeeded", waiting_for="", due_at=None)
        elif end == "run":
            Job.objects.all().delete()
        else:
            run.delete()
        for method in ("GET", "POST"):
            answer = call(path, {"decision": "approved"}, method=method)
            assert (answer.status_code, code_of(answer)) == (410, "WAIT_OVER")

    def test_a_decision_is_small(self) -> None:
        body = {"decision": "approved", "comment": "x" * 70_000}
        assert call(path_of(waiting(ask()), "ask"), body).status_code == 413

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
    def test_other_methods_are_refused(self, method: str) -> None:
        answer = call(path_of(waiting(ask()), "ask"), {}, method=method)
        assert answer.status_code == 405
        assert answer["Allow"] == "GET, HEAD, POST"


class TestPage:
    def get(self, run: Run, method: str = "GET") -> Any:
        return call(path_of(run, "ask"), method=method, accept=BROWSER)

    def test_it_shows_what_is_to_be_decided(self) -> None:
        details = {"order": 7, "note": "<b>bold</b>"}
        answer = self.get(waiting(ask(), message="Ship <it>?", details=details))
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "Ship &lt;it&gt;?" in page
        assert escape('"order": 7') in page
        assert "<b>" not in page
        assert "Shipping" in page
        assert "Open until" in page

    def test_looking_decides_nothing(self) -> None:
        run = waiting(ask())
        for method in ("GET", "HEAD"):
            assert self.get(run, method).status_code == 200
        assert step(run).status == "waiting"
        assert WaitToken.objects.get(run=run).decision == ""

    def test_its_two_buttons_decide(self) -> None:
        run = waiting(ask())
        page = self.get(run).content.decode()
        names = re.findall(r'<button class="\w+" name="(\w+)" value="(\w+)"', page)
        assert names == [("decision", "approved"), ("decision", "rejected")]
        assert "<script" not in page
        body = b"comment=Looks+good&decision=approved"
        answer = call(path_of(run, "ask"), body, FORM, accept=BROWSER, origin="null")
        assert answer.status_code == 200
        assert "Approved. Thank you." in answer.content.decode()
        assert step(run).output["comment"] == "Looks good"

    def test_it_says_what_was_decided_when_and_how_and_names_nobody(self) -> None:
        run = waiting(ask())
        body = b"comment=Looks+good&decision=rejected"
        thanks = call(path_of(run, "ask"), body, FORM, accept=BROWSER).content.decode()
        moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        assert re.search(rf"<p>Rejected through this link at {moment}\.</p>", thanks)
        assert "Looks good" in thanks
        later = self.get(run).content.decode()
        assert "<h1>Already decided</h1>" in later
        assert re.search(rf"rejected at {moment} through its address\.", later)
        person = make_user("canary@example.com")
        WaitToken.objects.update(answered_by=person)
        later = self.get(run).content.decode()
        assert "in Automate by one of its users." in later
        assert "canary" not in later

    def test_its_policy_permits_its_own_style_and_nothing_else(self) -> None:
        answer = self.get(waiting(ask()))
        style = re.search(r"<style>(.*?)</style>", answer.content.decode(), re.S)
        assert style is not None
        digest = hashlib.sha256(style[1].encode()).digest()
        policy = answer["Content-Security-Policy"]
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert policy.startswith("default-src 'none';")
        assert "frame-ancestors 'none'" in policy
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer["Cache-Control"]

    def test_before_the_step_waits_a_decision_is_kept(self) -> None:
        run = waiting(ask(), begun=False)
        assert "has not come to this question yet" in self.get(run).content.decode()
        answer = call(path_of(run, "ask"), b"decision=approved", FORM, accept=BROWSER)
        assert answer.status_code == 202
        assert "once the step is reached" in answer.content.decode()

    @pytest.mark.parametrize(
        ("change", "status", "words"),
        [
            ("answered", 409, "Already decided"),
            ("over", 410, "Too late"),
        ],
    )
    def test_a_person_reads_why_it_is_too_late(
        self, change: str, status: int, words: str
    ) -> None:
        run = waiting(ask())
        if change == "answered":
            call(path_of(run, "ask"), {"decision": "approved"})
        else:
            Job.objects.all().delete()
        answer = self.get(run)
        assert answer.status_code == status
        assert words in answer.content.decode()
        assert "<form" not in answer.content.decode()

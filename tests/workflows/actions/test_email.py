"""The e-mail step against a mail server on a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from automate.lib.redaction import Redactor
from runs.models import RunLog
from tests.runs.drains import Hand, drained
from tests.runs.flows import again, attempts, node, publish, started, step
from tests.smtp import GONE, SILENT, MailServer
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import AttemptRecord, Done, Fail, Outcome, Retry
from workflows.definition import validate

CONFIG = {"to": "ada@example.com", "subject": "Hello", "body": "It works."}


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running, override_settings(**running.settings):
        yield running


@pytest.fixture
def send(make_context: MakeContext) -> Any:
    def execute(context: Any = None, /, **config: Any) -> Outcome:
        merged = {**CONFIG, **config}
        kept = {key: value for key, value in merged.items() if value is not ...}
        return get("email").execute(make_context(kept, **(context or {})))

    return execute


def attempt_of(outcome: Outcome) -> AttemptRecord:
    assert isinstance(outcome, Done | Retry | Fail)
    assert outcome.attempt is not None
    return outcome.attempt


class TestTheMessage:
    def test_it_arrives_as_it_was_written(self, server: MailServer, send: Any) -> None:
        outcome = send(
            to=["Ada Lovelace <ada@example.com>", "bob@example.com"],
            cc="Zoë <zoe@example.com>, dan@example.com",
            bcc="eve@example.com",
            subject="Größe 42 €",
            body="Grüße\n.\nEnde",
            html="<p>Grüße</p>",
            reply_to="help@example.com",
            **{"from": "Shop <shop@example.com>"},
        )
        assert isinstance(outcome, Done)
        (taken,) = server.taken
        assert taken.sender == "shop@example.com"
        assert taken.recipients == [
            f"{name}@example.com" for name in ("ada", "bob", "zoe", "dan", "eve")
        ]
        message = taken.message
        assert message["From"] == "Shop <shop@example.com>"
        assert message["To"] == "Ada Lovelace <ada@example.com>, bob@example.com"
        assert message["Cc"] == "Zoë <zoe@example.com>, dan@example.com"
        assert message["Bcc"] is None
        assert message["Reply-To"] == "help@example.com"
        assert message["Subject"] == "Größe 42 €"
        assert message["Auto-Submitted"] == "auto-generated"
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None
        assert html is not None
        assert plain.get_content().split() == ["Grüße", ".", "Ende"]
        assert html.get_content().strip() == "<p>Grüße</p>"

    def test_without_a_sender_it_is_that_of_the_settings(
        self, server: MailServer, send: Any
    ) -> None:
        send()
        assert server.taken[0].sender == "automate@example.com"

    def test_its_id_is_the_idempotency_key_for_every_attempt(
        self, server: MailServer, send: Any
    ) -> None:
        first = send({"attempt": 1})
        second = send({"attempt": 2})
        ids = {taken.message["Message-ID"] for taken in server.taken}
        assert ids == {"<key-1@127.0.0.1>"}
        assert first.output == second.output
        assert first.output == {"message_id": "<key-1@127.0.0.1>", "refused": {}}

    def test_data_as_a_body_are_written_as_json(
        self, server: MailServer, send: Any
    ) -> None:
        send(body={"total": 42})
        assert server.taken[0].message.get_content().strip() == '{"total":42}'

    def test_a_long_line_is_not_a_problem(self, server: MailServer, send: Any) -> None:
        send(body="x" * 5_000)
        assert server.taken[0].message.get_content().strip() == "x" * 5_000

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"to": []}, "to must name at least one address"),
            ({"to": ""}, "to must name at least one address"),
            ({"to": None}, "to must name at least one address"),
            ({"to": 5}, "to must be a text or a list"),
            ({"to": [5]}, "to[0] must be an address"),
            ({"to": "ada"}, "to holds something that is no e-mail address"),
            ({"to": "ada@"}, "no e-mail address"),
            ({"to": "a b@example.com"}, "no e-mail address"),
            ({"to": "ada@example.com\nBcc: eve@example.com"}, "to must not hold line"),
            ({"to": ["ada@example.com, eve@example.com"]}, "to[0] must be one address"),
            ({"to": ["Ada\r\nX: y <ada@example.com>"]}, "to[0] must not hold line"),
            ({"cc": "@example.com"}, "cc holds something"),
            ({"to": [f"a{n}@example.com" for n in range(101)]}, "at most 100"),
            ({"from": "a@example.com, b@example.com"}, "from must be one address"),
            ({"reply_to": "x\x00@example.com"}, "reply_to must not hold"),
            ({"subject": "Hi\nBcc: eve@example.com"}, "subject must not hold line"),
            ({"subject": "Hi\rX"}, "subject must not hold line"),
            ({"subject": " "}, "subject must not be empty"),
            ({"subject": ["x"]}, "subject must be text"),
            ({"subject": "x" * 901}, "more than 900 characters"),
            ({"body": None}, "body must not be empty"),
            ({"html": {"a": 1}}, "html must be text"),
        ],
    )
    def test_what_cannot_be_a_message_fails_before_anybody_is_asked(
        self, config: Any, words: str, server: MailServer, send: Any
    ) -> None:
        outcome = send(**config)
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "BadConfig"
        assert words in outcome.error.message
        assert outcome.attempt is None
        assert server.commands == []


class TestTheAttempt:
    def test_it_tells_what_was_sent_and_what_the_server_said(
        self, server: MailServer, send: Any
    ) -> None:
        attempt = attempt_of(send(bcc="eve@example.com", html="<b>!</b>"))
        assert attempt.method == "SMTP"
        assert attempt.url == f"smtp://127.0.0.1:{server.port}"
        assert attempt.request_headers["To"] == "ada@example.com"
        assert attempt.request_headers["Bcc"] == "eve@example.com"
        assert attempt.request_headers["Subject"] == "Hello"
        assert attempt.request_headers["Message-ID"] == "<key-1@127.0.0.1>"
        assert attempt.request_body == "It works.\n\n<b>!</b>"
        assert (attempt.outcome, attempt.response_status) == ("delivered", 250)
        assert attempt.response_body == "250 queued as 7"

    def test_it_is_redacted(self, server: MailServer, send: Any) -> None:
        attempt = attempt_of(
            send({"redactor": Redactor(["hunter22"])}, body="password: hunter22")
        )
        assert attempt.request_body == "password: [redacted]"
        assert "hunter22" in server.taken[0].message.get_content()

    def test_of_a_worker_that_vanished_the_mail_server_is_known(
        self, server: MailServer
    ) -> None:
        address = f"smtp://127.0.0.1:{server.port}"
        assert get("email").target(CONFIG) == ("SMTP", address)


class TestTheFate:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("connect", "the conversation was refused"),
            ("mail", "the sender was refused"),
            ("rcpt ada@example.com", "no recipient was accepted"),
            ("data", "the message was refused"),
            ("message", "the message was refused"),
        ],
    )
    @pytest.mark.parametrize("code", [451, 550])
    def test_an_answer_is_definite_4xx_may_pass_and_5xx_will_not(
        self, code: int, command: str, words: str, server: MailServer, send: Any
    ) -> None:
        server.answers[command] = f"{code} 5.1.1 no"
        outcome = send()
        assert isinstance(outcome, Retry if code == 451 else Fail)
        assert outcome.error.error_class == f"Smtp{code}"
        assert f"answered {code} 5.1.1 no: {words}" in outcome.error.message
        attempt = attempt_of(outcome)
        assert (attempt.outcome, attempt.response_status) == ("rejected", code)
        assert server.taken == []

    def test_when_one_recipient_may_pass_later_it_is_tried_again(
        self, server: MailServer, send: Any
    ) -> None:
        server.answers |= {
            "rcpt ada@example.com": "550 unknown",
            "rcpt bob@example.com": "450 greylisted",
        }
        outcome = send(to="ada@example.com, bob@example.com")
        assert isinstance(outcome, Retry)
        assert outcome.error.error_class == "Smtp450"

    def test_whom_the_server_refuses_is_told_when_others_got_it(
        self, server: MailServer, send: Any
    ) -> None:
        server.answers["rcpt bob@example.com"] = "550 no such user"
        outcome = send(to="ada@example.com, bob@example.com")
        assert isinstance(outcome, Done)
        assert outcome.output["refused"] == {"bob@example.com": "550 no such user"}
        assert server.taken[0].recipients == ["ada@example.com"]
        (line,) = outcome.logs
        assert line.level == "warning"
        assert "refused bob@example.com: 550 no such user" in line.message

    @pytest.mark.parametrize("silence", [SILENT, GONE])
    @pytest.mark.parametrize(
        ("command", "known"),
        [
            ("connect", "not_sent"),
            ("mail", "not_sent"),
            ("data", "not_sent"),
            ("message", "unknown"),
        ],
    )
    def test_without_an_answer_it_is_unknown_once_the_message_had_begun_to_leave(
        self, command: str, known: str, silence: str, server: MailServer, send: Any
    ) -> None:
        server.answers[command] = silence
        outcome = send({"timeout": 0.5 if silence == SILENT else 5.0})
        assert isinstance(outcome, Retry)
        kind = "timeout" if silence == SILENT else "reset"
        attempt = attempt_of(outcome)
        assert (attempt.outcome, attempt.error_kind) == (known, kind)
        assert attempt.response_status is None

    @pytest.mark.parametrize("goodbye", [SILENT, GONE, "500 what?"])
    def test_what_was_taken_over_is_delivered_whatever_comes_after(
        self, goodbye: str, server: MailServer, send: Any
    ) -> None:
        server.answers["quit"] = goodbye
        assert isinstance(send({"timeout": 1.0}), Done)
        assert len(server.taken) == 1

    def test_where_nobody_listens_nothing_was_sent(self, send: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with (
            MailServer() as server,
            override_settings(**{**server.settings, "EMAIL_PORT": port}),
        ):
            outcome = send()
        assert isinstance(outcome, Retry)
        assert outcome.error.error_class == "ConnectFailed"
        assert attempt_of(outcome).outcome == "not_sent"

    def test_a_refused_login_is_final(self, server: MailServer, send: Any) -> None:
        server.answers["auth"] = "535 wrong"
        login = {"EMAIL_HOST_USER": "ada", "EMAIL_HOST_PASSWORD": "hunter22"}
        with override_settings(**login):
            outcome = send()
        assert isinstance(outcome, Fail)
        assert "the login of EMAIL_URL was refused" in outcome.error.message
        assert "hunter22" not in repr(outcome)

    def test_a_server_without_the_promised_tls_gets_no_message(
        self, server: MailServer, send: Any
    ) -> None:
        with override_settings(EMAIL_USE_TLS=True):
            outcome = send()
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "MailNotSupported"
        assert server.taken == []

    def test_the_time_out_is_one_for_the_whole_conversation(
        self, server: MailServer, send: Any
    ) -> None:
        """Shown to fail when each answer may take that long: a minute in all."""
        server.pause = 0.6
        began = time.monotonic()
        outcome = send({"timeout": 1.0}, to=[f"{n}@example.com" for n in range(100)])
        assert isinstance(outcome, Retry)
        assert time.monotonic() - began < 20

    def test_which_answers_are_tried_again_can_be_changed(
        self, server: MailServer, send: Any
    ) -> None:
        server.answers["mail"] = "550 no"
        assert isinstance(send({"retry_on": (550,)}), Retry)
        server.answers["mail"] = "450 no"
        assert isinstance(send({"retry_on": (550, "timeout")}), Fail)

    def test_a_step_that_lost_its_lease_sends_nothing(
        self, server: MailServer, send: Any
    ) -> None:
        outcome = send({"wanted": lambda: False})
        assert isinstance(outcome, Retry)
        assert server.taken == []


def test_another_backend_than_smtp_works_too(send: Any) -> None:
    outcome = send()
    assert isinstance(outcome, Done)
    assert mail.outbox[0].extra_headers["Message-ID"] == "<key-1@127.0.0.1>"
    attempt = attempt_of(outcome)
    assert (attempt.url, attempt.response_status) == ("locmem://", 250)


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"to": "{{ trigger.payload.email }}", "from": "A <a@example.com>"}, []),
        ({"to": ["ada@example.com", "{{ variables.boss }}"]}, []),
        ({"to": "ada"}, ["to"]),
        ({"to": []}, ["to"]),
        ({"cc": ["ada"]}, ["cc"]),
        ({"subject": ""}, ["subject"]),
        ({"body": None}, ["body"]),
        ({"html": "{{ secrets.X }}"}, ["html"]),
        ({"sender": "x"}, ["sender"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    changes: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "mail", "type": "email", "config": {**CONFIG, **changes}}],
        "connections": [],
        "variables": {},
    }
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config.{place}" for place in places]


@pytest.mark.django_db(transaction=True)
class TestInARun:
    def test_a_retry_sends_the_same_message_again(self, server: MailServer) -> None:
        server.answers["message"] = [GONE, "450 later", "250 queued"]
        config = {**CONFIG, "subject": "Order {{ trigger.payload.id }}"}
        flow = publish(
            node("mail", "email", config, retry={"initial": 0, "jitter": 0}, timeout=5)
        )
        run = started(flow, {"id": 7})
        drained()
        assert again(run).status == "succeeded"
        rows = attempts(run)
        assert [row.outcome for row in rows] == ["unknown", "rejected", "delivered"]
        assert [row.response_status for row in rows] == [None, 450, 250]
        ids = {row.request_headers["Message-ID"] for row in rows}
        assert ids == {f"<{step(run, 'mail').idempotency_key}@127.0.0.1>"}
        assert server.taken[0].message["Subject"] == "Order 7"

    def test_with_on_unknown_fail_it_is_not_sent_twice(
        self, server: MailServer
    ) -> None:
        server.answers["message"] = GONE
        run = started(publish(node("mail", "email", CONFIG, on_unknown="fail")))
        drained()
        assert again(run).status == "failed"
        assert server.commands.count("data") == 1

    def test_whom_the_server_refused_stands_in_the_runs_log(
        self, server: MailServer
    ) -> None:
        server.answers["rcpt bob@example.com"] = "550 no"
        config = {**CONFIG, "to": ["ada@example.com", "bob@example.com"]}
        run = started(publish(node("mail", "email", config)))
        drained()
        (line,) = RunLog.objects.filter(run=run)
        assert (line.level, line.node_id) == ("warning", "mail")

    def test_a_lease_that_ends_during_the_conversation_keeps_the_message_back(
        self, server: MailServer
    ) -> None:
        hand = Hand()
        run = started(publish(node("mail", "email", CONFIG)))
        hand.claim()

        def lose() -> None:
            hand.held[run.pk].lease_ends = 0.0

        server.before_data = lose
        (result,) = hand.perform()
        hand.close()
        assert type(result.outcome).__name__ == "Dropped"
        assert server.taken == []

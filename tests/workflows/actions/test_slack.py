"""The Slack step against a receiver that answers as Slack's webhooks do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer
from werkzeug import Response as Reply

from automate.lib.redaction import Redactor
from tests.automate.lib.net.servers import Server, stall
from tests.runs.drains import LOOPBACK, drained
from tests.runs.flows import again, attempts, node, publish, started, step
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import ConnectionData, all_actions, get
from workflows.actions.outcomes import Done, Fail, Outcome, Retry
from workflows.definition import validate
from workflows.models import Secret

PATH = "/services/T1/B1/sEcReT"


@pytest.fixture
def slack(make_context: MakeContext, httpserver: HTTPServer) -> Any:
    """Posts to a receiver that answers so, and gives the outcome."""

    def post(
        answer: Reply | None = None, context: Any = None, **config: Any
    ) -> Outcome:
        reply = answer or Reply("ok", 200)
        httpserver.expect_request(PATH).respond_with_response(reply)
        config.setdefault("webhook_url", httpserver.url_for(PATH))
        config.setdefault("text", "hello")
        return get("slack").execute(make_context(config, **(context or {})))

    return post


def posted(httpserver: HTTPServer) -> Any:
    ((request, _),) = httpserver.log
    return request


class TestThePost:
    def test_the_message_is_posted_as_json(
        self, slack: Any, httpserver: HTTPServer
    ) -> None:
        blocks = [{"type": "divider"}]
        outcome = slack(
            text="Büro", blocks=blocks, channel="#ops", username="A", icon_emoji=":x:"
        )
        assert isinstance(outcome, Done)
        assert outcome.output == {"ok": True}
        request = posted(httpserver)
        assert request.method == "POST"
        assert request.mimetype == "application/json"
        assert request.get_json() == {
            "text": "Büro",
            "blocks": blocks,
            "channel": "#ops",
            "username": "A",
            "icon_emoji": ":x:",
        }
        assert request.headers["Idempotency-Key"] == "key-1"

    def test_what_is_not_given_is_not_posted(
        self, slack: Any, httpserver: HTTPServer
    ) -> None:
        slack(text=5, channel=None)
        assert posted(httpserver).get_json() == {"text": "5"}

    def test_the_attempt_is_kept_without_the_secret_address(
        self, slack: Any, httpserver: HTTPServer
    ) -> None:
        secret = httpserver.url_for(PATH)
        outcome = slack(context={"redactor": Redactor([secret])})
        assert outcome.attempt.url == "[redacted]"
        assert outcome.attempt.request_body == '{"text":"hello"}'
        assert (outcome.attempt.outcome, outcome.attempt.response_body) == (
            "delivered",
            "ok",
        )

    @pytest.mark.parametrize("url", [None, PATH])
    def test_a_connection_may_hold_the_address(
        self, url: str | None, slack: Any, httpserver: HTTPServer
    ) -> None:
        base = httpserver.url_for("/" if url else PATH)
        link = ConnectionData("chat", "bearer", base, credentials={"token": "t0ken"})
        outcome = slack(
            context={"connection": link}, webhook_url=url, connection="chat"
        )
        assert isinstance(outcome, Done)
        assert posted(httpserver).headers["Authorization"] == "Bearer t0ken"

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"text": ""}, "text must not be empty"),
            ({"text": None}, "text must not be empty"),
            ({"text": {"a": 1}}, "text must be text"),
            ({"text": "x" * 40_001}, "more than 40000 characters"),
            ({"blocks": "x"}, "blocks must be a list"),
            ({"blocks": []}, "blocks must be a list"),
            ({"blocks": [{}] * 51}, "1 to 50 blocks"),
            ({"username": ["a"]}, "username must be text"),
            ({"webhook_url": ""}, "url must not be empty"),
            ({"webhook_url": "hooks"}, "must begin with https://"),
            ({"connection": "gone"}, "'gone' is not available"),
        ],
    )
    def test_what_cannot_be_posted_fails_before_it_is_sent(
        self, config: Any, words: str, slack: Any, httpserver: HTTPServer
    ) -> None:
        outcome = slack(**config)
        assert isinstance(outcome, Fail)
        assert words in outcome.error.message
        assert outcome.attempt is None
        assert httpserver.log == []

    def test_of_a_worker_that_vanished_the_address_as_written_is_known(self) -> None:
        config = {"webhook_url": "{{ secrets.SLACK }}", "text": "x"}
        assert get("slack").target(config) == ("POST", "{{ secrets.SLACK }}")


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("status", "word", "said"),
        [
            (400, "invalid_payload", "Slack cannot read the message"),
            (400, "user_not_found", "the user does not exist"),
            (403, "action_prohibited", "the workspace does not allow"),
            (404, "channel_not_found", "the channel does not exist"),
            (404, "no_service", "the webhook was removed"),
            (410, "channel_is_archived", "the channel is archived"),
        ],
    )
    def test_a_refusal_is_final_and_explained(
        self, status: int, word: str, said: str, slack: Any
    ) -> None:
        outcome = slack(Reply(word, status))
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == f"Http{status}"
        assert f": {word} ({said}" in outcome.error.message
        assert outcome.output == {"status": status, "error": word}
        assert outcome.attempt is not None
        assert outcome.attempt.outcome == "rejected"

    @pytest.mark.parametrize(
        ("status", "word"), [(500, "rollup_error"), (503, ""), (429, "rate_limited")]
    )
    def test_what_may_pass_is_tried_again(
        self, status: int, word: str, slack: Any
    ) -> None:
        outcome = slack(Reply(word, status))
        assert isinstance(outcome, Retry)
        assert outcome.output == {"status": status, "error": word}

    def test_slack_may_ask_for_a_pause(self, slack: Any) -> None:
        outcome = slack(Reply("rate_limited", 429, {"Retry-After": "30"}))
        assert isinstance(outcome, Retry)
        assert outcome.after == 30

    def test_another_answer_is_not_slacks_and_is_not_posted_again(
        self, slack: Any
    ) -> None:
        outcome = slack(Reply("<html>Log in</html>", 200))
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "BadResponse"
        assert 'not "ok" as Slack does' in outcome.error.message

    def test_an_unknown_word_is_shown_redacted(self, slack: Any) -> None:
        outcome = slack(
            Reply("no hunter22 here", 400), context={"redactor": Redactor(["hunter22"])}
        )
        assert "no [redacted] here" in outcome.error.message

    def test_silence_is_an_unknown_outcome(self, make_context: MakeContext) -> None:
        with Server(stall) as server:
            config = {"webhook_url": f"{server.url}{PATH}", "text": "x"}
            outcome = get("slack").execute(make_context(config, timeout=1.0))
        assert isinstance(outcome, Retry)
        assert outcome.attempt is not None
        assert outcome.attempt.outcome == "unknown"


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"webhook_url": "{{ secrets.SLACK }}", "text": "x"}, []),
        ({"webhook_url": "https://chat.example.com/x", "blocks": [{}]}, []),
        ({"connection": "chat", "text": "x"}, []),
        ({"text": "x"}, [".webhook_url"]),
        ({"webhook_url": "{{ secrets.SLACK }}"}, [".text"]),
        ({"webhook_url": "chat.example.com", "text": "x"}, [".webhook_url"]),
        ({"webhook_url": "https://a", "text": "{{ secrets.SLACK }}"}, [".text"]),
        ({"webhook_url": "https://a", "blocks": []}, [".blocks"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "tell", "type": "slack", "config": config}],
        "connections": [],
        "variables": {},
    }
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config{place}" for place in places]


@pytest.mark.django_db(transaction=True)
@override_settings(ALLOWED_NETWORKS=LOOPBACK)
def test_in_a_run_the_address_comes_from_a_secret_and_is_shown_nowhere(
    httpserver: HTTPServer,
) -> None:
    answers = [Reply("rollup_error", 500), Reply("ok", 200)]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: answers.pop(0))
    Secret.objects.create(name="SLACK", value=httpserver.url_for(PATH))
    tell = node(
        "tell",
        "slack",
        {"webhook_url": "{{ secrets.SLACK }}", "text": "No {{ trigger.payload.n }}"},
        retry={"initial": 0, "jitter": 0},
    )
    run = started(publish(tell), {"n": 7})
    drained()
    assert again(run).status == "succeeded"
    assert step(run, "tell").output == {"ok": True}
    first, second = attempts(run)
    assert (first.response_status, second.response_status) == (500, 200)
    assert second.request_body == '{"text":"No 7"}'
    assert "sEcReT" not in f"{first.url}{second.url}{step(run, 'tell').input}"
    keys = [request.headers["Idempotency-Key"] for request, _ in httpserver.log]
    assert keys[0] == keys[1]

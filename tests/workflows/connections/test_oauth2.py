"""OAuth 2.0 client credentials, against an endpoint and an API on real sockets."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

import pytest

from automate.lib.net import Client
from automate.lib.redaction import Redactor
from tests.automate.lib.net.pki import Authority
from tests.workflows.actions.conftest import MakeContext
from tests.workflows.connections.provider import Provider
from workflows.actions.base import ConnectionData, get
from workflows.actions.http_request import preview
from workflows.actions.outcomes import Done, Fail, Outcome, Retry
from workflows.connections.tokens import tokens

SECRET = "cl1ent-s3cret &+ü"
CONNECTION = uuid4()
WHO = {"error": "invalid_client", "error_description": "no such client"}


def link(provider: Provider, **changes: Any) -> ConnectionData:
    values: dict[str, Any] = {
        "name": "crm",
        "kind": "oauth2_client_credentials",
        "base_url": provider.api,
        "credentials": {"client_secret": SECRET},
        "options": provider.options(),
        "id": CONNECTION,
    }
    return ConnectionData(**{**values, **changes})


@pytest.fixture
def run(make_context: MakeContext) -> Any:
    def execute(link: ConnectionData, **changes: Any) -> Outcome:
        config = {"method": "POST", "url": "", "connection": "crm", "body": {"a": 1}}
        config |= changes.pop("config", {"url": link.base_url})
        changes.setdefault("redactor", Redactor([SECRET]))
        return get("http_request").execute(
            make_context(config, connection=link, **changes)
        )

    return execute


def test_the_token_is_fetched_and_sent(provider: Provider, run: Any) -> None:
    outcome = run(link(provider))

    assert isinstance(outcome, Done)
    assert provider.asked == [{"grant_type": "client_credentials"}]
    assert provider.calls == provider.given


def test_the_client_proves_itself_by_basic_with_both_parts_encoded(
    provider: Provider, run: Any
) -> None:
    run(link(provider, options=provider.options(client_id="us:er")))

    user, _, password = (
        b64decode(provider.logins[0].removeprefix("Basic ")).decode().partition(":")
    )
    assert (unquote_plus(user), unquote_plus(password)) == ("us:er", SECRET)


def test_or_within_the_form(provider: Provider, run: Any) -> None:
    options = provider.options(
        token_auth="client_secret_post",
        scope="orders.read orders.write",
        audience="https://crm.example",
        token_extra="resource=urn:x\nmode=a=b",
    )
    run(link(provider, options=options))

    assert provider.logins == [""]
    assert provider.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "us",
            "client_secret": SECRET,
            "scope": "orders.read orders.write",
            "audience": "https://crm.example",
            "resource": "urn:x",
            "mode": "a=b",
        }
    ]


def test_a_token_serves_until_shortly_before_its_end(
    provider: Provider, run: Any
) -> None:
    for _ in range(3):
        run(link(provider))
    assert len(provider.given) == 1


def test_a_token_of_the_row_is_used(provider: Provider, run: Any) -> None:
    run(link(provider))
    stored = tokens.take_unwritten()[CONNECTION].as_data()
    tokens.clear()

    run(link(provider, token=stored))
    assert len(provider.given) == 1


def test_other_credentials_get_a_token_of_their_own(
    provider: Provider, run: Any
) -> None:
    run(link(provider))
    stored = tokens.take_unwritten()[CONNECTION].as_data()
    for changes in (
        {"credentials": {"client_secret": "rotated"}},
        {"options": provider.options(scope="more")},
    ):
        run(link(provider, token=stored, **changes))

    assert len(provider.given) == 3


@pytest.mark.parametrize("life", [None, "", "soon", "nan", 0, -5, 1e300, [], True])
def test_an_odd_lifetime_is_survived(provider: Provider, run: Any, life: Any) -> None:
    provider.life = life
    assert isinstance(run(link(provider)), Done)


def test_a_token_that_was_revoked_is_fetched_anew_within_the_attempt(
    provider: Provider, run: Any
) -> None:
    run(link(provider))
    provider.revoked.update(provider.given)

    outcome = run(link(provider))

    assert isinstance(outcome, Done)
    assert len(provider.given) == 2
    assert provider.calls == [provider.given[0], *provider.given]
    assert [line.message for line in outcome.logs] == [
        "the receiver refused the access token (401); the request was sent again with a"
        " new one"
    ]


def test_two_that_were_revoked_are_followed_by_a_new_one(
    provider: Provider, run: Any
) -> None:
    """This process has one, the row another that holds longer; shown to fail when
    only one more request is made, whatever token it carries."""
    provider.life = 1000
    run(link(provider))
    own = tokens.take_unwritten()[CONNECTION]
    stored = {**own.as_data(), "value": "of the row", "expires_at": own.expires_at + 9}
    provider.revoked.update(provider.given)

    outcome = run(link(provider, token=stored))

    assert isinstance(outcome, Done)
    assert provider.calls[1:] == ["of the row", *provider.given]
    assert len(provider.given) == 2


def test_a_token_of_the_row_serves_where_the_own_one_was_revoked(
    provider: Provider, run: Any
) -> None:
    run(link(provider))
    own = tokens.take_unwritten()[CONNECTION]
    provider.given.append("of the row")  # another process fetched it
    stored = {**own.as_data(), "value": "of the row", "expires_at": own.expires_at - 9}
    provider.revoked.add(own.value)

    assert isinstance(run(link(provider, token=stored)), Done)
    assert provider.calls == [own.value, own.value, "of the row"]
    assert len(provider.asked) == 1


def test_an_api_that_always_says_401_is_asked_twice(
    provider: Provider, run: Any
) -> None:
    provider.revoked.update(f"acc3ss-t0ken-{number}" for number in range(9))

    outcome = run(link(provider))

    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "Http401"
    assert len(provider.calls) == 2


@pytest.mark.parametrize(
    ("status", "said", "expected", "words"),
    [
        ("400 Bad Request", WHO, Fail, "invalid_client: no such client"),
        ("401 Unauthorized", WHO, Fail, "answered 401: invalid_client"),
        ("400 Bad Request", {"error": "temporarily_unavailable"}, Retry, "temporarily"),
        ("400 Bad Request", "no json", Fail, "answered 400"),
        ("302 Found", "", Fail, "answered 302"),
        ("503 Service Unavailable", "", Retry, "answered 503"),
        ("429 Too Many Requests", "", Retry, "answered 429"),
        ("200 OK", "no json", Fail, "gave no access token"),
        ("200 OK", {"access_token": ""}, Fail, "gave no access token"),
        ("200 OK", {"access_token": "a\r\nb"}, Fail, "gave no access token"),
        ("200 OK", {"access_token": "a", "token_type": "mac"}, Fail, "no bearer's"),
        ("200 OK", [], Fail, "gave no access token"),
    ],
)  # fmt: skip
def test_an_endpoint_that_gives_no_token_is_named(
    provider: Provider, run: Any, status: str, said: Any, expected: type, words: str
) -> None:
    provider.answers = [(status, said)]
    outcome = run(link(provider))

    assert type(outcome) is expected
    assert isinstance(outcome, Fail | Retry)
    name = "TokenUnavailable" if expected is Retry else "TokenRefused"
    assert outcome.error.error_class == name
    assert f"token endpoint 127.0.0.1:{provider.server.port}" in outcome.error.message
    assert words in outcome.error.message
    assert outcome.attempt is not None
    assert outcome.attempt.outcome == "not_sent"
    assert outcome.attempt.error_kind == "token"
    assert provider.calls == []


def test_retry_after_of_the_endpoint_is_honoured(provider: Provider, run: Any) -> None:
    provider.answers = [("429 Too Many Requests", "", "Retry-After: 17")]
    outcome = run(link(provider))

    assert isinstance(outcome, Retry)
    assert outcome.after == 17


def test_an_endpoint_that_is_not_there_is_worth_another_try(
    provider: Provider, run: Any
) -> None:
    away = provider.options(token_url="http://127.0.0.1:1/token")
    outcome = run(link(provider, options=away))

    assert isinstance(outcome, Retry)
    assert "the token endpoint 127.0.0.1:1: cannot connect" in outcome.error.message


def test_the_guard_looks_at_the_endpoint(provider: Provider, run: Any) -> None:
    inner = provider.options(token_url="http://169.254.169.254/token")
    outcome = run(link(provider, options=inner))

    assert isinstance(outcome, Fail)
    assert "a cloud metadata service" in outcome.error.message


def test_the_endpoint_must_be_among_the_allowed_hosts(
    provider: Provider, run: Any
) -> None:
    outcome = run(link(provider, allowed_hosts=frozenset({"api.example"})))

    assert isinstance(outcome, Fail)
    assert "127.0.0.1, the token endpoint, is not an allowed host" in str(outcome.error)
    assert provider.asked == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"credentials": {}}, "lacks its client_secret"),
        ({"options": {"client_id": "us"}}, "lacks its token_url"),
        ({"options": {"client_id": "us", "token_url": "ftp://x/"}}, "token URL"),
    ],
)
def test_a_connection_that_lacks_something_fails_with_its_name(
    provider: Provider, run: Any, changes: dict[str, Any], words: str
) -> None:
    outcome = run(link(provider, **changes))

    assert isinstance(outcome, Fail)
    assert "the connection 'crm'" in outcome.error.message
    assert words in outcome.error.message


def test_token_and_secret_are_in_no_record(provider: Provider, run: Any) -> None:
    provider.echo = True
    redactor = Redactor([SECRET])
    outcome = run(link(provider), redactor=redactor)

    assert isinstance(outcome, Done)
    assert "acc3ss-t0ken" in str(outcome.output), "the output is exact, and encrypted"
    assert "acc3ss-t0ken" not in repr(outcome.attempt)
    assert "acc3ss-t0ken" not in redactor.text(str(outcome.output))
    provider.answers = [("400 Bad Request", {"error": f"bad {SECRET}"})]
    tokens.clear()
    refused = run(link(provider), redactor=redactor)
    assert SECRET not in repr(refused)


def test_a_preview_fetches_nothing(
    provider: Provider, make_context: MakeContext
) -> None:
    config = {"url": provider.api, "connection": "crm"}
    request = preview(make_context(config, connection=link(provider)))

    assert request.headers["Authorization"] == "Bearer (fetched when it is sent)"
    assert provider.asked == []


def test_the_time_for_the_token_is_part_of_the_step_s(
    provider: Provider, run: Any
) -> None:
    provider.hold.clear()
    outcome = run(link(provider), timeout=0.9)
    provider.hold.set()

    assert isinstance(outcome, Retry)
    assert "no full answer within 0." in outcome.error.message


def test_a_lease_that_has_run_out_fetches_nothing(
    provider: Provider, run: Any, client: Client
) -> None:
    class Unwanted:
        def send(self, request: Any) -> Any:
            return client.send(replace(request, wanted=lambda: False))

    outcome = run(link(provider), http=Unwanted())
    assert isinstance(outcome, Retry)
    assert provider.asked == []


def test_token_and_api_may_want_a_client_certificate(
    authority: Authority, run: Any
) -> None:
    issued = authority.issue("us")
    credentials = {
        "client_secret": SECRET,
        "certificate": issued.certificate,
        "private_key": issued.private_key,
    }
    with Provider(authority.server(asks=authority)) as provider:
        certain = link(
            provider, credentials=credentials, authorities=authority.certificate
        )
        assert isinstance(run(certain), Done)

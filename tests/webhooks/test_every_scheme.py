"""Each scheme through the endpoint, signed as `send_event` signs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from automate.lib import jsonio
from runs.models import Run
from tests.webhooks.makers import PUSH, code_of, make_trigger, told
from tests.webhooks.schemes.test_ed25519 import PRIVATE, PUBLIC
from webhooks.lookup import find
from webhooks.models import InboundEvent
from webhooks.sending import CannotSend, Sender, address
from workflows.models import Trigger
from workflows.triggers.schemes import SCHEMES

pytestmark = pytest.mark.django_db

SECRET = "user:whsec_c2VjcmV0"
PROVING = sorted(name for name, scheme in SCHEMES.items() if scheme.secret_required)
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    """The site as senders know it: no request's Host header says this."""
    settings.PUBLIC_URL = "https://hooks.example.com"
    settings.ALLOWED_HOSTS = ["inner"]


def deliver(
    trigger: Trigger,
    body: bytes = PUSH,
    *,
    secret: str | None = None,
    host: str = "inner",
    **about: Any,
) -> Any:
    """Post what the provider of this trigger would post."""
    sender = Sender.for_trigger(find(trigger.key), secret=secret)
    url = address("https://hooks.example.com", trigger.key)
    delivery = sender.delivery(url, body, **about)
    headers = dict(delivery.headers)
    kind = headers.pop("Content-Type")
    target = urlsplit(delivery.url)
    return Client(headers={"host": host}).generic(
        delivery.method,
        f"{target.path}?{target.query}" if target.query else target.path,
        body,
        content_type=kind,
        headers=headers,
    )


@pytest.mark.parametrize("scheme", PROVING)
def test_what_its_provider_sends_becomes_a_run_once(scheme: str) -> None:
    trigger = make_trigger({"scheme": scheme}, secret=SECRET)
    body = jsonio.dumps({"id": "d-1", "event_id": "d-1"}).encode()
    first, again = (deliver(trigger, body, event_id="d-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200), first.content
    run = Run.objects.get()
    assert (str(run.pk), run.event_id, run.body) == (
        told(first)["run_id"], "d-1", body,
    )  # fmt: skip
    kept = jsonio.dumps(dict(run.headers)).lower()
    assert "signature" not in kept
    assert "c2vjcmv0" not in kept


@pytest.mark.parametrize("scheme", PROVING)
def test_strangers_get_the_answer_that_an_unknown_address_gets(scheme: str) -> None:
    trigger = make_trigger({"scheme": scheme}, secret=SECRET)
    nobody = Client().post("/v1/webhooks/unknown", PUSH, "application/json")
    wrong = deliver(trigger, secret="user:whsec_d3Jvbmc=")
    bare = Client().post(f"/v1/webhooks/{trigger.key}", PUSH, "application/json")
    assert {answer.status_code for answer in (nobody, wrong, bare)} == {401}
    assert nobody.content == wrong.content == bare.content
    assert dict(nobody.headers) == dict(wrong.headers) == dict(bare.headers)
    assert not Run.objects.exists()


EVENTS = {
    "github": (b"{}", "push", {"event": "push"}),
    "gitlab": (b"{}", "Push Hook", {"event": "Push Hook"}),
    "shopify": (b"{}", "orders/*", {"event": "orders/paid"}),
    "slack": (
        b'{"type":"event_callback","event":{"type":"app_mention"}}', "app_*", {},
    ),
    "standard_webhooks": (b'{"type":"invoice.paid"}', "invoice.*", {}),
    "stripe": (b'{"id":"evt_1","type":"customer.created"}', "customer.*", {}),
    "twilio": (b'{"type":"com.twilio.messaging"}', "com.twilio.*", {}),
}  # fmt: skip


@pytest.mark.parametrize("scheme", EVENTS)
def test_an_event_is_matched_by_the_providers_name_for_it(scheme: str) -> None:
    body, pattern, about = EVENTS[scheme]
    wanted = make_trigger({"scheme": scheme, "events": [pattern]}, secret=SECRET)
    other = make_trigger({"scheme": scheme, "events": ["other"]}, secret=SECRET)
    assert told(deliver(wanted, body, **about))["status"] == "queued"
    assert told(deliver(other, body, **about))["status"] == "filtered"


def test_a_public_key_takes_what_the_private_one_signed() -> None:
    trigger = make_trigger({"scheme": "standard_webhooks"}, secret=PUBLIC)
    assert deliver(trigger, secret=PRIVATE).status_code == 202
    with pytest.raises(CannotSend, match="private one"):
        deliver(trigger)


# --- Slack ---------------------------------------------------------------------------

CHALLENGE = b'{"type":"url_verification","token":"t","challenge":"3eZbrw1aBm2rZgRNF"}'


def test_slacks_challenge_is_answered_in_plain_text_and_starts_nothing() -> None:
    trigger = make_trigger(
        {"scheme": "slack", "events": ["app_mention"]}, secret=SECRET
    )
    answer = deliver(trigger, CHALLENGE)
    assert (answer.status_code, answer.content) == (200, b"3eZbrw1aBm2rZgRNF")
    assert answer["Content-Type"].startswith("text/plain")
    assert not Run.objects.exists()
    assert not InboundEvent.objects.exists()


def test_the_challenge_is_answered_before_the_workflow_is_active() -> None:
    trigger = make_trigger({"scheme": "slack"}, secret=SECRET, is_active=False)
    assert deliver(trigger, CHALLENGE).status_code == 200
    assert deliver(trigger, b"{}").status_code == 409


def test_a_strangers_challenge_is_not_answered() -> None:
    trigger = make_trigger({"scheme": "slack"}, secret=SECRET)
    assert deliver(trigger, CHALLENGE, secret="wrong").status_code == 401
    other = make_trigger({"scheme": "hmac"}, secret=SECRET)
    assert deliver(other, CHALLENGE).status_code == 202


# --- Stripe --------------------------------------------------------------------------


def test_stripes_second_delivery_is_known_although_its_body_has_changed() -> None:
    trigger = make_trigger({"scheme": "stripe"}, secret=SECRET)
    first = deliver(trigger, b'{"id":"evt_1","pending_webhooks":2}')
    again = deliver(trigger, b'{"id":"evt_1","pending_webhooks":1}')
    assert (first.status_code, again.status_code) == (202, 200)
    assert told(again)["run_id"] == told(first)["run_id"]
    assert deliver(trigger, b'{"id":"evt_2"}').status_code == 202


def test_a_rule_of_ones_own_looks_at_stripes_body_again() -> None:
    config = {"scheme": "stripe", "idempotency": {"by": "header", "header": "X-Id"}}
    trigger = make_trigger(config, secret=SECRET)
    assert deliver(trigger, b"{}", headers={"X-Id": "1"}).status_code == 202
    reused = deliver(trigger, b'{"a":1}', headers={"X-Id": "1"})
    assert code_of(reused) == "IDEMPOTENCY_KEY_REUSED"


# --- Twilio --------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["inner", "inner:8000"])
def test_twilio_signs_the_public_address_whatever_the_proxy_calls_it(host: str) -> None:
    trigger = make_trigger({"scheme": "twilio"}, secret=SECRET)
    form = {"Content-Type": FORM}
    answer = deliver(trigger, b"From=%2B1415&Body=Hi", headers=form, host=host)
    assert answer.status_code == 202
    assert deliver(trigger, b'{"a": 1}', host=host).status_code == 202


def test_an_address_that_others_were_told_is_not_twilios(settings: Settings) -> None:
    trigger = make_trigger({"scheme": "twilio"}, secret=SECRET)
    settings.PUBLIC_URL = "https://other.example.com"
    assert deliver(trigger, b"{}").status_code == 401
    [row] = InboundEvent.objects.filter(trigger=trigger)
    assert "https://other.example.com/v1/webhooks/" in row.detail


@pytest.mark.parametrize("public", ["https://hooks.example.com:443", "http://h:8443"])
def test_twilio_may_leave_the_port_out(settings: Settings, public: str) -> None:
    trigger = make_trigger({"scheme": "twilio"}, secret=SECRET)
    settings.PUBLIC_URL = public
    sender = Sender.for_trigger(find(trigger.key))
    bare = public.rpartition(":")[0]
    delivery = sender.delivery(
        address(bare, trigger.key), b"a=1", headers={"Content-Type": FORM}
    )
    answer = Client(headers={"host": "inner"}).post(
        f"/v1/webhooks/{trigger.key}", b"a=1", FORM, headers=dict(delivery.headers)
    )
    assert answer.status_code == 202

"""What is answered to an event for its size, its encoding or what it says."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from runs.models import IdempotencyKey, Run
from tests.makers import make_workflow
from tests.webhooks.makers import (
    code_of,
    make_trigger,
    only_event,
    post,
    send,
    told,
)
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db


# --- size and encoding -------------------------------------------------------------


def test_a_body_over_the_cap_is_413_and_one_at_the_cap_is_taken(
    settings: Settings,
) -> None:
    settings.MAX_BODY = 100
    trigger = make_trigger()
    answer = post(trigger, b"x" * 101, content_type="text/plain")
    assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")
    event = only_event()
    assert (event.reason, event.trigger, event.size) == ("too_large", trigger, 101)
    assert post(trigger, b"x" * 100, content_type="text/plain").status_code == 202


@pytest.mark.parametrize(("own", "status"), [(50, 413), (60, 202), (200, 202)])
def test_a_trigger_has_a_cap_of_its_own(
    settings: Settings, own: int, status: int
) -> None:
    settings.MAX_BODY = 55
    trigger = make_trigger({"max_body": own})
    assert post(trigger, b"x" * 60, content_type="text/plain").status_code == status


def test_the_same_large_body_to_an_unknown_address_is_413(settings: Settings) -> None:
    settings.MAX_BODY = 100
    answer = post("unknown", b"x" * 101)
    assert answer.status_code == 413
    assert only_event().trigger is None


@pytest.mark.parametrize("length", [40, 60, 101, 150, 201])
@pytest.mark.parametrize("own", [None, 50, 200])
def test_no_size_tells_a_stranger_whether_an_address_exists(
    settings: Settings, own: int | None, length: int
) -> None:
    """Shown to fail when the trigger's own cap is told before the signature."""
    settings.MAX_BODY = 100
    config = {"scheme": "github"} | ({"max_body": own} if own else {})
    body = b"x" * length
    given, unknown = (post(at, body) for at in (make_trigger(config).key, "unknown"))

    assert given.status_code == unknown.status_code == (401 if length <= 100 else 413)
    assert given.content == unknown.content
    names = [{*answer.headers} for answer in (given, unknown)]
    assert names[0] == names[1]


def test_who_has_signed_is_told_the_trigger_s_own_cap(settings: Settings) -> None:
    settings.MAX_BODY = 100
    trigger = make_trigger({"scheme": "github", "max_body": 50})
    answer = send(trigger, b"x" * 60)
    assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")
    assert "larger than 50 bytes" in told(answer)["error"]["message"]
    event = only_event()
    assert (event.reason, event.gate, event.size, event.minute) == (
        "too_large",
        "fits",
        60,
        None,
    )


def test_operators_see_that_a_large_body_was_badly_signed(settings: Settings) -> None:
    settings.MAX_BODY = 100
    trigger = make_trigger({"scheme": "github", "max_body": 200})
    assert send(trigger, b"[1]" + b" " * 120).status_code == 202
    assert post(trigger, b"x" * 120).status_code == 413
    event = only_event()
    assert (event.reason, event.status, event.trigger) == (
        "bad_signature",
        413,
        trigger,
    )


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
def test_an_encoded_body_is_415_whoever_sends_it(encoding: str) -> None:
    trigger = make_trigger({"scheme": "github"})
    for address in (trigger.key, "unknown"):
        answer = post(address, b"\x1f\x8b", content_encoding=encoding)
        assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_ENCODING")
    assert set(InboundEvent.objects.values_list("reason", "trigger")) == {
        ("encoded", trigger.pk),
        ("encoded", None),
    }


def test_identity_is_no_encoding() -> None:
    assert post(make_trigger(), content_encoding="Identity").status_code == 202


# --- filters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "status"),
    [
        (["push"], "queued"),
        (["pu*", "star"], "queued"),
        (["Push"], "filtered"),
        (["star"], "filtered"),
        (["pus"], "filtered"),
    ],
)
def test_events_are_matched_to_the_providers_header(
    patterns: list[str], status: str
) -> None:
    answer = send(make_trigger({"scheme": "github", "events": patterns}), event="push")
    assert told(answer)["status"] == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"type": "order.paid"}', "queued"),
        (b'{"type": "user.new"}', "filtered"),
        (b'{"type": ["order.paid"]}', "filtered"),
        (b"[1]", "filtered"),
        (b"", "filtered"),
    ],
)
def test_without_such_a_header_the_payloads_type_is_the_event(
    body: bytes, status: str
) -> None:
    trigger = make_trigger({"scheme": "standard_webhooks", "events": ["order.*"]})
    assert told(send(trigger, body))["status"] == status


def test_a_filtered_event_is_200_without_a_run_and_kept() -> None:
    trigger = make_trigger({"scheme": "github", "events": ["star"]})
    answer = send(trigger, event_id="d-9")
    assert answer.status_code == 200
    assert told(answer) == {
        "run_id": None,
        "status": "filtered",
        "duplicate": False,
        "filtered_by": "event",
    }
    event = only_event()
    assert (event.reason, event.status, event.event_id) == ("filtered", 200, "d-9")
    assert '"push"' in event.detail
    assert not Run.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{{ trigger.payload.ref }} == 'refs/heads/main'", "queued"),
        ("{{ trigger.payload.ref == 'refs/heads/dev' }}", "filtered"),
        ("{{ trigger.payload.missing }} == 1", "filtered"),
        ("{{ trigger.query.go == '1' }}", "queued"),
        ("{{ trigger.headers['x-color'] == 'red' }}", "queued"),
        ("{{ trigger.payload.ref == variables.branch }}", "queued"),
        ("{{ variables.branch == 'other' }}", "filtered"),
    ],
)
def test_a_condition_decides_over_the_event_and_the_variables(
    condition: str, status: str
) -> None:
    workflow = make_workflow()
    version = workflow.published
    assert version is not None
    type(version).objects.filter(pk=version.pk).update(
        definition={"nodes": [], "variables": {"branch": "refs/heads/main"}}
    )
    trigger = make_trigger({"condition": condition}, workflow)
    answer = post(trigger, query="?go=1", x_color="red")
    assert told(answer)["status"] == status


def test_a_condition_over_a_form_sees_its_fields() -> None:
    trigger = make_trigger({"condition": "{{ trigger.payload.a == '1' }}"})
    form = "application/x-www-form-urlencoded"
    assert post(trigger, b"a=1", content_type=form).status_code == 202
    assert post(trigger, b"a=2", content_type=form).status_code == 200


def test_search_keys_are_read_when_the_event_arrives() -> None:
    keys = {
        "ref": "{{ trigger.payload.ref }}",
        "size": "{{ trigger.payload.size }}",
        "nul": "{{ trigger.payload.nul }}",
        "missing": "{{ trigger.payload.missing }}",
    }
    trigger = make_trigger(workflow=make_workflow(search_keys=keys))
    post(trigger, {"ref": "main", "size": 5, "nul": "a\x00" + "b" * 300})
    found = Run.objects.get().search_keys
    assert found == {"ref": "main", "size": "5", "nul": "a\ufffd" + "b" * 198}

"""CloudEvents in a request of their own, in headers, and in batches; the handshake."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from automate.lib import jsonio
from runs.engine.payload import trigger_scope
from runs.models import IdempotencyKey, Job, Run
from tests.makers import make_workflow
from tests.webhooks.makers import code_of, make_trigger, post, signed, told
from webhooks.batch import MAX_EVENTS
from webhooks.models import InboundEvent
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json; charset=utf-8"
ABOUT = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/shop/north",
    "type": "com.example.order.created",
}
ORDER = {**ABOUT, "subject": "orders/7", "data": {"total": 7}}


def number(index: int, **changes: Any) -> dict[str, Any]:
    return {**ORDER, "id": f"A-{index}", "data": {"n": index}, **changes}


def scope() -> Any:
    return trigger_scope(Run.objects.get())


def binary(**changes: str) -> dict[str, Any]:
    return {f"ce_{name}": text for name, text in {**ABOUT, **changes}.items()}


# --- structured ---------------------------------------------------------------------


def test_a_structured_event_gives_its_data_and_its_attributes() -> None:
    body = b' {"data": {"total": 1.50},' + jsonio.dumps(ABOUT)[1:].encode() + b"\n"
    answer = post(make_trigger(), body, content_type=STRUCTURED)
    assert answer.status_code == 202
    assert Run.objects.get().body == body
    assert scope()["payload"] == {"total": 1.5}
    assert scope()["event"] == ABOUT
    assert scope()["id"] == "A-1"


def test_no_other_event_has_attributes() -> None:
    post(make_trigger(), ORDER)
    assert scope()["event"] is None
    assert scope()["payload"] == ORDER


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ({"data": None}, None),
        ({}, None),
        ({"data": "<a/>", "datacontenttype": "text/xml"}, "<a/>"),
        ({"data_base64": "eyJhIjogMX0="}, {"a": 1}),
        ({"data_base64": "YT0xJmE9Mg==",
          "datacontenttype": "application/x-www-form-urlencoded"}, {"a": ["1", "2"]}),
        ({"data_base64": ""}, None),
    ],
)  # fmt: skip
def test_data_is_what_its_type_says(event: dict[str, Any], payload: Any) -> None:
    answer = post(make_trigger(), {**ABOUT, **event}, content_type=STRUCTURED)
    assert answer.status_code == 202, answer.content
    assert scope()["payload"] == payload


@pytest.mark.parametrize(
    ("changes", "field", "issue"),
    [
        ({"id": None}, "id", "is required"),
        ({"id": ""}, "id", "must be a text that is not empty"),
        ({"id": 7}, "id", "must be a text that is not empty"),
        ({"source": None}, "source", "is required"),
        ({"type": None}, "type", "is required"),
        ({"specversion": None}, "specversion", "is required"),
        ({"specversion": "0.3"}, "specversion", 'must be "1.0"'),
        ({"subject": ""}, "subject", "must be a text that is not empty"),
        ({"time": "yesterday"}, "time", "must be a time like 2026-01-31T12:00:00Z"),
        ({"time": "2026-02-30T00:00:00Z"}, "time",
         "must be a time like 2026-01-31T12:00:00Z"),
        ({"Trace": "x"}, "Trace",
         "is no attribute: names hold lower-case letters and digits"),
        ({"trace": {}}, "trace", "must be a text, a whole number, true or false"),
        ({"data_base64": "?"}, "data_base64", "must not stand beside data"),
        ({"source": "a\nb"}, "source", "must not hold control characters"),
    ],
)  # fmt: skip
def test_an_event_without_what_it_needs_is_400_and_named(
    changes: dict[str, Any], field: str, issue: str
) -> None:
    answer = post(make_trigger(), {**ORDER, **changes}, content_type=STRUCTURED)
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
    details = told(answer)["error"]["details"]
    assert (details["field"], details["issue"]) == (field, issue)
    assert not Run.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b" "])
def test_what_is_no_event_is_400(body: bytes) -> None:
    assert post(make_trigger(), body, content_type=STRUCTURED).status_code == 400


def test_extensions_and_leap_seconds_are_taken() -> None:
    event = {**ORDER, "time": "2016-12-31T23:59:60.5+00:00", "big": 7, "on": True}
    assert post(make_trigger(), event, content_type=STRUCTURED).status_code == 202
    assert scope()["event"]["big"] == 7


@pytest.mark.parametrize("kind", ["avro", "xml", "protobuf"])
def test_another_format_is_415(kind: str) -> None:
    answer = post(make_trigger(), b"x", content_type=f"application/cloudevents+{kind}")
    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_unproven_sender_is_told_nothing_about_its_event() -> None:
    trigger = make_trigger({"scheme": "github"})
    for body, kind in ((b"{}", STRUCTURED), (b"[{}]", BATCH), (b"x", "application/x")):
        assert post(trigger, body, content_type=kind, **binary()).status_code == 401


# --- binary -------------------------------------------------------------------------


def test_an_event_in_headers_gives_its_body_and_its_attributes() -> None:
    headers = binary(subject="Caf%C3%A9%20%22a%22", key='"quoted"')
    answer = post(make_trigger(), b'{"total": 1.50}', **headers)
    assert answer.status_code == 202
    assert Run.objects.get().body == b'{"total": 1.50}'
    assert scope()["payload"] == {"total": 1.5}
    assert scope()["event"] == {
        **ABOUT,
        "subject": 'Café "a"',
        "key": "quoted",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"id": ""}, "ce-id"), ({"specversion": "2"}, "ce-specversion"),
     ({"time": "x"}, "ce-time")],
)  # fmt: skip
def test_headers_without_what_an_event_needs_are_400(
    changes: dict[str, str], field: str
) -> None:
    answer = post(make_trigger(), b"{}", **binary(**changes))
    assert answer.status_code == 400
    assert told(answer)["error"]["details"]["field"] == field


# --- identity and name --------------------------------------------------------------


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_source_and_id_make_an_event_the_same(mode: str) -> None:
    trigger = make_trigger()

    def sent(**about: str) -> Any:
        if mode == "binary":
            return post(trigger, b"{}", **binary(**about))
        return post(trigger, {**ABOUT, **about}, content_type=STRUCTURED)

    first = sent()
    assert told(sent()) == {
        "run_id": told(first)["run_id"], "status": "duplicate", "duplicate": True
    }  # fmt: skip
    assert sent(source="/shop/south").status_code == 202
    assert sent(id="A-2").status_code == 202


def ways(event: dict[str, Any], data: bytes) -> dict[str, tuple[Any, dict[str, Any]]]:
    """The same event in each way that it may travel: what is posted, and how."""
    headers = {f"ce_{name}": str(value) for name, value in event.items()
               if name not in ("data", "data_base64", "datacontenttype")}  # fmt: skip
    kind = event.get("datacontenttype", "application/json")
    encoded = {**event, "data_base64": base64.b64encode(data).decode()}
    encoded.pop("data")
    return {
        "binary": (data, {"content_type": kind, **headers}),
        "structured": (event, {"content_type": STRUCTURED}),
        "base64": (encoded, {"content_type": STRUCTURED}),
        "batch": ([event], {"content_type": BATCH}),
    }


SAME = [
    (ORDER, b' {"total":  7}'),
    ({**ORDER, "datacontenttype": "application/json; charset=utf-8"}, b'{"total": 7}'),
    ({**ABOUT, "datacontenttype": "text/plain", "data": "caf\xe9"}, b"caf\xc3\xa9"),
    ({**ABOUT, "datacontenttype": "text/plain; charset=latin-1", "data": "caf\xe9"},
     b"caf\xe9"),
    ({**ABOUT, "data": [1, {"b": 1, "a": None}]}, b'[1,{"a":null,"b":1}]'),
    ({**ABOUT, "data": None}, b""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "data"), SAME)
def test_an_event_is_the_same_however_it_travels(
    event: dict[str, Any], data: bytes
) -> None:
    trigger = make_trigger()
    statuses = {}
    for way, (body, how) in ways(event, data).items():
        answer = post(trigger, body, **how)
        statuses[way] = answer.status_code
    assert statuses == {"binary": 202, "structured": 200, "base64": 200, "batch": 200}
    assert Run.objects.count() == 1


def test_extensions_may_be_added_on_the_way() -> None:
    trigger = make_trigger()
    post(trigger, ORDER, content_type=STRUCTURED)
    changed = {**ORDER, "traceparent": "00-1", "hops": 3, "on": True}
    assert post(trigger, changed, content_type=STRUCTURED).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"data": {"total": 8}}, {"data": {"total": "7"}}, {"type": "other"},
     {"subject": "orders/8"}, {"time": "2026-01-31T12:00:00Z"}, {"data": None},
     {"datacontenttype": "text/json"}, {"dataschema": "https://a.example/2"}],
)  # fmt: skip
def test_another_event_under_the_same_id_is_refused(changes: dict[str, Any]) -> None:
    event = {**ORDER, **changes}
    sent = ways(event, jsonio.dumps(event["data"]).encode())
    for way in ("binary", "structured", "batch"):
        trigger = make_trigger()
        post(trigger, ORDER, content_type=STRUCTURED)
        body, how = sent[way]
        answer = post(trigger, body, **how)
        assert answer.status_code == 422, way
        assert code_of(answer) == "IDEMPOTENCY_KEY_REUSED"


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {**ORDER, "source": None, "time": "yesterday", "Trace": 1, "id": 7}
    answer = post(make_trigger(), wrong, content_type=STRUCTURED)
    message = told(answer)["error"]["message"]
    for said in ("source is required", "time must be a time like", "Trace is no",
                 "id must be a text"):  # fmt: skip
        assert said in message
    assert message.count("id must") == 1
    headers = binary(time="yesterday", id="", specversion="2")
    headers.pop("ce_source")
    message = told(post(make_trigger(), b"{}", **headers))["error"]["message"]
    for said in ("ce-source is required", "ce-time must be", "ce-id must not be empty",
                 "ce-specversion must be"):  # fmt: skip
        assert said in message
    answer = post(make_trigger(), [ORDER, wrong], content_type=BATCH)
    message = told(answer)["error"]["message"]
    assert "[1].source is required; [1].time must" in message


def test_a_flood_of_wrong_names_is_told_in_part() -> None:
    wrong = {**ORDER, **{f"N{index}": 1 for index in range(500)}}
    message = told(post(make_trigger(), wrong, content_type=STRUCTURED))["error"][
        "message"
    ]
    assert message.count("is no attribute") == 20


def test_the_type_is_the_name_of_the_event() -> None:
    trigger = make_trigger({"events": ["com.example.order.*"]})
    assert post(trigger, ORDER, content_type=STRUCTURED).status_code == 202
    other = {**ORDER, "id": "2", "type": "com.example.paid", "data": {"type": "x"}}
    assert told(post(trigger, other, content_type=STRUCTURED))["filtered_by"] == "event"


def test_a_condition_sees_attributes_and_data() -> None:
    source = "trigger.event.subject == 'orders/7' and trigger.payload.total == 7"
    trigger = make_trigger({"condition": source})
    assert post(trigger, ORDER, content_type=STRUCTURED).status_code == 202


def test_a_signed_event_is_verified_over_its_bytes() -> None:
    trigger = make_trigger({"scheme": "standard_webhooks"})
    body = jsonio.dumps(ORDER).encode()
    headers: dict[str, Any] = signed(trigger, body)
    assert post(trigger, body, content_type=STRUCTURED, **headers).status_code == 202
    again: dict[str, Any] = signed(trigger, body)  # another delivery of it
    answer = post(trigger, body, content_type=STRUCTURED, **again)
    assert told(answer)["duplicate"] is True


# --- batches ------------------------------------------------------------------------


def batch(events: list[Any], config: dict[str, Any] | None = None) -> Any:
    return post(make_trigger(config), events, content_type=BATCH)


def test_a_batch_is_a_run_for_each_with_its_own_bytes() -> None:
    first, second = b'{"data":1.50 ,"x":"]},{"', b' {"id":"B"'
    rest = ',"specversion":"1.0","source":"\\u00e9\xc3\xa9","type":"t"}'.encode(
        "latin-1"
    )
    texts = [first + b',"id":"A"' + rest, second + rest + b"\r\n"]
    answer = post(make_trigger(), b"\n[" + b",".join(texts) + b"]", content_type=BATCH)
    assert answer.status_code == 202, answer.content
    runs = list(Run.objects.order_by("id"))
    assert [run.body for run in runs] == [text.strip() for text in texts]
    assert [trigger_scope(run)["payload"] for run in runs] == [1.5, None]
    found = told(answer)
    assert found["status"] == "queued"
    assert found["events"] == [
        {"source": "éé", "id": name, "run_id": str(run.pk), "status": "queued",
         "duplicate": False}
        for name, run in zip("AB", runs, strict=True)
    ]  # fmt: skip
    assert Job.objects.count() == 2


def test_an_empty_batch_is_nothing() -> None:
    answer = batch([])
    assert (answer.status_code, told(answer)) == (
        200,
        {"status": "empty", "events": []},
    )


def test_a_batch_that_is_partly_known_starts_the_rest() -> None:
    trigger = make_trigger({"events": ["*.created"]})
    first = post(trigger, [number(1)], content_type=BATCH)
    events = [number(1), number(2), number(3, type="gone"), number(2)]
    found = told(post(trigger, events, content_type=BATCH))
    assert [item["status"] for item in found["events"]] == [
        "duplicate", "queued", "filtered", "duplicate"
    ]  # fmt: skip
    known = told(first)["events"][0]["run_id"]
    assert found["events"][0]["run_id"] == known
    assert found["events"][3]["run_id"] == found["events"][1]["run_id"]
    assert found["events"][2]["filtered_by"] == "event"
    assert Run.objects.count() == 2
    rows = InboundEvent.objects.order_by("id").values_list("reason", "event_id")
    assert set(rows) == {
        ("duplicate", "A-1"),
        ("filtered", "A-3"),
        ("duplicate", "A-2"),
    }
    again = post(trigger, events[:2], content_type=BATCH)
    assert (again.status_code, told(again)["status"]) == (200, "duplicate")


def test_a_known_event_of_a_batch_stays_known_when_it_is_no_more_wanted() -> None:
    trigger = make_trigger()
    first = told(post(trigger, [number(1)], content_type=BATCH))["events"][0]["run_id"]
    trigger.config = {"events": ["nothing"]}
    trigger.save()
    events = [number(1), number(2)]
    found = told(post(trigger, events, content_type=BATCH))["events"]
    assert [item["status"] for item in found] == ["duplicate", "filtered"]
    assert found[0]["run_id"] == first
    changed = [number(2), number(1, type="changed")]
    answer = post(trigger, changed, content_type=BATCH)
    assert (answer.status_code, code_of(answer)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("bad", "place"),
    [
        ({**ORDER, "id": ""}, "[1].id"),
        ({**ORDER, "type": None}, "[1].type"),
        ([], "[1]"),
        ({**ORDER, "data": 1, "id": "A-1"}, "[1]"),  # the first one's id
    ],
)
def test_a_bad_member_refuses_all_and_is_named(bad: Any, place: str) -> None:
    answer = batch([number(1), bad, number(3)])
    assert answer.status_code in (400, 422)
    assert told(answer)["error"]["details"]["field"] == place
    assert not Run.objects.exists()
    assert not Job.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_identifies_a_member_may_be_missing_in_one() -> None:
    rule = {"by": "template", "template": "{{ trigger.payload.n }}"}
    answer = batch([number(1), number(2, data={})], {"idempotency": rule})
    assert answer.status_code == 400
    assert told(answer)["error"]["details"]["field"] == "[1].idempotency"
    assert not Run.objects.exists()


def test_a_header_that_identifies_a_delivery_does_so_for_each_of_its_events() -> None:
    trigger = make_trigger({"idempotency": {"by": "header", "header": "X-Delivery"}})
    events = [number(1), number(2)]
    for _ in range(2):
        post(trigger, events, content_type=BATCH, x_delivery="d1")
    assert Run.objects.count() == 2
    post(trigger, events, content_type=BATCH, x_delivery="d2")
    assert Run.objects.count() == 4


def test_variables_are_read_once_for_a_whole_batch() -> None:
    """Shown to fail when each member reads them by itself."""
    flow = make_workflow()
    WorkflowVersion.objects.filter(workflow=flow).update(
        definition={"nodes": [], "variables": {"least": 3}}
    )
    rule = {
        "condition": "{{ trigger.payload.n >= variables.least }}",
        "idempotency": {
            "by": "template",
            "template": "{{ variables.least }}-{{ trigger.payload.n }}",
        },
    }
    trigger = make_trigger(rule, flow)
    with CaptureQueriesContext(connection) as queries:
        answer = post(trigger, [number(n) for n in range(6)], content_type=BATCH)
    found = [item["status"] for item in told(answer)["events"]]
    assert found == ["filtered"] * 3 + ["queued"] * 3
    asked = [query["sql"] for query in queries if "workflowversion" in query["sql"]]
    assert len(asked) == 1, asked


@pytest.mark.parametrize("body", [b"{}", b"7", b"null"])
def test_what_is_no_batch_is_400(body: bytes) -> None:
    answer = post(make_trigger(), body, content_type=BATCH)
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")


@pytest.mark.parametrize("body", [b"[", b" ", b"[" * 100_000, b"[{},]"])
def test_a_batch_that_is_no_json_is_400(body: bytes) -> None:
    answer = post(make_trigger(), body, content_type=BATCH)
    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")


def test_a_batch_has_a_largest_number_of_events() -> None:
    answer = batch([number(index) for index in range(MAX_EVENTS + 1)])
    assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")


def test_nobody_waits_for_the_answers_of_a_batch() -> None:
    answer = batch([number(1)], {"response_mode": "wait", "response_timeout": 30})
    assert answer.status_code == 202
    assert told(answer)["status"] == "queued"
    assert Job.objects.get().wants_answer is False


# --- data that is no text -------------------------------------------------------------


def test_binary_data_is_a_file() -> None:
    data = b"\x89PNG\r\n\x1a\n\x00"
    event = {**ABOUT, "datacontenttype": "image/png",
             "data_base64": base64.b64encode(data).decode()}  # fmt: skip
    post(make_trigger(), event, content_type=STRUCTURED)
    payload = scope()["payload"]
    assert (payload["content_type"], payload["size"]) == ("image/png", len(data))


# --- the handshake --------------------------------------------------------------------


def test_the_handshake_is_the_same_for_every_address() -> None:
    public = make_trigger()
    off = make_trigger({"scheme": "github"}, is_active=False)
    answers = []
    for address in (public.key, off.key, "nobody-has-this"):
        headers = {
            "WebHook-Request-Origin": "events.example.com",
            "WebHook-Request-Callback": "https://events.example.com/confirm?id=1",
            "WebHook-Request-Rate": "120",
        }
        answer = Client().options(f"/v1/webhooks/{address}", headers=headers)
        answers.append((answer.status_code, answer.content, dict(answer.headers)))
    assert answers[0] == answers[1] == answers[2]
    status, content, found = answers[0]
    assert (status, content) == (200, b"")
    assert found["Allow"] == "POST"
    assert found["WebHook-Allowed-Origin"] == "*"
    assert found["WebHook-Allowed-Rate"] == "*"
    assert not InboundEvent.objects.exists()


def test_options_that_ask_for_nothing_are_a_method_like_others() -> None:
    assert Client().options(f"/v1/webhooks/{make_trigger().key}").status_code == 405
    signed_one = make_trigger({"scheme": "github"})
    assert Client().options(f"/v1/webhooks/{signed_one.key}").status_code == 401


def test_the_handshake_asks_no_database(django_assert_num_queries: Any) -> None:
    asks = {"WebHook-Request-Origin": "a.b"}
    with django_assert_num_queries(0):
        answer = Client().options("/v1/webhooks/x", headers=asks)
    assert (answer.status_code, answer["WebHook-Allowed-Origin"]) == (200, "*")

"""/api/v1/webhooks: made, read, switched, rotated, tried, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, User
from automate.lib import jsonio
from runs.models import Run
from runs.services import trigger_payload
from tests.api_caller import Caller, wrong
from webhooks.models import InboundEvent
from workflows.models import Trigger, Workflow

pytestmark = pytest.mark.django_db
STEP = {"id": "a", "type": "log", "config": {"message": "hello"}}


@pytest.fixture
def flow(api: Caller) -> str:
    """The id of a published workflow without triggers."""
    made = api.post("workflows", {"name": "Orders", "nodes": [STEP]})
    assert made.status_code == 201, made.content
    found: str = made.json()["id"]
    return found


def make(api: Caller, flow: str, **more: Any) -> dict[str, Any]:
    answer = api.post("webhooks", {"workflow_id": flow, **more})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def send(url: str, payload: Any, **headers: str) -> Any:
    """As the sender: the address of a webhook, and a body."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    path = url.partition("/v1/webhooks/")[2]
    return Client().post(
        f"/v1/webhooks/{path}",
        jsonio.dumps(payload),
        content_type="application/json",
        headers=named,
    )


class TestCreate:
    def test_it_takes_events_at_once_from_who_knows_the_secret(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, event_type="order.paid", authentication={
            "type": "bearer", "token": "sesame-open-4711",
        })  # fmt: skip

        assert made["workflow_id"] == flow
        assert made["event_type"] == "order.paid"
        assert made["authentication"]["type"] == "bearer"
        assert made["secret"] is None  # the client knows it
        event = {"type": "order.paid", "n": 1}
        assert send(made["url"], event).status_code == 401
        taken = send(made["url"], event, Authorization="Bearer sesame-open-4711")
        assert taken.status_code == 202, taken.content
        other = {"type": "order.lost"}
        kept = send(made["url"], other, Authorization="Bearer sesame-open-4711")
        assert kept.json()["status"] == "filtered"
        assert trigger_payload(Run.objects.get()) == event

    def test_without_authentication_a_secret_is_made_and_shown_once(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, event_type="*")
        assert made["authentication"]["type"] == "standard_webhooks"
        assert made["secret"] == Trigger.objects.get().secret
        assert made["secret"].startswith("whsec_")
        assert made["events"] == []
        again = api.get(f"webhooks/{made['id']}")
        assert made["secret"] not in again.content.decode()
        assert "secret" not in again.json()
        assert again.json()["authentication"]["has_secret"] is True

    @pytest.mark.parametrize(
        "path", ["orders/paid", "/orders/paid", "/webhook/orders/paid"]
    )
    def test_the_path_may_be_chosen(self, api: Caller, flow: str, path: str) -> None:
        made = make(api, flow, url_path=path, authentication="none")
        assert made["url_path"] == "orders/paid"
        assert made["url"].endswith("/v1/webhooks/orders/paid")
        assert made["warnings"] != []  # anybody may send
        assert send(made["url"], {}).status_code == 202

    @pytest.mark.parametrize(
        ("given", "scheme", "secret"),
        [
            ("none", "none", None),
            ({"type": "hmac_sha256", "secret": "s3"}, "hmac", "s3"),
            ({"type": "HMAC-SHA512", "secret": "s3"}, "hmac", "s3"),
            ({"scheme": "hmac", "secret": "s3", "header": "X-Sig"}, "hmac", "s3"),
            ({"type": "api_key", "api_key": "k"}, "token", "k"),
            ({"type": "api_key", "key": "k", "header_name": "X-K"}, "token", "k"),
            ({"type": "header", "header": "X-T", "value": "v"}, "token", "v"),
            ({"type": "basic", "username": "u", "password": "p"}, "basic", "u:p"),
            ({"type": "bearer_token", "token": "t"}, "bearer", "t"),
            ({"type": "github", "secret": "g"}, "github", "g"),
        ],
    )
    def test_authentication_in_the_words_that_people_use(
        self, api: Caller, flow: str, given: Any, scheme: str, secret: str | None
    ) -> None:
        made = make(api, flow, authentication=given)
        row = Trigger.objects.get()
        assert (made["authentication"]["type"], row.secret) == (scheme, secret)
        if isinstance(given, dict) and ("header" in given or "header_name" in given):
            name = given.get("header") or given.get("header_name")
            assert made["authentication"]["header"] == name

    def test_method_and_headers(self, api: Caller, flow: str) -> None:
        made = make(
            api, flow, method="put", headers={"X-Env": "it's prod", "X-Any": None},
            authentication="none",
        )  # fmt: skip
        assert (made["method"], made["methods"]) == ("PUT", ["PUT"])
        assert made["headers"] == ["X-Env", "X-Any"]

        def put(**headers: str) -> Any:
            path = made["url"].partition("//")[2].partition("/")[2]
            named = {k.replace("_", "-"): v for k, v in headers.items()}
            return Client().put(f"/{path}", b"{}", headers=named)

        assert send(made["url"], {}).status_code == 405
        assert put(X_Any="1").status_code == 400
        assert put(X_Env="test", X_Any="1").json()["status"] == "filtered"
        assert put(X_Env="it's prod", X_Any="1").status_code == 202

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"colour": "red"}, "colour"),
            ({"authentication": {"type": "nope"}}, "authentication"),
            ({"authentication": {"secret": "x"}}, "authentication"),
            ({"authentication": 7}, "authentication"),
            (
                {"authentication": {"type": "bearer", "token": "a", "secret": "b"}},
                "authentication",
            ),
            (
                {"authentication": {"type": "bearer", "token": ""}},
                "authentication",
            ),
            (
                {"authentication": {"type": "hmac", "hash": "md5", "secret": "s"}},
                "authentication.hash",
            ),
            ({"authentication": {"type": "stripe"}}, "authentication"),
            ({"authentication": {"type": "none", "secret": "x"}}, "authentication"),
            ({"url_path": "a b"}, "url_path"),
            ({"method": "BREW"}, "method"),
            ({"method": 3}, "method"),
            ({"headers": {"Authorization": "x"}}, "headers"),
            ({"headers": ["a b"]}, "headers"),
            ({"event_type": 3}, "event_type"),
        ],
    )
    def test_what_is_wrong_is_told_in_the_words_of_the_body(
        self, api: Caller, flow: str, given: dict[str, Any], field: str
    ) -> None:
        found = wrong(api.post("webhooks", {"workflow_id": flow, **given}))
        assert set(found) == {field}, found
        assert not Trigger.objects.exists()

    def test_a_path_that_is_taken_is_told(self, api: Caller, flow: str) -> None:
        make(api, flow, url_path="orders")
        given = {"workflow_id": flow, "url_path": "orders"}
        assert "url_path" in wrong(api.post("webhooks", given))
        assert Trigger.objects.count() == 1

    def test_the_next_publish_leaves_it_alone(self, api: Caller) -> None:
        """Also of a document that lists its triggers, which had not this one."""
        hook = {"kind": "webhook", "config": {"path": "first"}}
        document = {"name": "Listed", "nodes": [STEP], "triggers": [hook]}
        flow = api.post("workflows", document).json()["id"]
        made = make(api, flow, url_path="orders", authentication="none")
        assert api.post(f"workflows/{flow}/publish").status_code == 200
        api.patch(f"workflows/{flow}", {"nodes": [STEP, {**STEP, "id": "b"}]})
        assert Trigger.objects.filter(is_active=True).count() == 2
        assert send(made["url"], {}).status_code == 202

    def test_an_archived_workflow_gets_none(self, api: Caller, flow: str) -> None:
        api.delete(f"workflows/{flow}")
        assert api.post("webhooks", {"workflow_id": flow}).status_code == 409

    def test_another_teams_workflow_does_not_exist(
        self, stranger: Caller, flow: str
    ) -> None:
        answer = stranger.post("webhooks", {"workflow_id": flow})
        assert answer.status_code == 404
        assert not Trigger.objects.exists()

    def test_the_audit_names_the_key_and_no_secret(
        self, api: Caller, flow: str
    ) -> None:
        auth = {"type": "bearer", "token": "canary-4711"}
        make(api, flow, authentication=auth)
        entry = AuditEntry.objects.get(action="trigger.create")
        assert entry.api_key is not None
        assert "canary-4711" not in str(
            list(AuditEntry.objects.values_list("changes", flat=True))
        )


class TestRead:
    def test_the_list_is_by_pages_and_filtered(
        self,
        api: Caller,
        flow: str,
        stranger: Caller,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        made = [make(api, flow)["id"] for _ in range(3)]
        Trigger.objects.create(workflow_id=flow, kind="api")
        api.patch(f"webhooks/{made[0]}", {"is_active": False})
        api.get("webhooks")
        with django_assert_max_num_queries(3):
            found = api.get("webhooks?limit=2").json()
        assert [row["id"] for row in found["results"]] == made[:0:-1]
        more = api.get(found["next"]).json()["results"]
        assert [row["id"] for row in more] == [made[0]]

        def count(query: str) -> int:
            return len(api.get(f"webhooks?{query}").json()["results"])

        assert count("is_active=true") == 2
        assert count(f"workflow={flow}") == count("workflow=orders") == 3
        assert "workflow" in wrong(api.get("webhooks?workflow=nowhere"))
        assert stranger.get("webhooks").json()["results"] == []
        assert "workflow" in wrong(stranger.get(f"webhooks?workflow={flow}"))

    @pytest.mark.parametrize(
        ("method", "below"),
        [
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"),
            ("POST", "/test"), ("DELETE", "/previous-secret"),
        ],
    )  # fmt: skip
    def test_another_teams_is_404(
        self, api: Caller, stranger: Caller, flow: str, method: str, below: str
    ) -> None:
        made = make(api, flow)
        body = {"is_active": False} if method == "PATCH" else None
        answer = stranger(method, f"webhooks/{made['id']}{below}", body)
        assert answer.status_code == 404
        assert Trigger.objects.get().is_active
        assert Trigger.objects.get().secret == made["secret"]

    def test_it_is_switched_off_and_on(self, api: Caller, flow: str) -> None:
        made = make(api, flow, authentication="none")
        path = f"webhooks/{made['id']}"
        assert api.patch(path, {"is_active": False}).json()["is_active"] is False
        assert send(made["url"], {}).status_code == 409
        assert api.patch(path, {"is_active": True}).json()["is_active"] is True
        assert send(made["url"], {}).status_code == 202

    def test_deleted_its_address_is_nobodys_and_its_runs_stay(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, url_path="orders", authentication="none")
        send(made["url"], {})
        assert api.delete(f"webhooks/{made['id']}").status_code == 204
        assert send(made["url"], {}).status_code == 401
        assert api.get(f"webhooks/{made['id']}").status_code == 404
        assert Run.objects.count() == 1
        api.post(f"workflows/{flow}/publish")
        assert not Trigger.objects.exists()
        assert Workflow.objects.get().definition["triggers"] == []


class TestFaults:
    @pytest.mark.parametrize(
        ("given", "field", "words"),
        [
            (
                {"type": "hmac", "colour": 1},
                "colour",
                "unknown key (known here: encoding, event_header, hash, header, "
                "id_header, prefix, timestamp_header, tolerance)",
            ),
            (
                {"type": "github", "colour": 1},
                "colour",
                "unknown key (none is allowed)",
            ),
            ({"type": "basic", "username": "x"}, "password", "is required"),
            ({"type": "basic", "password": "x"}, "username", "is required"),
        ],
    )
    def test_what_an_authentication_lacks_or_does_not_know_is_told(
        self, api: Caller, flow: str, given: dict[str, Any], field: str, words: str
    ) -> None:
        answer = api.post("webhooks", {"workflow_id": flow, "authentication": given})
        assert wrong(answer) == {f"authentication.{field}": words}

    def test_an_unknown_workflow_is_told_with_what_is_near(
        self, api: Caller, stranger: Caller, flow: str
    ) -> None:
        def said(caller: Caller) -> str:
            answer = caller.post("webhooks", {"workflow_id": "ordres"})
            assert answer.status_code == 404
            return str(answer.json()["error"]["message"])

        unknown = "There is no workflow ordres."
        assert said(api) == f"{unknown} Did you mean orders?"
        assert said(stranger) == unknown


class TestRotate:
    def test_the_old_secret_counts_until_its_time(self, api: Caller, flow: str) -> None:
        auth = {"type": "bearer", "token": "first-secret"}
        made = make(api, flow, authentication=auth)
        path = f"webhooks/{made['id']}"

        answer = api.post(f"{path}/rotate", {"keep_previous": "2h"})

        assert answer.status_code == 200, answer.content
        new = answer.json()["secret"]
        assert new == Trigger.objects.get().secret != "first-secret"
        for secret in ("first-secret", new):
            taken = send(made["url"], {"s": secret}, Authorization=f"Bearer {secret}")
            assert taken.status_code == 202
        shown = api.get(path).json()["authentication"]
        until = Trigger.objects.get().previous_secret_expires_at
        assert until is not None
        left = until - timezone.now()
        assert timedelta(minutes=119) < left < timedelta(minutes=121)
        assert shown["previous_secret_expires_at"] is not None
        assert shown["secret_used_at"] is not None
        assert shown["previous_secret_used_at"] is not None

        assert api.delete(f"{path}/previous-secret").status_code == 204
        old = send(made["url"], {"n": 3}, Authorization="Bearer first-secret")
        assert old.status_code == 401
        assert api.get(path).json()["authentication"]["previous_secret_used_at"] is None

    def test_with_a_secret_of_ones_own_nothing_is_shown(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, authentication={"type": "bearer", "token": "one"})
        given = {"secret": "second-secret", "keep_previous": 0}
        answer = api.post(f"webhooks/{made['id']}/rotate", given)
        assert answer.json()["secret"] is None
        row = Trigger.objects.get()
        assert (row.secret, row.previous_secret) == ("second-secret", None)

    @pytest.mark.parametrize(
        "given", [{"keep_previous": -1}, {"keep_previous": "soon"}, {"colour": 1}]
    )
    def test_what_is_wrong_is_told(
        self, api: Caller, flow: str, given: dict[str, Any]
    ) -> None:
        made = make(api, flow)
        assert set(wrong(api.post(f"webhooks/{made['id']}/rotate", given))) == set(
            given
        )

    def test_a_secret_that_does_not_fit_is_told_at_its_field(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow)
        found = wrong(api.post(f"webhooks/{made['id']}/rotate", {"secret": "short"}))
        assert set(found) == {"secret"}
        assert "whsec_" in found["secret"]
        assert Trigger.objects.get().secret == made["secret"]

    def test_what_has_no_secret_has_none_to_rotate(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, authentication="none")
        assert api.post(f"webhooks/{made['id']}/rotate").status_code == 409


class TestTest:
    @pytest.mark.parametrize(
        "auth",
        [
            None, "none", "github", "gitlab", "hmac", "bearer", "basic", "token",
            {"type": "stripe", "secret": "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="},
            {"type": "slack", "secret": "s"}, {"type": "shopify", "secret": "s"},
            {"type": "twilio", "secret": "s"},
        ],
    )  # fmt: skip
    def test_a_signed_event_becomes_a_run(
        self, api: Caller, flow: str, auth: Any
    ) -> None:
        made = make(api, flow, authentication=auth)
        answer = api.post(f"webhooks/{made['id']}/test", {"payload": {"n": 7}})
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert body["status"] == 202, body
        run = Run.objects.get()
        assert body["run_id"] == str(run.pk)
        assert trigger_payload(run) == {"n": 7}
        assert AuditEntry.objects.filter(action="trigger.test").count() == 1

    def test_it_passes_the_filter_of_events_by_itself(
        self, api: Caller, flow: str
    ) -> None:
        made = make(api, flow, event_type="order.*")
        body = api.post(f"webhooks/{made['id']}/test").json()
        assert body["status"] == 202, body
        assert trigger_payload(Run.objects.get())["type"] == "order.test"

    @pytest.mark.parametrize(
        "headers", [{"a\nb": "c"}, {"": "c"}, {"X-A": "b\r\nX-B: c"}, {"X-A": "\u2603"}]
    )
    def test_headers_that_nobody_can_send_are_refused(
        self, api: Caller, flow: str, headers: dict[str, str]
    ) -> None:
        made = make(api, flow)
        answer = api.post(f"webhooks/{made['id']}/test", {"headers": headers})
        assert "headers" in wrong(answer)

    def test_what_the_gates_say_is_told(self, api: Caller, flow: str) -> None:
        made = make(api, flow, event_type="order.paid")
        path = f"webhooks/{made['id']}/test"
        body = api.post(path, {"payload": {"type": "order.lost"}}).json()
        assert (body["status"], body["answer"]["status"]) == (200, "filtered")
        assert body["run_id"] is None
        assert InboundEvent.objects.get().reason == "filtered"
        api.patch(f"webhooks/{made['id']}", {"is_active": False})
        assert api.post(path).json()["status"] == 409

    def test_what_was_sent_is_shown_without_the_proof(
        self, api: Caller, flow: str
    ) -> None:
        auth = {"type": "bearer", "token": "canary-4711"}
        made = make(api, flow, authentication=auth)
        answer = api.post(f"webhooks/{made['id']}/test", {"payload": {"n": 7}})
        assert b"canary-4711" not in answer.content
        sent = answer.json()["sent"]
        assert sent["headers"]["Authorization"] == "[hidden]"
        assert (sent["url"], sent["body"]) == (made["url"], '{"n":7}')

    def test_a_sender_s_public_key_cannot_sign(self, api: Caller, flow: str) -> None:
        key = "whpk_" + "A" * 43 + "="
        auth = {"type": "standard_webhooks", "secret": key}
        made = make(api, flow, authentication=auth)
        answer = api.post(f"webhooks/{made['id']}/test")
        assert answer.status_code == 409
        assert "public key" in answer.json()["error"]["message"]

    def test_it_starts_a_run_and_so_needs_that_scope(
        self, api: Caller, user: User, flow: str
    ) -> None:
        made = make(api, flow)
        writer = Caller(user, "workflows:read", "workflows:write")
        assert writer.post(f"webhooks/{made['id']}/test").status_code == 403

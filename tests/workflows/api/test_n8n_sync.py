"""`integrations/n8n/sync`: a real n8n's API in, drafts and reports out."""

from __future__ import annotations

import json
import socket
import threading
import time
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from automate.accounts.models import AuditEntry, Team, User
from tests.makers import make_key, make_user
from tests.workflows.integrations.n8n.making import exported, node
from tests.workflows.integrations.n8n.server import KEY, FakeN8n, reply
from workflows.integrations.n8n import client as n8n_client
from workflows.models import Connection, N8nImport, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db


def flow(id_: str, name: str = "", **more: Any) -> dict[str, Any]:
    hook = node("Webhook", "webhook", {"path": f"in-{id_}", "httpMethod": "POST"}, 2)
    call = node("Call", "httpRequest", {"url": "https://x.example.com"}, 4.2)
    code = node("Code", "code", {"jsCode": "return items"}, 2)
    tree = exported(
        [hook, call, code], id=id_, active=True, tags=[{"id": "1", "name": "ops"}]
    )
    return {**tree, "name": name or f"Flow {id_}", **more}


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def user() -> User:
    return make_user()


def sync(
    user: User, url: str, *ids: str, scope: str = "workflows:write", **body: Any
) -> Any:
    data = {"n8n_url": url, "api_key": KEY, "workflow_ids": list(ids), **body}
    return Client().post(
        "/api/v1/integrations/n8n/sync",
        data,
        content_type="application/json",
        headers={"x-api-key": make_key(user, scope)},
    )


def test_the_chosen_workflows_become_drafts(user: User, httpserver: HTTPServer) -> None:
    n8n = FakeN8n(httpserver, flow("a1"), flow("b2"), flow("c3"))
    answer = sync(user, n8n.url, "a1", "c3")

    assert answer.status_code == 200, answer.content
    data = answer.json()
    assert (data["synced_count"], data["errors"]) == (2, [])
    assert {one["slug"] for one in data["workflows"]} == {"flow-a1", "flow-c3"}
    report = data["workflows"][0]["report"]
    assert report["counts"] == {"exact": 1, "approximate": 1, "unsupported": 1}
    assert {one["fidelity"] for one in report["nodes"]} == set(report["counts"])
    drafts = Workflow.objects.all()
    assert {row.status for row in drafts} == {"draft"}
    assert {row.owner for row in drafts} == {user}
    assert drafts[0].tags == ["ops"]
    assert not WorkflowVersion.objects.exists()


def test_without_ids_all_pages_are_read(user: User, httpserver: HTTPServer) -> None:
    flows = [flow(f"id{number}") for number in range(5)]
    n8n = FakeN8n(httpserver, *flows, flow("old", isArchived=True))
    data = sync(user, n8n.url).json()

    assert (data["synced_count"], data["errors"]) == (5, [])
    assert len(n8n.asked) == 3
    assert not Workflow.objects.filter(name="Flow old").exists()


def test_a_second_sync_changes_nothing(user: User, httpserver: HTTPServer) -> None:
    n8n = FakeN8n(httpserver, flow("a1"), flow("b2"))
    sync(user, n8n.url)
    before = list(Workflow.objects.order_by("pk").values())
    entries = AuditEntry.objects.count()
    data = sync(user, n8n.url).json()

    assert [one["outcome"] for one in data["workflows"]] == ["unchanged"] * 2
    assert data["synced_count"] == 2
    assert list(Workflow.objects.order_by("pk").values()) == before
    assert N8nImport.objects.count() == 2
    keys = AuditEntry.objects.filter(action__startswith="apikey").count()
    assert AuditEntry.objects.count() - keys == entries


def test_what_stands_in_the_way_is_told_until_it_is_mended(
    user: User, httpserver: HTTPServer
) -> None:
    given = flow("a1")
    credentials = {"httpHeaderAuth": {"id": "1", "name": "Shop CRM"}}
    parameters = {
        "url": "https://x.example.com",
        "authentication": "genericCredentialType",
        "genericAuthType": "httpHeaderAuth",
    }
    call = node("Asks", "httpRequest", parameters, 4.2)
    given["nodes"].append({**call, "credentials": credentials})
    n8n = FakeN8n(httpserver, given)
    (first,) = sync(user, n8n.url).json()["workflows"]
    (again,) = sync(user, n8n.url).json()["workflows"]
    assert (first["outcome"], again["outcome"]) == ("created", "unchanged")
    assert any('no connection "shop-crm"' in one for one in first["problems"])
    assert again["problems"] == first["problems"]

    Connection.objects.create(
        name="shop-crm", kind="header", base_url="https://x.test", credentials={}
    )
    (mended,) = sync(user, n8n.url).json()["workflows"]
    assert mended["outcome"] == "unchanged"
    assert not any("shop-crm" in one for one in mended["problems"])


def turned(tree: Any) -> Any:
    """The same JSON with the keys of each object in the other order."""
    if isinstance(tree, dict):
        return {key: turned(tree[key]) for key in reversed(tree)}
    return [turned(item) for item in tree] if isinstance(tree, list) else tree


def test_keys_in_another_order_change_nothing(
    user: User, httpserver: HTTPServer
) -> None:
    fields = {"values": {"string": [{"name": "b", "value": "1"}], "number": []}}
    given = flow("a1")
    given["nodes"] += [
        node("Two", "set", fields, 2),
        node("Three", "noOp"),
        node(
            "Four", "set", {"mode": "raw", "jsonOutput": {"x": {"y": 1, "z": 2}}}, 3.4
        ),
    ]
    given["connections"]["Code"] = {
        "main": [[{"node": n, "type": "main", "index": 0} for n in ("Two", "Three")]]
    }
    n8n = FakeN8n(httpserver, given)
    sync(user, n8n.url)
    before = list(Workflow.objects.values())
    n8n.workflows[0] = turned(given)
    data = sync(user, n8n.url).json()

    assert [one["outcome"] for one in data["workflows"]] == ["unchanged"]
    assert list(Workflow.objects.values()) == before


def test_a_workflow_more_costs_no_more_queries_when_nothing_changed(
    user: User, httpserver: HTTPServer
) -> None:
    n8n = FakeN8n(httpserver, *(flow(f"id{number}") for number in range(12)))
    counts = []
    for ids in (["id0", "id1"], [f"id{number}" for number in range(12)]):
        sync(user, n8n.url, *ids)
        with CaptureQueriesContext(connection) as queries:
            data = sync(user, n8n.url, *ids).json()
        assert {one["outcome"] for one in data["workflows"]} == {"unchanged"}
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_report_that_says_more_is_kept_though_the_draft_is_the_same(
    user: User, httpserver: HTTPServer
) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    sync(user, n8n.url)
    report = N8nImport.objects.get().report
    N8nImport.objects.update(report={"nodes": []})
    assert sync(user, n8n.url).json()["workflows"][0]["outcome"] == "unchanged"
    assert N8nImport.objects.get().report == report


def test_nothing_listens_there(user: User) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = sync(user, f"http://127.0.0.1:{port}").json()
    assert [one["code"] for one in data["errors"]] == ["UNREACHABLE"]


def test_no_public_api_is_told_as_that(user: User, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/workflows").respond_with_data("<html>", 404)
    data = sync(user, httpserver.url_for("")).json()
    assert data["errors"] == [
        {
            "workflow_id": None,
            "code": "NOT_FOUND",
            "message": "n8n answered 404: its public API is not at this address, or is "
            "switched off",
        }
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "UNAUTHORIZED"), (429, "RATE_LIMITED"), (500, "BAD_ANSWER")],
)
def test_a_status_that_is_none_of_an_answer(
    user: User, httpserver: HTTPServer, status: int, code: str
) -> None:
    httpserver.expect_request("/api/v1/workflows").respond_with_json({}, status)
    data = sync(user, httpserver.url_for("")).json()
    assert [one["code"] for one in data["errors"]] == [code]
    assert str(status) in data["errors"][0]["message"]


def test_what_was_read_before_a_refusal_is_imported(
    user: User, httpserver: HTTPServer
) -> None:
    def page(request: Request) -> Response:
        if request.args.get("cursor"):
            return reply({"message": "too many requests"}, 429)
        return reply({"data": [flow("a1")], "nextCursor": "c1"})

    httpserver.expect_request("/api/v1/workflows").respond_with_handler(page)
    data = sync(user, httpserver.url_for("")).json()
    assert data["synced_count"] == 1
    assert [one["code"] for one in data["errors"]] == ["RATE_LIMITED"]


def test_what_changed_in_n8n_changes_the_draft(
    user: User, httpserver: HTTPServer
) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    sync(user, n8n.url)
    n8n.workflows[0]["nodes"][1]["parameters"]["url"] = "https://y.example.com"
    data = sync(user, n8n.url).json()

    assert data["workflows"][0]["outcome"] == "updated"
    (draft,) = Workflow.objects.all()
    assert draft.definition["nodes"][0]["config"]["url"] == "https://y.example.com"


def test_what_was_edited_here_is_left_alone(user: User, httpserver: HTTPServer) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    sync(user, n8n.url)
    draft = Workflow.objects.get()
    draft.definition["nodes"][0]["config"]["url"] = "https://mine.example.com"
    draft.save()
    assert sync(user, n8n.url).json()["workflows"][0]["outcome"] == "unchanged"
    n8n.workflows[0]["nodes"][1]["parameters"]["url"] = "https://y.example.com"
    answer = sync(user, n8n.url).json()["workflows"][0]

    assert answer["outcome"] == "kept"
    assert "edited here" in answer["messages"][0]
    draft.refresh_from_db()
    assert draft.definition["nodes"][0]["config"]["url"] == "https://mine.example.com"


def test_workflows_that_run_each_other_find_each_other(
    user: User, httpserver: HTTPServer
) -> None:
    one, two = flow("a1"), flow("b2")
    for own, other in ((one, "b2"), (two, "a1")):
        own["nodes"][2] = node("Code", "executeWorkflow", {"workflowId": other}, 1)
    n8n = FakeN8n(httpserver, one, two)
    sync(user, n8n.url)

    called = {
        row.slug: row.definition["nodes"][1]["config"]["workflow"]
        for row in Workflow.objects.all()
    }
    assert called == {"flow-a1": "flow-b2", "flow-b2": "flow-a1"}
    outcomes = [one["outcome"] for one in sync(user, n8n.url).json()["workflows"]]
    assert outcomes == ["unchanged"] * 2


def test_one_id_that_there_is_not_takes_no_other_with_it(
    user: User, httpserver: HTTPServer
) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    httpserver.expect_request("/api/v1/workflows/zz").respond_with_json({}, 404)
    data = sync(user, n8n.url, "zz", "a1").json()

    assert data["synced_count"] == 1
    assert data["errors"] == [
        {
            "workflow_id": "zz",
            "code": "NOT_FOUND",
            "message": "n8n answered 404: it has no such workflow",
        }
    ]


def test_a_wrong_key_is_one_error(user: User, httpserver: HTTPServer) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    data = sync(user, n8n.url, "a1", "b2", api_key="nope").json()

    assert data["synced_count"] == 0
    assert [one["code"] for one in data["errors"]] == ["UNAUTHORIZED"]
    assert len(n8n.asked) == 1
    assert not Workflow.objects.exists()


def test_an_instance_that_is_slow_is_given_up(
    user: User, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(n8n_client, "TIMEOUT", 0.3)

    over = threading.Event()

    def late(_: Request) -> Response:
        over.wait(100)
        return reply({"data": []})

    httpserver.expect_request("/api/v1/workflows").respond_with_handler(late)
    began = time.monotonic()
    data = sync(user, httpserver.url_for("")).json()
    took = time.monotonic() - began
    over.set()

    assert [one["code"] for one in data["errors"]] == ["TIMEOUT"]
    assert took < 30


@pytest.mark.parametrize(
    "body",
    ["<html>", "[", "{}", '{"data": {}}', '{"data": [], "nextCursor": 7}', "[1]"],
)
def test_an_answer_that_is_none_is_an_error(
    user: User, httpserver: HTTPServer, body: str
) -> None:
    httpserver.expect_request("/api/v1/workflows").respond_with_data(body)
    data = sync(user, httpserver.url_for("")).json()
    assert [one["code"] for one in data["errors"]] == ["BAD_ANSWER"]


def test_pages_that_never_end_do(user: User, httpserver: HTTPServer) -> None:
    endless = {"data": [], "nextCursor": "same"}
    httpserver.expect_request("/api/v1/workflows").respond_with_json(endless)
    data = sync(user, httpserver.url_for("")).json()
    assert data["errors"][0]["message"] == "n8n's pages do not come to an end"


def test_a_broken_entry_is_told_and_the_others_synced(
    user: User, httpserver: HTTPServer
) -> None:
    listed = {
        "data": [{"id": "x", "name": "no nodes"}, 7, flow("a1")],
        "nextCursor": None,
    }
    httpserver.expect_request("/api/v1/workflows").respond_with_json(listed)
    data = sync(user, httpserver.url_for("")).json()

    assert data["synced_count"] == 1
    assert [one["code"] for one in data["errors"]] == ["NOT_A_WORKFLOW"] * 2


def test_a_redirect_is_followed_on_the_same_host_alone(
    user: User, httpserver: HTTPServer
) -> None:
    """Another host would be given the key."""
    seen: list[str] = []

    def away(request: Request) -> Response:
        seen.append(request.host)
        where = httpserver.url_for("/moved").replace("localhost", "127.0.0.1")
        where = (
            where.replace("127.0.0.1", "127.0.0.2") if "far" in request.path else where
        )
        return Response("", 307, headers={"Location": where})

    httpserver.expect_request("/near/api/v1/workflows").respond_with_handler(away)
    httpserver.expect_request("/far/api/v1/workflows").respond_with_handler(away)
    httpserver.expect_request("/moved").respond_with_json({"data": [flow("a1")]})
    base = f"http://127.0.0.1:{httpserver.port}"

    assert sync(user, f"{base}/near").json()["synced_count"] == 1
    refused = sync(user, f"{base}/far").json()
    assert [one["code"] for one in refused["errors"]] == ["ADDRESS_REFUSED"]


def test_a_private_address_is_refused(
    user: User, settings: Any, httpserver: HTTPServer
) -> None:
    settings.ALLOWED_NETWORKS = []
    data = sync(user, httpserver.url_for("")).json()

    assert [one["code"] for one in data["errors"]] == ["ADDRESS_REFUSED"]
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"n8n_url": "ftp://x"}, "n8n_url"),
        ({"n8n_url": "https://me:pw@n8n.example.com"}, "n8n_url"),
        ({"n8n_url": ""}, "n8n_url"),
        ({"api_key": ""}, "api_key"),
        ({"workflow_ids": "a"}, "workflow_ids"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_body_that_is_wrong_is_refused(user: User, body: Any, field: str) -> None:
    answer = sync(user, body.pop("n8n_url", "https://n8n.example.com"), **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"].startswith(field)


def test_it_needs_the_scope(user: User) -> None:
    assert (
        sync(user, "https://n8n.example.com", scope="workflows:read").status_code == 403
    )


def test_the_key_is_nowhere_afterwards(user: User, httpserver: HTTPServer) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    answer = sync(user, n8n.url)

    assert KEY not in answer.content.decode()
    rows = [
        *AuditEntry.objects.values(),
        *N8nImport.objects.values(),
        *Workflow.objects.values(),
    ]
    assert KEY not in json.dumps(rows, default=str)


def test_another_team_s_import_is_not_touched(
    user: User, httpserver: HTTPServer
) -> None:
    n8n = FakeN8n(httpserver, flow("a1"))
    sync(make_user("other@example.com"), n8n.url)
    team = Team.objects.create(slug="theirs", name="Theirs")
    Workflow.objects.update(team=team)
    data = sync(user, n8n.url).json()

    assert data["workflows"][0]["outcome"] == "created"
    assert data["workflows"][0]["slug"] == "flow-a1-2"
    assert Workflow.objects.count() == 2

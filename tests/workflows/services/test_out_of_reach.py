"""Publishing and checking tell of addresses that the guard will refuse."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import Team
from tests.admin_world import boss, signed_in
from tests.makers import make_workflow
from tests.runs.flows import loop, node
from workflows.models import Connection, Workflow
from workflows.services import create_workflow
from workflows.services.checking import validate_document
from workflows.services.out_of_reach import out_of_reach

pytestmark = pytest.mark.django_db
PRIVATE = "will be refused: 10.0.0.1 is a private address"
METADATA = "http://169.254.169.254/latest/meta-data"


def call(key: str = "a", **config: Any) -> dict[str, Any]:
    return node(key, "http_request", {"method": "POST", **config})


def warned(*nodes: dict[str, Any], team: Team | None = None) -> dict[str, str]:
    workflow = make_workflow(team=team)
    definition = {"nodes": list(nodes), "connections": []}
    found = out_of_reach(workflow, definition)
    return {problem.path: problem.message for problem in found}


def connection(name: str, url: str, team: Team | None = None) -> Connection:
    return Connection.objects.create(
        name=name, kind="bearer", base_url=url, credentials={"token": "t"}, team=team
    )


def test_a_step_s_own_address_the_one_of_its_verify_and_those_in_loops() -> None:
    verify = {"url": "http://127.0.0.1/{{ run.id }}", "happened": "true"}
    found = warned(
        call(url="http://10.0.0.1/x"),
        call("b", url="https://example.com", verify=verify),
        loop("each", [1], call("c", url=METADATA)),
        node("d", "set", {"values": {"url": "http://10.0.0.1"}}),
        call("e", url="https://example.com", body={"url": "http://10.0.0.1"}),
    )
    assert list(found) == [
        "nodes[0].config.url",
        "nodes[1].config.verify.url",
        "nodes[2].config.nodes[0].config.url",
    ]
    assert found["nodes[0].config.url"].startswith(PRIVATE)
    assert "AUTOMATE_ALLOWED_NETWORKS" in found["nodes[0].config.url"]
    assert "AUTOMATE" not in found["nodes[2].config.nodes[0].config.url"]


def test_a_connection_s_base_url_that_of_the_team_before_the_shared_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    connection("crm", "http://10.0.0.1", team)
    connection("crm", "https://crm.example.com")
    connection("shop", "http://10.0.0.2")
    steps = [call(url="/x", connection="crm"), call("b", url="/x", connection="shop")]
    found = warned(*steps, team=team)
    assert list(found) == ["nodes[0].config.connection", "nodes[1].config.connection"]
    assert "10.0.0.1 is a private address" in found["nodes[0].config.connection"]
    assert list(warned(*steps)) == ["nodes[1].config.connection"]
    workflow = make_workflow()
    with django_assert_num_queries(1):
        list(out_of_reach(workflow, {"nodes": steps, "connections": []}))


def test_what_the_settings_permit_is_not_told(settings: Settings) -> None:
    step = call(url="http://10.0.0.1/")
    settings.ALLOWED_NETWORKS = [ip_network("10.0.0.0/8")]
    assert not warned(step)
    settings.ALLOWED_NETWORKS = []
    settings.SERVED_NETWORKS = [ip_network("10.0.0.0/8")]
    assert not warned(step)
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    assert warned(step)


def test_publishing_and_checking_a_document_say_it() -> None:
    document = {
        "name": "Orders",
        "definition": {"nodes": [call(url="http://10.0.0.1/")], "connections": []},
    }
    checked = validate_document(document, Workflow())
    published = create_workflow(document, by=None)
    for warnings in (checked.warnings, published.warnings):
        assert [PRIVATE in warning.message for warning in warnings] == [True]


def test_saving_a_connection_in_the_admin_says_it() -> None:
    row = connection("crm", "https://crm.example.com")
    page = reverse("admin:workflows_connection_change", args=(row.pk,))
    form = {
        "name": "crm",
        "kind": "bearer",
        "base_url": "http://10.0.0.1",
        "new_value": "again",
        "status": "active",
        "proxy": "http://10.0.0.2:3128",
        "_continue": "1",
    }
    response = signed_in(boss()).post(page, form, follow=True)
    said = " ".join(map(str, response.context["messages"]))
    assert "Connection crm: requests to it will be refused: 10.0.0.1 is" in said
    assert "proxy: requests to it will be refused: 10.0.0.2 is" in said

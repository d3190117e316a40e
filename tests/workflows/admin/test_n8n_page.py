"""The page that says what became of an imported workflow's nodes."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from automate.accounts.models import Team
from tests.admin_world import REPORT, boss, flow, operator, signed_in
from workflows.models import Connection, N8nImport, Workflow

pytestmark = pytest.mark.django_db


def imported(**fields: Any) -> Workflow:
    workflow = flow(by=boss(), **fields)
    N8nImport.objects.create(
        workflow=workflow,
        source="https://n8n.example.com",
        source_id="2tUt1wbLX592XDdX",
        report=REPORT,
    )
    return workflow


def crm(**fields: Any) -> Connection:
    return Connection.objects.create(
        name="crm",
        kind="bearer",
        base_url="https://x.example",
        credentials={"token": "t"},
        **fields,
    )


def address(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_n8n", args=(workflow.pk,))


def text(workflow: Workflow) -> str:
    answer = signed_in(boss()).get(address(workflow))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_each_node_stands_under_its_fidelity_once() -> None:
    page = text(imported())
    parts = page.split('<section class="part')
    by_fidelity = {part.partition('id="')[2].partition('"')[0]: part for part in parts}
    for node in REPORT["nodes"]:  # type: ignore[attr-defined]
        assert page.count(f"<dt>{node['node']} ") == 1
        assert node["node"] in by_fidelity[node["fidelity"]]
        for sentence in (*node["differs"], *node["notes"]):
            escaped = sentence.replace("'", "&#x27;").replace('"', "&quot;")
            assert escaped in by_fidelity[node["fidelity"]]
    # What is left to do comes first.
    assert page.index('id="unsupported"') < page.index('id="exact"')


def test_a_credential_is_a_connection_that_is_there_or_is_to_be_made() -> None:
    workflow = imported()
    crm()
    page = text(workflow)
    assert "stands for the credential “CRM”" in page
    assert "The credential “c0” has no connection yet" in page


def test_another_team_s_connection_does_not_stand_for_it() -> None:
    crm(team=Team.objects.create(name="Other", slug="other"))
    assert "The credential “CRM” has no connection yet" in text(imported())


def test_a_variable_without_a_value_is_to_be_given_one() -> None:
    workflow = imported()
    workflow.definition["variables"] = {"HOST": "", "PORT": "80"}
    workflow.save()
    page = text(workflow)
    assert "<code>HOST</code> has no value" in page
    assert "<code>PORT</code>" not in page


def test_the_workflow_s_page_leads_there_when_it_was_imported() -> None:
    workflow, other = imported(), flow("other", by=boss())
    client = signed_in(boss())
    for one, is_there in ((workflow, True), (other, False)):
        page = client.get(reverse("admin:workflows_workflow_change", args=(one.pk,)))
        assert (address(one) in page.content.decode()) is is_there
    assert client.get(address(other)).status_code == 404


def test_only_who_may_see_the_workflow_sees_it() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = imported(team=team)
    sees = operator("workflows.view_workflow", team=team)
    assert signed_in(sees).get(address(workflow)).status_code == 200
    stranger = operator("workflows.view_workflow", team=None)
    assert signed_in(stranger).get(address(workflow)).status_code == 404
    assert signed_in(operator("runs.view_run", team=team)).get(
        address(workflow)
    ).status_code in (403, 404)


def test_a_report_of_an_older_import_is_no_crash() -> None:
    workflow = imported()
    N8nImport.objects.filter(workflow=workflow).update(report={})
    assert "The workflow has no nodes." in text(workflow)

"""`export_workflows`: what it prints can be imported again, and holds no secret."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from automate.accounts.models import Team
from workflows.models import Secret, Trigger, Workflow, WorkflowVersion
from workflows.services import create_workflow, read_documents

pytestmark = pytest.mark.django_db

FULL: dict[str, Any] = {
    "name": "Orders: on & off",
    "slug": "orders",
    "description": "Line one\nline two: yes",
    "tags": ["crm", "1e3"],
    "run_timeout": 600,
    "max_concurrent_runs": 4,
    "search_keys": {"order": "{{ trigger.payload.id }}"},
    "definition": {
        "nodes": [
            {"id": "hook", "type": "webhook", "config": {"scheme": "github"}},
            {
                "id": "build",
                "type": "set",
                "config": {"values": {"when": "2024-01-01", "n": 1.5, "s": "010"}},
            },
            {
                "id": "notify",
                "type": "http_request",
                "config": {
                    "url": "https://api.example.com/x",
                    "headers": {"Authorization": "Bearer tok-canary"},
                },
                "retry": {"max_attempts": 2},
            },
        ],
        "connections": [
            {"from": "hook", "to": "build"},
            {"from": "build", "to": "notify"},
        ],
        "variables": {"region": "no"},
        "output": {"status": "{{ steps.notify.status }}"},
    },
    "triggers": [
        {"kind": "api"},
        {"kind": "webhook", "config": {"path": "a/b"}, "secret": "unused-canary"},
    ],
}


def run(*args: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("export_workflows", *args, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def imported(text: str, path: Path, name: str) -> Workflow:
    file = path / name
    file.write_text(text, encoding="utf-8")
    call_command("import_workflows", str(file), "--publish", stdout=StringIO())
    return Workflow.objects.get(slug="orders")


def picture(workflow: Workflow) -> dict[str, Any]:
    """All of a workflow that an export is to carry."""
    assert workflow.published is not None
    fields = ("name", "description", "tags", "run_timeout", "max_concurrent_runs")
    rows = workflow.triggers.order_by("id")
    return {
        **{name: getattr(workflow, name) for name in fields},
        "search_keys": workflow.search_keys,
        "status": workflow.status,
        "draft": workflow.definition,
        "sha256": workflow.published.sha256,
        "triggers": [
            (row.kind, row.node_id, row.config, row.path, row.start) for row in rows
        ],
    }


def forget(workflow: Workflow) -> None:
    Workflow.objects.update(published=None, status="draft")
    WorkflowVersion.objects.all().delete()
    workflow.delete()


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_an_export_imported_into_an_empty_site_is_the_same_workflow(
    tmp_path: Path, kind: str
) -> None:
    workflow = create_workflow(FULL, by=None).workflow
    before = picture(workflow)
    code, text, _ = run("orders", "--format", kind)
    assert code == 0
    forget(workflow)
    assert not Trigger.objects.exists()
    assert picture(imported(text, tmp_path, f"flows.{kind}")) == before


def test_an_export_imported_over_itself_changes_nothing(tmp_path: Path) -> None:
    workflow = create_workflow(FULL, by=None).workflow
    keys = {row.pk: row.key for row in Trigger.objects.all()}
    _, text, _ = run()
    again = imported(text, tmp_path, "flows.yaml")
    assert picture(again) == picture(workflow)
    assert {row.pk: row.key for row in Trigger.objects.all()} == keys
    assert again.versions.count() == 1


def test_no_secret_value_is_exported() -> None:
    create_workflow(FULL, by=None)
    name = Secret.objects.get().name
    generated = Trigger.objects.get(node_id="hook").secret
    for args in ([], ["--format", "json"], ["--json"]):
        _, text, _ = run(*args)
        assert "{{ secrets." + name + " }}" in text
        assert "canary" not in text
        assert generated not in text


def test_a_literal_written_past_the_services_is_not_exported() -> None:
    Workflow.objects.create(slug="raw", name="Raw", definition=FULL["definition"])
    code, text, _ = run("raw")
    assert code == 0
    assert "tok-canary" not in text
    assert not Secret.objects.exists()


def test_triggers_made_by_hand_are_exported(tmp_path: Path) -> None:
    bare = {k: v for k, v in FULL.items() if k != "triggers"}
    workflow = create_workflow(bare, by=None).workflow
    row = Trigger.objects.create(workflow=workflow, kind="manual", start=["notify"])
    _, text, _ = run("--format", "json")
    exported = json.loads(text)[0]["triggers"]
    assert exported[1:] == [{"kind": "manual", "config": {}, "start": ["notify"]}]
    imported(text, tmp_path, "flows.json")
    assert workflow.triggers.get(kind="manual") == row


def test_many_workflows_are_many_documents() -> None:
    for slug in ("b", "a"):
        create_workflow({**FULL, "slug": slug, "triggers": []}, by=None)
    _, text, _ = run()
    slugs = [
        loaded.document["slug"]
        for loaded in read_documents(text.encode())
        if loaded.document
    ]
    assert slugs == ["a", "b"]


def test_an_unknown_slug_is_an_error_and_the_others_are_exported() -> None:
    create_workflow(FULL, by=None)
    code, out, err = run("nope", "orders", "--json")
    assert code == 1
    assert "nope: there is no such workflow" in err
    assert [w["slug"] for w in json.loads(out)["workflows"]] == ["orders"]


def test_a_draft_that_cannot_be_read_is_an_error() -> None:
    Workflow.objects.create(slug="odd", name="Odd", definition={"nodes": 3})
    code, _, err = run()
    assert code == 1
    assert "odd: nodes: must be a list" in err


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    create_workflow(FULL, by=None)
    file = tmp_path / "out.yaml"
    code, out, _ = run("--output", str(file))
    assert (code, out) == (0, f"Wrote 1 workflow(s) to {file}.\n")
    assert "slug: orders" in file.read_text(encoding="utf-8")
    _, out, _ = run("--output", str(file), "--json")
    assert json.loads(out)["workflows"] == ["orders"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run("--output", str(tmp_path / "no" / "where.yaml"))


def test_the_team_is_exported_by_its_slug(tmp_path: Path) -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    workflow = create_workflow(FULL, by=None, team=team).workflow
    _, text, _ = run()
    forget(workflow)
    assert imported(text, tmp_path, "flows.yaml").team == team

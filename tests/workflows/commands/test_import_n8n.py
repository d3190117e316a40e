"""`import_n8n`: files of n8n's in, drafts and a report out."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from automate.accounts.models import Team
from tests.makers import make_user
from tests.workflows.integrations.n8n.making import exported, node
from workflows.integrations.n8n.nodes import base
from workflows.models import N8nImport, Trigger, Workflow
from workflows.services import publish

pytestmark = pytest.mark.django_db


def flow(**more: Any) -> dict[str, Any]:
    fields = {
        "assignments": {"assignments": [{"name": "n", "value": "={{ $json.body.n }}"}]}
    }
    nodes = [
        node("Webhook", "webhook", {"path": "orders", "httpMethod": "POST"}, 2),
        node("Call", "httpRequest", {"url": "https://crm.example.com/x"}, 4.2),
        node("Set", "set", fields, 3.4),
        node("Code", "code", {"jsCode": "return 1"}, 2),
    ]
    return {**exported(nodes), "name": "Orders", **more}


def file(
    folder: Path, tree: Any, name: str = "orders.json", encoding: str = "utf-8"
) -> str:
    path = folder / name
    path.write_text(json.dumps(tree), encoding=encoding)
    return str(path)


def run(*args: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("import_n8n", *args, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def data_of(*args: str) -> dict[str, Any]:
    return dict(json.loads(run(*args, "--json")[1]))


def test_a_file_becomes_a_draft_and_its_report_is_a_table(tmp_path: Path) -> None:
    code, out, err = run(file(tmp_path, flow()))

    assert (code, err) == (0, "")
    workflow = Workflow.objects.get()
    assert (workflow.slug, workflow.name, workflow.status) == (
        "orders",
        "Orders",
        "draft",
    )
    assert workflow.published is None
    assert (
        "orders: created from orders.json (2 exact, 1 approximate, 1 unsupported)"
        in out
    )
    lines = [line.split() for line in out.splitlines()]
    assert ["Call", "httpRequest", "exact", "http_request"] in lines
    assert ["Code", "code", "unsupported", "placeholder"] in lines
    assert "code in JavaScript or Python does not run here" in out


def test_nothing_fires_before_somebody_publishes(tmp_path: Path) -> None:
    """Not even where the workflow was active in n8n."""
    run(file(tmp_path, flow(active=True)))
    assert not Trigger.objects.exists()
    workflow = Workflow.objects.get()

    publish(workflow, by=None)
    assert [(t.kind, t.path, t.is_active) for t in Trigger.objects.all()] == [
        ("webhook", "orders", True)
    ]


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    name = file(tmp_path, flow())
    run(name)
    before = list(Workflow.objects.values())
    found = data_of(name)

    assert [one["outcome"] for one in found["workflows"]] == ["unchanged"]
    assert list(Workflow.objects.values()) == before
    assert N8nImport.objects.count() == 1


def test_a_changed_file_changes_the_draft_unless_it_was_edited_here(
    tmp_path: Path,
) -> None:
    run(file(tmp_path, flow()))
    name = file(tmp_path, flow(name="Orders 2"))
    assert data_of(name)["workflows"][0]["outcome"] == "updated"
    draft = Workflow.objects.get()
    assert draft.name == "Orders 2"
    draft.definition["nodes"] = draft.definition["nodes"][:1]
    draft.save()
    name = file(tmp_path, flow(name="Orders 3"))
    assert data_of(name)["workflows"][0]["outcome"] == "kept"
    assert data_of(name, "--overwrite")["workflows"][0]["outcome"] == "updated"
    assert Workflow.objects.get().name == "Orders 3"


def test_an_id_finds_the_workflow_whatever_its_file(tmp_path: Path) -> None:
    tree = flow(id="Ab12Cd34Ef56Gh78")
    run(file(tmp_path, tree, "one.json"))
    assert (
        data_of(file(tmp_path, tree, "two.json"))["workflows"][0]["outcome"]
        == "unchanged"
    )


def test_workflows_of_one_name_are_two(tmp_path: Path) -> None:
    one, two = file(tmp_path, flow(), "a.json"), file(tmp_path, flow(), "b.json")
    found = data_of(one, two)
    assert [item["slug"] for item in found["workflows"]] == ["orders", "orders-2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [t], lambda t: {"data": [t]}])
def test_each_form_of_a_file(tmp_path: Path, encoding: str, wrap: Any) -> None:
    code, _, _ = run(file(tmp_path, wrap(flow()), encoding=encoding))
    assert (code, Workflow.objects.count()) == (0, 1)


def test_a_dry_run_does_nothing(tmp_path: Path) -> None:
    code, out, _ = run(file(tmp_path, flow()), "--dry-run")
    assert code == 0
    assert "orders: would be created" in out
    assert not Workflow.objects.exists()


def test_what_cannot_be_read_is_told_and_the_others_imported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{nope")
    code, _, err = run(
        str(broken), str(tmp_path / "absent.json"), file(tmp_path, [flow(), {"a": 1}])
    )
    assert code == 1
    assert "broken.json: is not JSON" in err
    assert "absent.json: cannot be read" in err
    assert 'orders.json, number 2: has no list "nodes"' in err
    assert Workflow.objects.count() == 1


def test_what_is_still_to_be_made_is_told(tmp_path: Path) -> None:
    tree = flow()
    tree["nodes"][1]["credentials"] = {"httpHeaderAuth": {"id": "1", "name": "CRM"}}
    tree["nodes"][1]["parameters"] |= {
        "authentication": "genericCredentialType",
        "genericAuthType": "httpHeaderAuth",
    }
    _, out, _ = run(file(tmp_path, tree))
    assert 'there is no connection "crm" for this workflow; create it' in out
    assert "signs in as: CRM" in out


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    """docs/n8n.md has this very file as its example."""
    page = (settings.BASE_DIR / "docs" / "n8n.md").read_text()
    shown = page.partition("```text\n")[2].partition("```")[0]
    _, out, _ = run(file(tmp_path, flow()))
    assert out.startswith(shown)


def test_the_page_names_each_node_that_is_converted() -> None:
    page = (settings.BASE_DIR / "docs" / "n8n.md").read_text()
    base.load()
    names = {
        "httpRequest": "HTTP Request", "noOp": "No Operation",
        "emailSend": "Send Email",
        "splitInBatches": "Split in Batches", "if": "IF",
        "respondToWebhook": "Respond to Webhook", "executeWorkflow": "Execute Workflow",
        "stopAndError": "Stop and Error", "splitOut": "Split Out",
    }  # fmt: skip
    for type_ in base._steps:
        kind = type_.rpartition(".")[2]
        if kind != "limit":
            assert names.get(kind, kind.capitalize()) in page, kind


def test_what_nobody_owns_says_so_and_may_be_given_an_owner(tmp_path: Path) -> None:
    person, other = make_user(email="ops@example.com"), make_user()
    path = file(tmp_path, flow())
    _, out, _ = run(path)
    assert "note: nobody owns it; --owner EMAIL names who does" in out
    _, out, _ = run(path, "--owner", "OPS@example.com")
    assert "nobody owns it" not in out
    assert Workflow.objects.get().owner == person
    run(path, "--owner", other.email)
    assert Workflow.objects.get().owner == person


def test_a_new_one_has_the_owner_and_the_team_from_the_first(tmp_path: Path) -> None:
    person = make_user(email="ops@example.com")
    team = Team.objects.create(name="Sales", slug="sales")
    path = file(tmp_path, flow())
    [told] = data_of(path, "--owner", person.email, "--team", "sales")["workflows"]
    assert (told["owner"], told["team"]) == ("ops@example.com", "sales")
    workflow = Workflow.objects.get()
    assert (workflow.owner, workflow.team) == (person, team)


@pytest.mark.parametrize(
    ("option", "said"),
    [("--owner", "there is nobody with"), ("--team", "there is no team")],
)
def test_an_unknown_owner_or_team_is_refused_before_anything_is_done(
    tmp_path: Path, option: str, said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        run(file(tmp_path, flow()), option, "nobody@example.com")
    assert not Workflow.objects.exists()


def test_a_folder_is_its_json_files_sorted(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.JSON"):
        file(tmp_path, flow(name=name.split(".")[0]), name)
    (tmp_path / "notes.txt").write_text("no workflow")
    (tmp_path / "d.json").mkdir()
    found = data_of(str(tmp_path))["workflows"]
    assert [one["source_id"] for one in found] == ["a.json", "b.json", "c.JSON"]
    assert {one["outcome"] for one in found} == {"created"}


def test_a_folder_without_files_is_told_and_the_others_are_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = run(str(tmp_path / "empty"), file(tmp_path, flow()))
    assert code == 1
    assert "no file to import is in this folder" in err
    assert "orders: created" in out


def test_a_reader_that_goes_is_no_fault(tmp_path: Path) -> None:
    """As of `| head`, which reads some lines and ends."""
    code = (
        "import sys; from workflows.management.files import telling\n"
        "with telling():\n"
        "    sys.stdin.readline(); print('x' * 100_000)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=settings.BASE_DIR,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""

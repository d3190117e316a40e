"""`import_workflows`: files in, workflows out, errors with their place."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from automate.accounts.models import AuditEntry, Team
from tests.makers import make_user
from workflows.models import Secret, Trigger, Workflow

pytestmark = pytest.mark.django_db

GOOD = """\
name: Orders
slug: orders
description: Tells the CRM
steps:
  - {name: notify, type: webhook, config: {url: "https://api.example.com/x"}}
triggers:
  - {kind: webhook, config: {scheme: github}, secret: It's a Secret to Everybody}
"""
BAD = """\
slug: bad
steps:
  - {name: notify, type: webhook, config: {}}
  - {name: other, type: nope}
"""


def write(path: Path, text: str, name: str = "flows.yaml") -> str:
    file = path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def run(*args: str, **options: Any) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("import_workflows", *args, stdout=out, stderr=err, **options)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def report(*args: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(*args, "--json")
    return code, json.loads(out)


def test_an_import_without_publish_is_a_draft(tmp_path: Path) -> None:
    code, out, err = run(write(tmp_path, GOOD))
    assert (code, err) == (0, "")
    workflow = Workflow.objects.get()
    assert (workflow.slug, workflow.status) == ("orders", "draft")
    assert workflow.description == "Tells the CRM"
    assert workflow.published is None
    assert "orders: created, saved" not in out
    assert "orders: created as draft (draft)" in out


def test_what_nobody_owns_says_so_and_may_be_given_an_owner(tmp_path: Path) -> None:
    person, other = make_user("ops@example.com"), make_user("dev@example.com")
    team = Team.objects.create(name="Sales", slug="sales")
    file = write(tmp_path, GOOD)
    _, out, _ = run(file)
    assert "note: nobody owns it; --owner EMAIL names who does" in out
    _, out, _ = run(file, "--owner", "OPS@example.com", "--team", "sales")
    assert "nobody owns" not in out
    workflow = Workflow.objects.get()
    assert (workflow.owner, workflow.team) == (person, None)
    run(file, "--owner", other.email)
    workflow.refresh_from_db()
    assert workflow.owner == person
    workflow.delete()
    _, told = report(file, "--owner", person.email, "--team", "sales")
    (item,) = told["workflows"]
    assert (item["owner"], item["team"]) == ("ops@example.com", "sales")
    workflow = Workflow.objects.get()
    assert (workflow.owner, workflow.team) == (person, team)


@pytest.mark.parametrize(
    ("option", "words"),
    [("--owner", "there is nobody with"), ("--team", "there is no team")],
)
def test_an_unknown_owner_or_team_is_refused_before_anything_is_done(
    tmp_path: Path, option: str, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run(write(tmp_path, GOOD), option, "nobody@example.com")
    assert not Workflow.objects.exists()


def test_publish_prints_the_address_of_each_trigger(tmp_path: Path) -> None:
    code, out, _ = run(write(tmp_path, GOOD), "--publish")
    row = Trigger.objects.get()
    assert code == 0
    assert "orders: created, published as version 1 (active)" in out
    assert f"webhook: {settings.PUBLIC_URL}/v1/webhooks/{row.key}" in out
    assert row.is_active


def test_a_given_secret_is_kept_and_never_printed(tmp_path: Path) -> None:
    _, out, _ = run(write(tmp_path, GOOD), "--publish")
    assert Trigger.objects.get().secret == "It's a Secret to Everybody"
    assert "Everybody" not in out
    assert "Everybody" not in repr(list(AuditEntry.objects.values()))
    assert "Everybody" not in json.dumps(Workflow.objects.get().definition)


def test_a_drafts_secret_waits_encrypted_for_the_publish(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    run(file)
    row = Trigger.objects.get()
    assert (row.is_active, row.secret) == (False, "It's a Secret to Everybody")
    run(file, "--publish")
    published = Trigger.objects.get()
    assert (published.pk, published.key) == (row.pk, row.key)
    assert published.is_active
    assert published.previous_secret is None


def test_a_generated_secret_is_printed_once(tmp_path: Path) -> None:
    text = GOOD.replace(", secret: It's a Secret to Everybody", "")
    file = write(tmp_path, text)
    _, out, _ = run(file, "--publish")
    secret = Trigger.objects.get().secret
    assert f"signing secret, shown only now: {secret}" in out
    _, again, _ = run(file, "--publish")
    assert secret not in again


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    run(file, "--publish")
    before = Workflow.objects.values().get(), Trigger.objects.values().get()
    audit = AuditEntry.objects.count()
    code, found = report(file, "--publish")
    assert (code, found["workflows"][0]["created"]) == (0, False)
    assert found["workflows"][0]["version"] == 1
    after = Workflow.objects.values().get(), Trigger.objects.values().get()
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in old.items() if k != "updated_at"} == {
            k: v for k, v in new.items() if k != "updated_at"
        }
    assert AuditEntry.objects.count() == audit


def test_a_bad_document_is_told_by_file_number_and_place(tmp_path: Path) -> None:
    file = write(tmp_path, f"{GOOD}---\n{BAD}")
    code, _, err = run(file)
    assert code == 1
    assert f"{file}, document 2: steps[0].config.url: is required" in err
    assert f"{file}, document 2: steps[1].type: unknown step type" in err
    assert list(Workflow.objects.values_list("slug", flat=True)) == ["orders"]


def test_a_draft_may_have_problems_and_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, f"status: draft\n{BAD}")
    code, out, _ = run(file, "--publish")
    assert code == 0
    assert "bad: created as draft (draft)" in out
    assert "to mend before it can be published: steps[0].config.url" in out


def test_several_files_are_imported_each_by_itself(tmp_path: Path) -> None:
    broken = write(tmp_path, "a: [", "broken.yaml")
    good = write(tmp_path, GOOD)
    missing = str(tmp_path / "missing.yaml")
    code, found = report(broken, missing, good)
    assert code == 1
    assert [item["slug"] for item in found["workflows"]] == ["orders"]
    assert [error["file"] for error in found["errors"]] == [broken, missing]
    assert "line 1" in found["errors"][0]["message"]
    assert "No such file" in found["errors"][1]["message"]


def test_a_dry_run_writes_nothing_and_says_what_would_be(tmp_path: Path) -> None:
    literal = GOOD.replace(
        "config: {url", "config: {headers: {Authorization: Bearer tok-1234}, url"
    )
    code, out, _ = run(write(tmp_path, literal), "--publish", "--dry-run")
    assert code == 0
    assert "orders: would be created, published as version 1" in out
    assert "a new address, made by the import" in out
    for model in (Workflow, Trigger, Secret, AuditEntry):
        assert not model._default_manager.exists()


def test_a_dry_run_tells_documents_that_clash(tmp_path: Path) -> None:
    hook = GOOD.replace("{scheme: github}", "{scheme: github, path: hook}")
    other = hook.replace("slug: orders", "slug: other")
    code, _, err = run(write(tmp_path, f"{hook}---\n{other}"), "--publish", "--dry-run")
    assert code == 1
    assert 'document 2: triggers[0].config.path: "hook" is taken' in err


def test_json_files_hold_one_document_or_a_list(tmp_path: Path) -> None:
    one = {"slug": "one", "steps": [{"type": "delay", "config": {"duration": 1}}]}
    two = {**one, "slug": "two"}
    single = write(tmp_path, json.dumps(one), "one.json")
    many = write(tmp_path, json.dumps([one, two]), "many.json")
    assert report(single)[0] == 0
    code, found = report(many)
    assert code == 0
    assert [(w["slug"], w["document"]) for w in found["workflows"]] == [
        ("one", 1),
        ("two", 2),
    ]


def test_a_document_without_a_name_gets_the_files(tmp_path: Path) -> None:
    text = "steps: [{type: delay, config: {duration: 1}}]"
    file = write(tmp_path, f"{text}\n---\n{text}", "night shift.yaml")
    assert report(file)[0] == 0
    names = Workflow.objects.order_by("slug").values_list("slug", "name")
    assert list(names) == [
        ("night-shift", "night shift"),
        ("night-shift-2", "night shift 2"),
    ]


def test_the_status_of_a_published_document_is_kept(tmp_path: Path) -> None:
    run(write(tmp_path, f"status: inactive\n{GOOD}"), "--publish")
    workflow = Workflow.objects.get()
    assert (workflow.status, workflow.published is not None) == ("inactive", True)


def test_an_archived_document_can_be_imported_twice(tmp_path: Path) -> None:
    file = write(tmp_path, f"status: archived\n{GOOD}")
    assert run(file, "--publish")[0] == 0
    assert run(file, "--publish")[0] == 0
    assert Workflow.objects.get().status == "archived"


def test_a_missing_secret_is_told_by_name_and_stops_the_publish(tmp_path: Path) -> None:
    text = GOOD.replace(
        "config: {url", "config: {headers: {X-Key: '{{ secrets.CRM }}'}, url"
    )
    file = write(tmp_path, text)
    code, out, _ = run(file)
    assert code == 0
    assert 'there is no secret "CRM"' in out
    code, _, err = run(file, "--publish")
    assert code == 1
    assert 'steps[0].config.headers.X-Key: there is no secret "CRM"' in err


def test_warnings_and_notes_are_printed(tmp_path: Path) -> None:
    text = GOOD.replace("{scheme: github}, secret: It's a Secret to Everybody", "{}")
    text = text.replace(
        "config: {url", "config: {headers: {Authorization: Bearer tok-1234}, url"
    )
    code, out, _ = run(write(tmp_path, text), "--publish")
    assert code == 0
    assert "warning: triggers[0]: has no signature scheme" in out
    assert "note: steps[0].config.headers.Authorization: held a credential" in out
    assert "tok-1234" not in out


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("{kind: schedule}", "triggers[0].config.cron: is required"),
        ("{kind: webhook, config: {rate_limit: 5}}", "a unit of time: 10/s"),
        (
            "{kind: webhook, config: {scheme: standard_webhooks}, secret: '%%'}",
            'must be "whsec_" followed by base64',
        ),
    ],
)
def test_what_a_trigger_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, trigger: str, message: str
) -> None:
    head = GOOD.split("triggers:", maxsplit=1)[0]
    code, _, err = run(write(tmp_path, f"{head}triggers:\n  - {trigger}\n"))
    assert code == 1
    assert "document 1: triggers[0]" in err
    assert message in err


def test_a_folder_is_its_documents_sorted(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json"):
        write(tmp_path, '{"steps": [{"id": "a", "type": "set", "config": {}}]}', name)
    write(tmp_path, "no document", "notes.txt")
    _, found = report(str(tmp_path))
    told = [*found["workflows"], *found["errors"]]
    assert [Path(one["file"]).name for one in told] == ["a.yaml", "b.yml", "c.json"]

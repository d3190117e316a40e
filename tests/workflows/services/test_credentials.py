"""Literals become secrets once; names are looked up in the team's view alone."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import AuditEntry, Team
from automate.lib.encryption import Unreadable
from workflows.definition import normalise, validate
from workflows.models import Connection, Secret
from workflows.services.credentials import missing_names, settle, store_literals
from workflows.services.documents import parse_document

pytestmark = pytest.mark.django_db

NAME = "NOTIFY_AUTHORIZATION"


def document(*headers: dict[str, str], **config: Any) -> dict[str, Any]:
    steps = [
        {
            "id": "notify" if number == 0 else f"notify-{number}",
            "type": "http_request",
            "config": {"url": "https://a.example.com", "headers": given, **config},
        }
        for number, given in enumerate(headers)
    ]
    return {"steps": steps}


def definition(*headers: dict[str, str], **config: Any) -> dict[str, Any]:
    return normalise(document(*headers, **config)).definition


def header(found: dict[str, Any], node: int = 0) -> str:
    text: str = found["nodes"][node]["config"]["headers"]["Authorization"]
    return text


def test_a_literal_is_stored_for_the_team_and_audited_without_its_value() -> None:
    team = Team.objects.create(name="T", slug="t")
    found, messages = store_literals(
        definition({"Authorization": "Bearer tok-canary"}), team, None
    )
    secret = Secret.objects.get()
    assert (secret.team, secret.name, secret.value) == (team, NAME, "tok-canary")
    assert header(found) == f"Bearer {{{{ secrets.{NAME} }}}}"
    assert [m.path for m in messages] == ["nodes[0].config.headers.Authorization"]
    assert "canary" not in repr(messages) + repr(list(AuditEntry.objects.values()))


def test_a_name_that_is_taken_gets_a_number_in_text_and_message() -> None:
    Secret.objects.create(name=NAME, value="another value")
    found, [message] = store_literals(
        definition({"Authorization": "tok-two"}), None, None
    )
    assert header(found) == f"{{{{ secrets.{NAME}_2 }}}}"
    assert message.message.endswith(f"the secret {NAME}_2")
    assert Secret.objects.get(name=NAME).value == "another value"


def test_a_shared_secrets_name_is_not_taken_over() -> None:
    """The team's own would hide the shared one from every other workflow of it."""
    team = Team.objects.create(name="T", slug="t")
    Secret.objects.create(team=None, name=NAME, value="tok-one")
    found, _ = store_literals(definition({"Authorization": "tok-one"}), team, None)
    assert header(found) == f"{{{{ secrets.{NAME}_2 }}}}"
    assert Secret.objects.get(team=team).name == f"{NAME}_2"


def test_another_teams_secret_is_neither_reused_nor_avoided() -> None:
    mine = Team.objects.create(name="M", slug="m")
    theirs = Team.objects.create(name="T", slug="t")
    Secret.objects.create(team=theirs, name=NAME, value="tok-one")
    store_literals(definition({"Authorization": "tok-one"}), mine, None)
    assert Secret.objects.get(team=mine).name == NAME


def test_equal_values_share_a_secret_and_different_ones_do_not() -> None:
    texts = ["Bearer same", "Bearer same", "Bearer other"]
    store_literals(definition(*({"Authorization": t} for t in texts)), None, None)
    assert sorted(s.value for s in Secret.objects.all()) == ["other", "same"]


def test_names_that_trade_places_are_not_mixed_up() -> None:
    """NAME and NAME_2 exist with other values: each literal needs a third name."""
    Secret.objects.create(name=NAME, value="old")
    Secret.objects.create(name=f"{NAME}_2", value="older")
    Secret.objects.create(name="NOTIFY_1_AUTHORIZATION", value="old-1")
    found, _ = store_literals(
        definition({"Authorization": "new-0"}, {"Authorization": "new-1"}), None, None
    )
    values = {secret.name: secret.value for secret in Secret.objects.all()}
    for node in (0, 1):
        name = header(found, node).removeprefix("{{ secrets.").removesuffix(" }}")
        assert values[name] == f"new-{node}"


def test_an_unreadable_secret_is_never_taken_for_the_same() -> None:
    secret = Secret.objects.create(name=NAME, value="tok")
    secret.value = Unreadable("0badc0de", b"0badc0de:xx")
    secret.save()
    found, _ = store_literals(definition({"Authorization": "tok"}), None, None)
    assert header(found) == f"{{{{ secrets.{NAME}_2 }}}}"


def test_a_reference_of_the_author_is_left_alone() -> None:
    Secret.objects.create(name=NAME, value="authors")
    given = definition(
        {"Authorization": "tok-new"}, {"X-Other": f"{{{{ secrets.{NAME} }}}}"}
    )
    found, _ = store_literals(given, None, None)
    other = found["nodes"][1]["config"]["headers"]["X-Other"]
    assert other == f"{{{{ secrets.{NAME} }}}}"
    assert header(found) != other


def test_what_was_given_is_not_changed() -> None:
    given = definition({"Authorization": "Bearer tok"})
    store_literals(given, None, None)
    assert header(given) == "Bearer tok"


def test_every_missing_name_is_told_at_its_place() -> None:
    given = definition(
        {"X-A": "{{ secrets.A }}", "X-B": "{{ secrets.B }} {{ secrets.C }}"},
        connection="crm",
        signing={"scheme": "standard_webhooks", "secret": "{{ secrets.D }}"},
    )
    Secret.objects.create(name="B", value="v")
    found = {(p.path, p.message.split('"')[1]) for p in missing_names(given, None)}
    base = "nodes[0].config"
    assert found == {
        (f"{base}.headers.X-A", "A"),
        (f"{base}.headers.X-B", "C"),
        (f"{base}.signing.secret", "D"),
        (f"{base}.connection", "crm"),
    }


def test_a_workflow_of_no_team_uses_shared_names_only() -> None:
    team = Team.objects.create(name="T", slug="t")
    Secret.objects.create(team=team, name="A", value="v")
    Connection.objects.create(
        team=team, name="crm", kind="bearer", base_url="https://c.example.com",
        credentials={"token": "t"},
    )  # fmt: skip
    given = definition({"X-A": "{{ secrets.A }}"}, connection="crm")
    assert len(missing_names(given, None)) == 2
    assert missing_names(given, team) == []


def test_names_in_a_draft_that_is_unsound_are_looked_up_all_the_same() -> None:
    steps = [
        {"type": "nope", "config": 3},
        {"id": 4, "type": "delay"},
        document({"X-A": "{{ secrets.A }} {{ broken"})["steps"][0],
        document({"X-A": "{{ secrets.A }}"})["steps"][0] | {"id": "last"},
    ]
    parsed = parse_document({"steps": steps}, allow_problems=True)
    _, _, problems = settle(parsed, None, None)
    assert [p.path for p in problems] == ["steps[3].config.headers.X-A"]


def test_settling_tells_a_literal_where_no_secret_can_be() -> None:
    given = {"steps": [{"type": "set", "config": {"values": {"t": "ghp_" + "a" * 36}}}]}
    parsed = parse_document(given)
    assert validate(parsed.definition, {}) != []
    settled, messages, problems = settle(parsed, None, None)
    assert [p.path for p in problems] == ["steps[0].config.values.t"]
    assert [m.path for m in messages] == ["steps[0].config.values.t"]
    assert "ghp_" not in repr(settled.definition)

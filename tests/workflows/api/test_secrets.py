"""/api/v1/secrets: values go in and never come out."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, Team, User
from tests.api_caller import Caller, wrong
from tests.makers import make_user
from workflows.models import Secret

pytestmark = pytest.mark.django_db
CANARY = "canary-4711-value"


def make(api: Caller, **more: Any) -> dict[str, Any]:
    given = {"name": "CRM_KEY", "value": CANARY, **more}
    answer = api.post("secrets", given)
    assert answer.status_code == 201, answer.content
    assert CANARY not in answer.content.decode()
    found: dict[str, Any] = answer.json()
    return found


def test_a_secret_goes_in_and_never_comes_out(api: Caller, team: Team) -> None:
    made = make(api, allowed_hosts=["API.example.com", "*.example.org"])
    row = Secret.objects.get()
    assert (row.value, row.team) == (CANARY, team)
    assert made["allowed_hosts"] == ["api.example.com", "*.example.org"]
    assert made["written"] == "{{ secrets.CRM_KEY }}"
    path = f"secrets/{made['id']}"
    for answer in (
        api.get(path),
        api.get("secrets"),
        api.patch(path, {"value": CANARY}),
    ):
        assert answer.status_code == 200
        assert CANARY not in answer.content.decode()
    changes = list(AuditEntry.objects.values_list("changes", flat=True))
    assert CANARY not in str(changes)


def test_another_value_is_a_rotation(api: Caller) -> None:
    made = make(api)
    body = api.patch(f"secrets/{made['id']}", {"value": "second"}).json()
    assert body["rotated_at"] is not None
    assert Secret.objects.get().value == "second"
    entry = AuditEntry.objects.get(action="secret.change")
    assert entry.api_key is not None
    assert "second" not in str(entry.changes)


def test_a_stored_value_stays_where_it_may_go(api: Caller) -> None:
    """Whoever could name another host could have it sent there."""
    made = make(api, allowed_hosts=["api.example.com"])
    path = f"secrets/{made['id']}"
    for hosts in (["evil.example.net"], [], ["*.example.com"]):
        assert "value" in wrong(api.patch(path, {"allowed_hosts": hosts}))
    assert Secret.objects.get().allowed_hosts == ["api.example.com"]
    both = {"allowed_hosts": ["new.example.net"], "value": "known"}
    assert api.patch(path, both).status_code == 200
    assert Secret.objects.get().allowed_hosts == ["new.example.net"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "no-hyphens"}, "name"),
        ({"name": ""}, "name"),
        ({"value": ""}, "value"),
        ({"value": None}, "value"),
        ({"allowed_hosts": ["https://x.example"]}, "allowed_hosts[0]"),
        ({"allowed_hosts": "x.example"}, "allowed_hosts"),
        ({"colour": "red"}, "colour"),
        ({"team": "theirs"}, "team"),
    ],
)
def test_what_is_wrong_is_told(
    api: Caller, stranger: Caller, given: dict[str, Any], field: str
) -> None:
    answer = api.post("secrets", {"name": "CRM_KEY", "value": CANARY, **given})
    assert set(wrong(answer)) == {field}
    assert CANARY not in answer.content.decode()
    assert not Secret.objects.exists()


def test_a_name_is_a_team_s_own(api: Caller, stranger: Caller) -> None:
    make(api)
    assert "name" in wrong(api.post("secrets", {"name": "CRM_KEY", "value": "x"}))
    make(stranger)


def test_shared_ones_are_seen_by_all_and_changed_by_administrators(
    api: Caller,
) -> None:
    root = Caller(make_user(is_superuser=True))
    made = make(root)
    path = f"secrets/{made['id']}"
    assert made["team"] is None
    assert api.get(path).status_code == 200
    for method, body in (("PATCH", {"value": "x"}), ("DELETE", None)):
        assert api(method, path, body).status_code == 403
    assert Secret.objects.get().value == CANARY
    assert root.patch(path, {"value": "x"}).status_code == 200
    alone = Caller(make_user())
    assert "team" in wrong(alone.post("secrets", {"name": "A", "value": "x"}))


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_teams_is_404(api: Caller, stranger: Caller, method: str) -> None:
    path = f"secrets/{make(api)['id']}"
    body = {"value": "x"} if method == "PATCH" else None
    assert stranger(method, path, body).status_code == 404
    assert stranger.get("secrets").json()["results"] == []
    assert Secret.objects.get().value == CANARY


def test_it_is_deleted(api: Caller) -> None:
    path = f"secrets/{make(api)['id']}"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert AuditEntry.objects.filter(action="secret.delete").exists()


def test_the_list_costs_the_same_however_long(
    api: Caller, team: Team, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(10):
        Secret.objects.create(name=f"S{number}", value="x", team=team)
    api.get("secrets")
    with django_assert_max_num_queries(3):
        found = api.get("secrets?limit=5").json()
    assert len(found["results"]) == 5
    assert len(api.get("secrets?name=S3").json()["results"]) == 1
    assert len(api.get("secrets?team=ours").json()["results"]) == 10


def test_reading_is_not_writing(user: User) -> None:
    reader = Caller(user, "workflows:read")
    assert reader.get("secrets").status_code == 200
    assert reader.post("secrets", {"name": "A", "value": "x"}).status_code == 403

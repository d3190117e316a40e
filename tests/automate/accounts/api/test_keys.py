"""API keys over the API: shown once, never more than one has, gone at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import ApiKey, AuditEntry, Team, User
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR
from tests.automate.accounts.api.asking import ME, bearer, member
from tests.makers import make_key

pytestmark = pytest.mark.django_db
KEYS = "/api/v1/api-keys"


def of(role: str, team: Team | None = None) -> User:
    user = member()
    user.groups.add(Group.objects.get(name=role))
    if team is not None:
        user.teams.add(team)
    return user


def ask(method: str, where: str, headers: dict[str, str], body: Any = None) -> Any:
    client: Any = getattr(Client(), method)
    if body is None:
        return client(where, headers=headers)
    return client(where, body, "application/json", headers=headers)


def make(headers: dict[str, str], **body: Any) -> Any:
    body = {"name": "CI", "scopes": ["runs:read"], **body}
    return ask("post", KEYS, headers, body)


def by(plain: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {plain}"}


def issues(answer: Any) -> dict[str, str]:
    errors = answer.json()["error"]["details"]["errors"]
    return {error["field"]: error["issue"] for error in errors}


def test_a_developer_makes_a_key_which_is_shown_this_once() -> None:
    user = of(DEVELOPER)
    soon = timezone.now() + timedelta(days=7)
    answer = make(
        bearer(user), scopes=["runs:read", "runs:execute"], expires_at=soon.isoformat()
    )

    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    plain = body.pop("key")
    assert plain.startswith("amk_")
    assert body["prefix"] == plain[:12]
    assert body["scopes"] == ["runs:read", "runs:execute"]
    assert parse_datetime(body["expires_at"]) == soon
    assert (body["email"], body["revoked_at"]) == (user.email, None)
    assert ask("get", ME, by(plain)).json()["id"] == str(user.pk)
    assert ask("get", "/api/v1/runs", by(plain)).status_code == 200

    there = ask("get", answer["Location"], bearer(user))
    seen = {**there.json(), "last_used_at": None}
    assert seen == body
    assert plain not in ask("get", KEYS, bearer(user)).content.decode()
    entry = AuditEntry.objects.get(action="apikey.create")
    assert entry.user == user
    assert entry.changes["scopes"] == ["runs:read", "runs:execute"]
    assert plain not in str(AuditEntry.objects.values_list())


def test_permissions_is_another_name_for_scopes() -> None:
    headers = bearer(of(DEVELOPER))
    body = {"name": "CI", "permissions": ["runs:read", "runs:read"]}
    assert ask("post", KEYS, headers, body).json()["scopes"] == ["runs:read"]
    both = ask("post", KEYS, headers, {**body, "scopes": ["runs:read"]})
    assert both.status_code == 400
    wrong = ask("post", KEYS, headers, {"name": "CI", "permissions": ["runs:fly"]})
    assert "runs:fly" in issues(wrong)["permissions"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    past = "2020-01-01T00:00:00Z"
    answer = make(
        bearer(of(DEVELOPER)), name="", scopes=[], expires_at=past, rate_limit="many"
    )
    assert set(issues(answer)) == {"name", "scopes", "expires_at", "rate_limit"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "runs:read"}, "scopes"),
        ({"scopes": ["runs:fly"]}, "scopes"),
        ({"scopes": [["runs:read"]]}, "scopes[0]"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"rate_limit": "many"}, "rate_limit"),
        ({"user": "x"}, "user"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    answer = make(bearer(of(DEVELOPER)), **changes)
    assert answer.status_code == 400
    assert list(issues(answer)) == [field]
    assert not ApiKey.objects.exists()


def test_nobody_gives_what_they_lack() -> None:
    developer = bearer(of(DEVELOPER))
    answer = make(developer, scopes=["runs:read", "admin"])
    assert answer.status_code == 403
    assert issues(answer) == {"scopes": "You may not give admin."}
    assert make(developer, rate_limit="1/s").status_code == 403
    boss = bearer(member(is_superuser=True))
    assert make(boss, scopes=["admin"], rate_limit="100/m").status_code == 201
    assert ApiKey.objects.get().rate_limit == "100/m"


def test_an_operator_has_no_keys() -> None:
    headers = bearer(of(OPERATOR))
    assert make(headers).status_code == 403
    assert ask("get", KEYS, headers).status_code == 403


def test_a_key_makes_keys_with_the_scope_admin_alone() -> None:
    boss = member(is_superuser=True)
    few = by(make_key(boss, "runs:read", "workflows:write"))
    for method, body in (("get", None), ("post", {"name": "x", "scopes": ["admin"]})):
        assert ask(method, KEYS, few, body).status_code == 403
    made = make(by(make_key(boss, "admin")), scopes=["runs:redrive"])
    assert made.status_code == 201
    assert AuditEntry.objects.get(action="apikey.create").api_key is not None


def test_a_key_is_not_outlived_by_one_that_it_made() -> None:
    """Else one that leaked would never end."""
    soon = timezone.now() + timedelta(days=1)
    short = by(make_key(member(is_superuser=True), "admin", expires_at=soon))
    later = (soon + timedelta(days=1)).isoformat()
    assert make(short, expires_at=later).status_code == 403
    assert parse_datetime(make(short).json()["expires_at"]) == soon
    sooner = soon - timedelta(hours=1)
    made = make(short, expires_at=sooner.isoformat())
    assert parse_datetime(made.json()["expires_at"]) == sooner


def test_revoking_ends_a_key_at_once_and_once() -> None:
    user = of(DEVELOPER)
    made = make(bearer(user)).json()
    where = f"{KEYS}/{made['id']}"
    assert ask("get", ME, by(made["key"])).status_code == 200

    assert ask("delete", where, bearer(user)).status_code == 204
    assert ask("get", ME, by(made["key"])).status_code == 401
    date = ask("get", where, bearer(user)).json()["revoked_at"]
    assert date is not None
    assert ask("delete", where, bearer(user)).status_code == 204
    assert ask("get", where, bearer(user)).json()["revoked_at"] == date
    assert AuditEntry.objects.filter(action="apikey.revoke").count() == 1


def test_the_list_tells_the_last_use() -> None:
    user = of(DEVELOPER)
    made = make(bearer(user)).json()
    assert made["last_used_at"] is None
    ask("get", ME, by(made["key"]))
    found = ask("get", KEYS, bearer(user)).json()["results"]
    assert found[0]["last_used_at"] is not None


def test_who_sees_and_revokes_whose() -> None:
    """One's own; an administrator their team's; a superuser all."""
    ours, theirs = (Team.objects.create(name=x, slug=x) for x in ("ours", "theirs"))
    ann, bob = of(DEVELOPER, ours), of(DEVELOPER, ours)
    head, far = of(ADMINISTRATOR, ours), of(ADMINISTRATOR, theirs)
    key = make(bearer(ann)).json()["id"]
    for user, seen in ((ann, 1), (bob, 0), (head, 1), (far, 0)):
        found = ask("get", KEYS, bearer(user)).json()["results"]
        assert len(found) == seen, user
        there = ask("get", f"{KEYS}/{key}", bearer(user)).status_code
        assert there == (200 if seen else 404)
        if not seen:
            gone = ask("delete", f"{KEYS}/{key}", bearer(user))
            assert gone.status_code == 404
    assert ApiKey.objects.get().revoked_at is None
    assert ask("delete", f"{KEYS}/{key}", bearer(head)).status_code == 204
    assert len(ask("get", KEYS, bearer(member(is_superuser=True))).json()["results"])


def test_the_list_goes_by_pages_at_a_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    user = of(DEVELOPER)
    headers = bearer(user)
    for _ in range(5):
        make_key(user)
    with django_assert_max_num_queries(4):
        first = ask("get", f"{KEYS}?limit=3", headers).json()
    assert len(first["results"]) == 3
    second = ask("get", first["next"], headers).json()
    assert len(second["results"]) == 2
    assert second["next"] is None
    ids = [key["id"] for key in (*first["results"], *second["results"])]
    assert ids == sorted(ids, reverse=True)


def test_making_reading_and_revoking_one_cost_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    headers = bearer(of(DEVELOPER))
    with django_assert_max_num_queries(5):  # who, their rights (2), the key, the audit
        where = f"{KEYS}/{make(headers).json()['id']}"
    with django_assert_max_num_queries(4):
        assert ask("get", where, headers).json()["revoked_at"] is None
    with django_assert_max_num_queries(6):
        assert ask("delete", where, headers).status_code == 204

"""Every address of the API with the key of every role, and of another team's people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from automate.accounts.api.permissions import SIGNED_IN
from automate.accounts.models import ApiKey
from automate.accounts.models.api_key import Scope
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, ROLES, VIEWER, may
from automate.accounts.scopes import NEEDED
from automate.accounts.sign_in import tokens
from runs.addresses import address_of
from tests.walk.table import OPEN, addresses
from tests.walk.world import MARK, Side, World, run_of, signed_in, snapshot

pytestmark = pytest.mark.django_db
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE = ("GET", "HEAD", "OPTIONS")
# Open to everybody: the list of addresses, and where one says who one is.
PUBLIC = {
    "api:root", "api:openapi", "api:register", "api:token", "api:token-refresh",
    "api:token-revoke",
}  # fmt: skip
# What is answered to a reader who may, where it is not 200.
ANSWERS = {"api:run-events": 307}


def given(role: str) -> set[str]:
    """The scopes that a role has, by its table of permissions."""
    return {
        scope for scope, names in NEEDED.items() if all(may(role, n) for n in names)
    }


def views() -> Iterator[tuple[str, Any, dict[str, str]]]:
    """(name, view class, which argument is which object) of each address."""
    for name, _route, pattern in addresses():
        if name.startswith("api:"):
            view: Any = pattern.callback
            taken = dict.fromkeys(pattern.pattern.converters, "")
            yield name, getattr(view, "view_class", None) or view.cls, taken


def path(world: World, name: str, taken: dict[str, str], *, theirs: bool) -> str:
    """The address with one team's objects; an argument that is new fails here."""
    side = world.theirs if theirs else world.mine
    known = {
        "run_id": run_of(side).pk,
        "key": side.row("runs.campaign").pk,
        "step": "ask",
        "key_id": side.row("accounts.apikey").pk,
        "workflow": side.row("workflows.workflow").slug,
        "number": 1,
        "webhook_id": side.row("workflows.trigger").pk,
        "secret_id": side.row("workflows.secret").pk,
        "connection_id": side.row("workflows.connection").pk,
    }
    return reverse(name, kwargs={key: known[key] for key in taken})


def call(key: str, method: str, where: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return Client().generic(
        method, where, b"{}", content_type="application/json", headers=headers
    )


def credential(side: Side, role: str, by: str) -> str:
    """What a person of this role sends: a key, or the token of a sign-in."""
    if by == "key":
        return side.keys[role]
    return tokens.begin(side.people[role], with_second_factor=False)[1].access


def serves(view: Any, method: str) -> bool:
    return hasattr(view, "get" if method == "HEAD" else method.lower())


def scope_of(view: Any, method: str) -> str:
    """As `HasScope` reads it: OPTIONS of a view without GET wants its first one."""
    scopes: dict[str, str] = view.scopes
    if method in SAFE:
        return scopes["GET"] if "GET" in scopes else next(iter(scopes.values()))
    return scopes[method]


def permitted(view: Any, method: str, role: str, by: str) -> bool:
    """Whether the view takes this from a person of the role, or from their key."""
    read = "GET" if method in SAFE and hasattr(view, "get") else method
    needed = getattr(view, "of_people", {}).get(read, "") if by == "token" else ""
    if needed:
        return may(role, needed)
    return scope_of(view, method) in {*given(role), SIGNED_IN}


def test_a_role_s_keys_carry_what_the_role_may_do(world: World) -> None:
    for role, plain in world.theirs.keys.items():
        key = ApiKey.objects.get(prefix=plain[:12])
        assert set(key.scopes) == given(role)
        assert ("runs:redrive" in key.scopes) == (role != VIEWER)


@pytest.mark.parametrize("who", ["nobody", "a wrong key", "a session"])
def test_without_a_key_there_is_nothing(world: World, who: str) -> None:
    before = snapshot()
    client = Client()
    if who == "a session":
        client = signed_in(world.theirs.people[ADMINISTRATOR])
    headers = {"X-Api-Key": "amk_wrong"} if who == "a wrong key" else {}
    for name, _view, taken in views():
        if name in PUBLIC:
            continue
        where = path(world, name, taken, theirs=True)
        for method in METHODS:
            response = client.generic(method, where, b"{}", headers=headers)
            assert response.status_code in (401, 429), (name, method)
            assert MARK not in response.content.decode()
    assert snapshot() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("by", ["key", "token"])
def test_each_does_what_its_scopes_say_and_reading_changes_nothing(
    world: World, role: str, by: str
) -> None:
    key = credential(world.theirs, role, by)
    before = snapshot()
    for name, view, taken in views():
        where = path(world, name, taken, theirs=True)
        for method in METHODS:
            if not serves(view, method):
                expected = 405
            elif name in PUBLIC or permitted(view, method, role, by):
                if method not in SAFE:
                    continue  # it does something: tests of its own
                expected = 200 if method == "OPTIONS" else ANSWERS.get(name, 200)
            else:
                expected = 403
            response = call(key, method, where)
            assert response.status_code == expected, (name, method)
    assert snapshot() == before


@pytest.mark.parametrize("role", [DEVELOPER, ADMINISTRATOR])
@pytest.mark.parametrize("by", ["key", "token"])
def test_another_team_s_people_and_keys_find_nothing(
    world: World, role: str, by: str
) -> None:
    """404, and lists without them, whatever the filter; nothing happens."""
    key = credential(world.mine, role, by)
    before = snapshot()
    for name, view, taken in views():
        where = path(world, name, taken, theirs=True)
        for method in METHODS:
            if name in PUBLIC or not serves(view, method):
                continue
            response = call(key, method, where)
            if taken and method != "OPTIONS":
                there = 404 if permitted(view, method, role, by) else 403
                assert response.status_code == there, (name, method)
            text = response.content.decode().replace(where, "")
            if "workflow" not in taken:
                assert MARK not in text, (name, method)
    run, flow = run_of(world.theirs), world.theirs.row("workflows.workflow")
    runs = reverse("api:run-list")
    for query in (
        f"parent={run.pk}", f"trigger={run.trigger_id}", f"event_id={run.event_id}",
        f"error_fingerprint={MARK}",
    ):  # fmt: skip
        found = call(key, "GET", f"{runs}?{query}")
        assert json.loads(found.content)["results"] == [], query
    for name, nobody in ((flow.slug, "qqqqqqqq"), (str(flow.pk), str(uuid4()))):
        theirs, none = (
            call(key, "GET", f"{runs}?workflow={each}") for each in (name, nobody)
        )
        assert theirs.status_code == none.status_code, name
        said = theirs.content.decode().replace(name, nobody)
        assert json.loads(said) == json.loads(none.content), name
    assert snapshot() == before


def test_whoever_lists_runs_sees_their_own(world: World) -> None:
    """Otherwise the test above would prove nothing."""
    found = call(world.mine.keys[DEVELOPER], "GET", reverse("api:run-list"))
    seen = {row["id"] for row in json.loads(found.content)["results"]}
    assert str(run_of(world.mine).pk) in seen
    assert str(run_of(world.theirs).pk) not in seen


def test_no_scope_is_without_a_permission() -> None:
    assert set(NEEDED) == set(Scope) - {Scope.ADMIN}


def test_the_open_addresses_tell_and_change_nothing(world: World) -> None:
    before = snapshot()
    for name in OPEN:
        response = Client().get(reverse(name))
        assert MARK not in response.content.decode()
        assert Client().post(reverse(name)).status_code == 405
    assert snapshot() == before


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_the_address_of_a_waiting_step_decides_nothing(
    world: World, method: str
) -> None:
    """Mail programs and chats open links before people do."""
    token = world.theirs.row("runs.waittoken")
    where = address_of(token.run_id, token.node_id)
    before = snapshot()
    for accept in ("text/html", "*/*", "application/json"):
        for purpose in ({}, {"Sec-Purpose": "prefetch"}):
            headers = {"Accept": accept, **purpose}
            getattr(Client(), method)(where, headers=headers)
            for word in ("approved", "rejected"):
                query = f"{where}?decision={word}"
                getattr(Client(), method)(query, headers=headers)
    assert snapshot() == before

"""How long tokens live, what ends them, and how they are told from keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, SignIn, User
from automate.accounts.sign_in import tokens
from automate.lib.tokens import Kind, issue
from runs.maintenance import purge
from tests.automate.accounts.api.asking import (
    ANSWER,
    ME,
    REVOKE,
    me,
    member,
    post,
    post_form,
    refresh,
    sign_in,
)

pytestmark = pytest.mark.django_db


# --- refresh tokens -----------------------------------------------------------


def test_a_refresh_token_gives_other_tokens_and_the_old_access_token_runs_out() -> None:
    first = sign_in(member()).json()
    answer = refresh(first["refresh_token"])

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    second = answer.json()
    assert set(second) == ANSWER
    assert second["refresh_token"] != first["refresh_token"]
    assert me(second["access_token"]).status_code == 200
    assert refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_token_that_comes_twice_ends_the_sign_in_for_both_its_holders() -> (
    None
):
    user = member()
    first = sign_in(user).json()
    other = sign_in(user).json()
    second = refresh(first["refresh_token"]).json()

    assert refresh(first["refresh_token"]).status_code == 401
    assert me(second["access_token"]).status_code == 401
    assert refresh(second["refresh_token"]).status_code == 401
    assert me(other["access_token"]).status_code == 200, "another sign-in goes on"
    entry = AuditEntry.objects.get(action="signin.reuse")
    assert entry.object_type == "accounts.signin"
    assert user.email in entry.object_name


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_gets_tokens_and_nobody_keeps_them() -> None:
    """The database decides who was first; who came second is a thief, or was robbed."""
    token = sign_in(member()).json()["refresh_token"]
    start = Barrier(4)

    def ask() -> Any:
        start.wait()
        try:
            return refresh(token)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = [one.result() for one in [pool.submit(ask) for _ in range(4)]]
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    (won,) = (answer for answer in answers if answer.status_code == 200)
    assert me(won.json()["access_token"]).status_code == 401
    assert AuditEntry.objects.filter(action="signin.reuse").count() == 1


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing() -> None:
    issued = sign_in(member()).json()
    assert me(issued["refresh_token"]).status_code == 401
    assert refresh(issued["access_token"]).status_code == 401
    assert me(issued["access_token"]).status_code == 200


def test_a_forged_one_ends_nobody_s_sign_in() -> None:
    issued = sign_in(member()).json()
    head, body, signature = issued["refresh_token"].split(".")
    assert refresh(f"{head}.{body}.{signature[::-1]}").status_code == 401
    assert me(issued["access_token"]).status_code == 200


def test_a_sign_in_ends_after_thirty_days_however_often_it_was_refreshed() -> None:
    issued = sign_in(member()).json()
    row = SignIn.objects.get()
    assert abs(row.expires_at - row.created_at - timedelta(days=30)).seconds < 5
    SignIn.objects.update(
        created_at=row.created_at - timedelta(days=40),
        expires_at=timezone.now() + timedelta(seconds=100),
    )
    answer = refresh(issued["refresh_token"])
    assert answer.json()["expires_in"] <= 100
    SignIn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert me(answer.json()["access_token"]).status_code == 401
    assert refresh(answer.json()["refresh_token"]).status_code == 401


def test_an_access_token_ends_after_a_quarter_of_an_hour() -> None:
    user = member()
    row, _issued = tokens.begin(user, with_second_factor=False)
    named = {"sub": str(user.pk), "sid": str(row.pk)}
    assert me(issue(Kind.ACCESS, named, 1)).status_code == 200
    assert me(issue(Kind.ACCESS, named, -60)).status_code == 401


# --- the end ------------------------------------------------------------------


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
@pytest.mark.parametrize("as_form", [True, False])
def test_signing_out_ends_both_tokens_at_once(which: str, as_form: bool) -> None:
    user = member()
    issued, other = sign_in(user).json(), sign_in(user).json()
    if as_form:
        sent = {"token": issued[which], "token_type_hint": which}
        answer = post_form(REVOKE, urlencode(sent))
    else:
        answer = post(REVOKE, {"token": issued[which]})

    assert answer.status_code == 200
    assert me(issued["access_token"]).status_code == 401
    assert refresh(issued["refresh_token"]).status_code == 401
    assert me(other["access_token"]).status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c"])
def test_signing_out_with_what_is_no_token_is_no_error(token: str) -> None:
    """RFC 7009, section 2.2."""
    assert post(REVOKE, {"token": token}).status_code == 200


def changed_password(user: User) -> None:
    user.set_password("another good one")
    user.save()


def switched_off(user: User) -> None:
    user.is_active = False
    user.save()


def switched_off_and_on(user: User) -> None:
    switched_off(user)
    user.is_active = True
    user.save()


def switched_off_in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def deleted(user: User) -> None:
    user.delete()


@pytest.mark.parametrize(
    "happened",
    [
        changed_password,
        switched_off,
        switched_off_and_on,
        switched_off_in_bulk,
        deleted,
    ],
)
def test_both_tokens_end_at_once_with(happened: Any) -> None:
    user = member()
    issued = sign_in(user).json()
    assert me(issued["access_token"]).status_code == 200
    happened(user)

    assert me(issued["access_token"]).status_code == 401
    assert refresh(issued["refresh_token"]).status_code == 401


def test_a_purge_takes_the_sign_ins_that_are_over() -> None:
    user = member()
    ended, live = sign_in(user).json(), sign_in(user).json()
    post(REVOKE, {"token": ended["access_token"]})
    assert purge()["sign_ins"] == 1
    assert me(live["access_token"]).status_code == 200
    assert purge(now=timezone.now() + timedelta(days=31))["sign_ins"] == 1


# --- telling keys and tokens apart --------------------------------------------


def test_a_token_costs_one_query_and_a_wrong_one_none() -> None:
    user = member()
    access = sign_in(user).json()["access_token"]
    head, body, signature = access.split(".")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        me(access)
    tables = " ".join(query["sql"] for query in queries)
    assert len(queries) == 3, "the sign-in with its person, the role, the teams"
    assert "apikey" not in tables
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert me(f"{head}.{body}.{signature[::-1]}").status_code == 401
    assert not [q for q in queries if "accounts_signin" in q["sql"]]
    assert not [q for q in queries if "accounts_apikey" in q["sql"]]


def test_refreshing_costs_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    issued = sign_in(member()).json()
    with django_assert_max_num_queries(4):  # two of them begin and end a savepoint
        assert refresh(issued["refresh_token"]).status_code == 200


def test_signing_in_costs_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    user = member()
    with django_assert_max_num_queries(12):
        assert sign_in(user).status_code == 200


def test_signing_out_costs_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    issued = sign_in(member()).json()
    with django_assert_max_num_queries(2):
        assert post(REVOKE, {"token": issued["access_token"]}).status_code == 200


def test_a_challenge_comes_with_each_401() -> None:
    answer = me("a.b.c")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="automate"'
    assert Client().get(ME)["WWW-Authenticate"] == 'Bearer realm="automate"'

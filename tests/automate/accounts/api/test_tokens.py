"""A password against tokens: in JSON and as OAuth 2 has it, with a second factor."""

from __future__ import annotations

import re
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
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import AuditEntry, FailedSignIn, SignIn, User
from automate.accounts.sign_in import second_factor, tokens
from automate.accounts.sign_in.limits import OF_ACCOUNT
from automate.lib.tokens import Kind, issue
from runs.maintenance import purge
from tests.automate.accounts.api.asking import (
    FORM,
    ME,
    PROBLEM,
    REFRESH,
    REVOKE,
    TOKEN,
    bearer,
    me,
    member,
    post,
    post_form,
    sign_in,
)
from tests.automate.accounts.sign_in.steps import (
    PASSWORD,
    app_code,
    enrolled,
    give_password,
    staff,
)

pytestmark = pytest.mark.django_db
ANSWER = {"access_token", "token_type", "expires_in", "refresh_token"}


def code_of(answer: Any) -> str:
    found: str = answer.json()["error"]["code"]
    return found


# --- JSON ---------------------------------------------------------------------


def test_an_address_and_a_password_give_tokens_that_open_the_api() -> None:
    user = member("Ann@example.com")
    answer = post(TOKEN, {"email": "ann@EXAMPLE.com", "password": PASSWORD})

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == ANSWER
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert answer["Cache-Control"] == "no-store"
    assert me(body["access_token"]).json()["id"] == str(user.pk)
    user.refresh_from_db()
    assert user.last_login is not None


def test_a_password_is_taken_as_it_is() -> None:
    user = member()
    user.set_password("  spaces at both ends ")
    user.save()
    assert sign_in(user, "  spaces at both ends ").status_code == 200
    assert sign_in(user, "spaces at both ends").status_code == 401


@pytest.mark.parametrize("kind", ["wrong", "unknown", "inactive", "no password"])
def test_every_refusal_is_the_same(kind: str) -> None:
    email, password = "known@example.com", "wrong"
    user = member(email)
    usual = post(TOKEN, {"email": email, "password": password})
    if kind == "unknown":
        email = "unknown@example.com"
    elif kind == "inactive":
        User.objects.update(is_active=False)
        password = PASSWORD
    elif kind == "no password":
        user.set_unusable_password()
        user.save()
    answer = post(TOKEN, {"email": email, "password": password})

    assert answer.status_code == 401
    assert answer.content == usual.content
    assert code_of(answer) == "UNAUTHORIZED"
    assert answer["WWW-Authenticate"] == 'Bearer realm="automate"'
    assert not SignIn.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "a@example.com"}, "password"),
        ({"email": "a@example.com", "password": "x", "username": "a"}, "username"),
        ({"email": ["a"], "password": "x"}, "email"),
        ({"email": "a\0@example.com", "password": "x"}, "email"),
        ({"email": "a@example.com", "password": "x\0"}, "password"),
        ({"email": "a" * 250 + "@example.com", "password": "x"}, "email"),
        ({"email": "a@example.com", "password": "x" * 5000}, "password"),
    ],
)
def test_what_is_missing_or_wrong_is_named(body: dict[str, Any], field: str) -> None:
    answer = post(TOKEN, body)
    assert answer.status_code == 400
    errors = answer.json()["error"]["details"]["errors"]
    assert field in {error["field"] for error in errors}
    assert not FailedSignIn.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"x"', "7", "{", '{"email": "\\ud800"}'])
def test_a_body_that_is_no_object_is_a_400(body: str) -> None:
    answer = Client().post(TOKEN, body, "application/json")
    assert answer.status_code == 400


def test_a_get_has_nothing_to_say() -> None:
    assert Client().get(TOKEN).status_code == 405


# --- as OAuth 2 has it --------------------------------------------------------


def test_the_password_form_of_oauth_2_gives_the_same() -> None:
    user = member()
    sent = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    # Parameters that a server does not know it must ignore (RFC 6749, section 3.2).
    answer = post_form(TOKEN, urlencode({**sent, "client_id": "x", "audience": "y"}))

    assert answer.status_code == 200
    assert set(answer.json()) == ANSWER
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    assert me(answer.json()["access_token"]).status_code == 200


def test_a_scope_that_was_asked_for_is_answered_with_what_there_is() -> None:
    """RFC 6749, section 5.1: required where it is not what was asked for."""
    user = member(is_superuser=True)
    sent = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    answer = post_form(TOKEN, urlencode({**sent, "scope": "everything"}))
    assert "workflows:read" in answer.json()["scope"].split()


def test_the_case_of_the_type_is_no_matter() -> None:
    sent = {"username": member().email, "password": PASSWORD, "grant_type": "password"}
    kind = f"{FORM.upper()}; charset=UTF-8"
    assert Client().post(TOKEN, urlencode(sent), kind).status_code == 200


def test_an_oauth_client_refreshes_at_the_token_endpoint() -> None:
    first = sign_in(member()).json()
    sent = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    answer = post_form(TOKEN, urlencode(sent))
    assert answer.status_code == 200
    assert set(answer.json()) == ANSWER


@pytest.mark.parametrize(
    ("text", "said", "word"),
    [
        ("x=1", "grant_type", "invalid_request"),
        ("grant_type=client_credentials", "password or refresh_token",
         "unsupported_grant_type"),
        ("grant_type=password&username=a", "password", "invalid_request"),
        ("grant_type=password&email=a@example.com&password=x", "username",
         "invalid_request"),
        ("grant_type=password&username=a&username=b&password=x", "more than once",
         "invalid_request"),
        ("grant_type=password&username=%ff&password=x", "UTF-8", "invalid_request"),
        ("&".join(f"a{number}=1" for number in range(60)), "50 fields",
         "invalid_request"),
        ("grant_type=password&username=a&password=x", "wrong", "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=x", "sign in", "invalid_grant"),
    ],
)  # fmt: skip
def test_a_form_that_is_wrong_is_a_400_in_the_words_of_oauth_2(
    text: str, said: str, word: str
) -> None:
    """RFC 6749, section 5.2; and all that a problem of ours has."""
    answer = post_form(TOKEN, text)
    told = answer.json()
    assert (answer.status_code, told["error"]) == (400, word)
    assert said in told["error_description"]
    assert said in told["detail"]
    assert (told["status"], told["title"]) == (400, "Bad Request")
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in answer


@pytest.mark.parametrize("where", [REFRESH, REVOKE])
def test_so_are_forms_at_the_other_addresses_of_oauth(where: str) -> None:
    told = post_form(where, "a=1", headers={"accept": PROBLEM})
    assert told.json()["error"] == "invalid_request"
    assert told["Content-Type"] == PROBLEM


def test_a_description_has_no_character_that_the_rfc_forbids() -> None:
    told = post_form(TOKEN, "&".join([urlencode({'"\\é': "1"})] * 2))
    description = told.json()["error_description"]
    assert "more than once" in description
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", description)
    assert '"\\é' in told.json()["detail"]


def test_a_form_that_is_too_large_is_a_413() -> None:
    assert post_form(TOKEN, "a=" + "x" * 70_000).status_code == 413


def test_another_type_is_a_415() -> None:
    assert Client().post(TOKEN, "x", "text/plain").status_code == 415
    where = "/api/v1/runs/0199c0de-0000-7000-8000-000000000000/cancel"
    headers = bearer(member(is_superuser=True))
    form = Client().post(where, "reason=x", FORM, headers=headers)
    assert form.status_code == 415, "forms are for the token endpoints alone"


# --- too many failures --------------------------------------------------------


@pytest.mark.parametrize("as_form", [True, False])
def test_failures_are_counted_with_those_of_the_admin(as_form: bool) -> None:
    user = staff()

    def fail(password: str = "wrong") -> Any:
        if as_form:
            sent = {"username": user.email, "password": password}
            return post_form(TOKEN, urlencode({"grant_type": "password", **sent}))
        return sign_in(user, password)

    for _ in range(OF_ACCOUNT - 1):
        assert fail().status_code == (400 if as_form else 401)
    answer = fail()
    assert answer.status_code == 429
    if as_form:
        told = answer.json()
        assert (told["error"], told["code"]) == (
            "temporarily_unavailable",
            "RATE_LIMITED",
        )
    else:
        assert code_of(answer) == "RATE_LIMITED"
    assert int(answer["Retry-After"]) > 0
    assert fail(PASSWORD).status_code == 429
    assert give_password(Client(), user.email).status_code == 429
    elsewhere = post(
        TOKEN,
        {"email": user.email, "password": PASSWORD},
        REMOTE_ADDR="203.0.113.7",
    )
    assert elsewhere.status_code == 200


def test_signing_in_forgets_the_failures() -> None:
    user = member()
    for _ in range(OF_ACCOUNT - 1):
        sign_in(user, "wrong")
    assert sign_in(user).status_code == 200
    assert not FailedSignIn.objects.exists()


def test_nothing_that_was_sent_is_kept() -> None:
    user = member()
    sign_in(user, "hunter2")
    sent = {"grant_type": "password", "username": user.email, "password": "hunter2"}
    post_form(f"{TOKEN}?x=hunter2", urlencode({**sent, "otp": "hunter2"}))
    for row in FailedSignIn.objects.values():
        assert "hunter2" not in str(row)


# --- the second factor --------------------------------------------------------


def test_where_there_is_a_second_factor_the_password_alone_is_not_enough() -> None:
    user = staff()
    device, _codes = enrolled(user)
    answer = sign_in(user)

    assert answer.status_code == 401
    assert code_of(answer) == "SECOND_FACTOR_REQUIRED"
    assert "otp" in answer.json()["error"]["message"]
    assert not SignIn.objects.exists()
    assert sign_in(user, otp=app_code(device)).status_code == 200


def test_a_wrong_password_says_nothing_of_the_second_factor() -> None:
    user = staff()
    enrolled(user)
    assert code_of(sign_in(user, "wrong")) == "UNAUTHORIZED"
    assert code_of(sign_in(user, "wrong", otp="000000")) == "UNAUTHORIZED"


def test_a_recovery_code_is_good_once_and_a_form_has_the_code_too() -> None:
    user = staff()
    _device, codes = enrolled(user)
    sent = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    text = urlencode({**sent, "otp": codes[0]})
    assert post_form(TOKEN, text).status_code == 200
    assert post_form(TOKEN, text).status_code == 400
    without = post_form(TOKEN, urlencode(sent)).json()
    assert (without["error"], without["code"]) == (
        "invalid_grant",
        "SECOND_FACTOR_REQUIRED",
    )


def test_wrong_codes_count_as_failed_sign_ins() -> None:
    user = staff()
    device, _codes = enrolled(user)
    for _ in range(OF_ACCOUNT - 1):
        assert sign_in(user, otp="nonsense").status_code == 401
    assert sign_in(user, otp="nonsense").status_code == 429
    assert sign_in(user, otp=app_code(device)).status_code == 429


def test_where_everybody_must_have_one_who_has_none_gets_no_token(
    settings: Settings,
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    user = staff()
    answer = sign_in(user)
    assert answer.status_code == 403
    assert code_of(answer) == "SECOND_FACTOR_REQUIRED"
    assert sign_in(user, "wrong").status_code == 401
    assert sign_in(member()).status_code == 200, "who cannot open the admin has none"


def test_a_second_factor_that_comes_later_ends_what_a_password_alone_began() -> None:
    user = staff()
    issued = sign_in(user).json()
    device, _codes = enrolled(user)
    assert me(issued["access_token"]).status_code == 401
    assert post(REFRESH, {"refresh_token": issued["refresh_token"]}).status_code == 401
    with_code = sign_in(user, otp=app_code(device)).json()
    assert me(with_code["access_token"]).status_code == 200
    second_factor.remove(user, by=user)
    assert me(with_code["access_token"]).status_code == 200


# --- refresh tokens -----------------------------------------------------------


def refresh(token: str) -> Any:
    return post(REFRESH, {"refresh_token": token})


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

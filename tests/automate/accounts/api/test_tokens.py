"""A password against tokens: in JSON and as OAuth 2 has it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from automate.accounts.models import FailedSignIn, SignIn, User
from tests.automate.accounts.api.asking import (
    ANSWER,
    FORM,
    PROBLEM,
    REFRESH,
    REVOKE,
    TOKEN,
    bearer,
    code_of,
    me,
    member,
    post,
    post_form,
    sign_in,
)
from tests.automate.accounts.sign_in.steps import (
    PASSWORD,
)

pytestmark = pytest.mark.django_db


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

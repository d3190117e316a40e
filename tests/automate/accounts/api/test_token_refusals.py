"""What stands between a password and its tokens: failures, the second factor."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django import Settings

from automate.accounts.models import FailedSignIn, SignIn
from automate.accounts.sign_in import second_factor
from automate.accounts.sign_in.limits import OF_ACCOUNT
from tests.automate.accounts.api.asking import (
    REFRESH,
    TOKEN,
    code_of,
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

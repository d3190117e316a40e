"""Passwords: Argon2 first; bcrypt and PBKDF2 are taken, and upgraded at sign-in."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import (
    BCryptSHA256PasswordHasher,
    PBKDF2PasswordHasher,
    check_password,
    make_password,
)
from pytest_django import Settings

from automate import settings as real
from automate.accounts.hashers import Argon2, BCrypt
from automate.accounts.models import User
from tests.automate.accounts.api.asking import TOKEN, me, post
from tests.makers import make_user

PASSWORD = "correct horse battery"
OTHERS = [BCryptSHA256PasswordHasher, BCrypt, PBKDF2PasswordHasher]


@pytest.fixture(autouse=True)
def hashers(settings: Settings) -> None:
    """Those of the project: tests have a fast one otherwise."""
    settings.PASSWORD_HASHERS = real.PASSWORD_HASHERS


def test_a_new_password_is_hashed_with_argon2() -> None:
    """OWASP's parameters: a flood of sign-ins must not take the memory of the host."""
    encoded = make_password(PASSWORD)
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(PASSWORD, encoded)
    assert not check_password("wrong", encoded)


@pytest.mark.parametrize("hasher", OTHERS)
def test_other_hashes_are_taken(hasher: type) -> None:
    made = hasher()
    made.rounds = 4
    encoded = made.encode(PASSWORD, made.salt())
    assert check_password(PASSWORD, encoded)
    assert not check_password("wrong", encoded)
    assert not check_password("x" * 100, encoded), "bcrypt reads no more than 72 bytes"


@pytest.mark.django_db
@pytest.mark.parametrize("hasher", OTHERS)
def test_signing_in_hashes_anew_and_the_new_tokens_hold(hasher: type) -> None:
    made = hasher()
    made.rounds = 4
    user = make_user(password=PASSWORD)
    User.objects.update(password=made.encode(PASSWORD, made.salt()))
    sent = {"email": user.email, "password": PASSWORD}

    first = post(TOKEN, sent)
    assert first.status_code == 200
    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert me(first.json()["access_token"]).status_code == 200
    assert post(TOKEN, sent).status_code == 200
    assert me(first.json()["access_token"]).status_code == 200


@pytest.mark.django_db
def test_a_wrong_password_upgrades_nothing() -> None:
    user = make_user(password=PASSWORD)
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsalt", 1)
    User.objects.update(password=old)
    post(TOKEN, {"email": user.email, "password": "wrong"})
    user.refresh_from_db()
    assert user.password == old


def test_argon2_is_the_one_that_comes_first() -> None:
    assert real.PASSWORD_HASHERS[0] == f"{Argon2.__module__}.{Argon2.__qualname__}"

"""API keys on requests; access tokens are in `test_tokens.py` and its neighbours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from automate.accounts.api.authentication import BearerAuthentication
from automate.accounts.models import ApiKey, SignIn, User
from tests.makers import make_key, make_user

pytestmark = pytest.mark.django_db


def authenticate(**headers: str) -> tuple[User, ApiKey | SignIn] | None:
    request = APIRequestFactory().get("/", headers=headers)
    return BearerAuthentication().authenticate(Request(request))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_key_travels_as_a_bearer_token(scheme: str) -> None:
    user = make_user()
    found = authenticate(authorization=f"{scheme} {make_key(user)}")

    assert found is not None
    assert found[0] == user
    assert isinstance(found[1], ApiKey)


def test_a_key_travels_as_x_api_key() -> None:
    found = authenticate(**{"x-api-key": make_key()})

    assert found is not None


def test_no_key_is_no_error_so_that_other_ways_get_their_turn() -> None:
    assert authenticate() is None
    assert authenticate(authorization="Bearer opaque-token-of-a-proxy") is None
    assert authenticate(authorization="Basic dXNlcjpwYXNz") is None


def test_a_key_counts_beside_a_token_of_somebody_in_between() -> None:
    plain = make_key()
    found = authenticate(
        authorization="Bearer eyJhbGciOi.e30.x", **{"x-api-key": plain}
    )
    assert found is not None
    assert isinstance(found[1], ApiKey)


def test_a_key_is_never_looked_for_among_the_sign_ins() -> None:
    plain = make_key()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        authenticate(authorization=f"Bearer {plain}")
    assert not [q for q in queries if "accounts_signin" in q["sql"]]


def bad_keys() -> dict[str, str]:
    past = timezone.now() - timedelta(seconds=1)
    revoked = make_key()
    ApiKey.objects.filter(prefix=revoked[:12]).update(revoked_at=past)
    return {
        "unknown": "amk_" + "x" * 43,
        "cut": make_key()[:-1],
        "revoked": revoked,
        "expired": make_key(expires_at=past),
        "inactive user": make_key(make_user(is_active=False)),
    }


def test_bad_keys_get_one_answer_at_the_price_of_one_query() -> None:
    for key in bad_keys().values():
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            pytest.raises(AuthenticationFailed) as caught,
        ):
            authenticate(**{"x-api-key": key})
        assert len(queries) == 1
        assert str(caught.value.detail) == (
            "The API key is unknown, expired or revoked."
        )


def test_a_key_works_until_it_expires() -> None:
    soon = timezone.now() + timedelta(minutes=5)

    assert authenticate(**{"x-api-key": make_key(expires_at=soon)}) is not None


def test_the_last_use_is_noted_once_a_minute() -> None:
    plain = make_key()
    authenticate(**{"x-api-key": plain})
    key = ApiKey.objects.get()
    first = key.last_used_at
    assert first is not None

    with CaptureQueriesContext(connection) as queries:
        authenticate(**{"x-api-key": plain})
    assert not [q for q in queries if q["sql"].startswith("UPDATE")]

    ApiKey.objects.update(last_used_at=first - timedelta(seconds=61))
    authenticate(**{"x-api-key": plain})
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert key.last_used_at >= first


def test_the_plain_key_is_stored_nowhere() -> None:
    plain = make_key()
    row = ApiKey.objects.values().get()

    assert plain not in str(row)
    assert plain[12:] not in str(row)

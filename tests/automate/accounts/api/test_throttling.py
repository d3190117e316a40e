"""Rate limits of API keys, and of callers without a valid one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from automate import env
from automate.accounts import limits
from automate.accounts.models import ApiKey, RateWindow
from automate.lib.rates import Rate, parse_rate
from automate.lib.sliding import PARTS
from tests.makers import make_key, make_user

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/runs"
PROBLEM = "application/problem+json"


def get(key: str = "", path: str = RUNS, **more: Any) -> Any:
    headers = {"x-api-key": key} if key else {}
    headers |= more.pop("headers", {})
    return Client().get(path, headers=headers, **more)


def statuses(key: str, times: int) -> Counter[int]:
    return Counter(get(key).status_code for _ in range(times))


# --- keys ---------------------------------------------------------------------------


def test_a_key_s_own_limit_holds_and_every_answer_tells_of_it() -> None:
    key = make_key(rate_limit="3/h")
    answers = [get(key), get(key, f"{RUNS}?limit=0"), get(key, f"{RUNS}/x"), get(key)]

    assert [answer.status_code for answer in answers] == [200, 400, 404, 200]
    standing = [
        answer.headers.get("RateLimit", "").split(";t")[0] for answer in answers
    ]
    assert standing == ['"api-key";r=2', '"api-key";r=1', "", '"api-key";r=0']
    assert answers[0]["RateLimit-Policy"] == '"api-key";q=3;w=3600'
    assert "Retry-After" not in answers[3]

    refused = get(key)
    assert refused.status_code == 429
    wait = int(refused["Retry-After"])
    assert 3600 * (1 - 1 / PARTS) <= wait <= 3600 * (1 + 1 / PARTS)
    assert refused["RateLimit"] == f'"api-key";r=0;t={wait}'
    assert refused["RateLimit-Policy"] == '"api-key";q=3;w=3600'
    error = refused.json()["error"]
    assert error["code"] == "RATE_LIMITED"
    assert error["message"] == f"You may make 3/h requests; come back in {wait} s."

    RateWindow.objects.update(part=F("part") - PARTS - 1)
    assert get(key).status_code == 200


def test_the_refusal_is_a_problem_when_asked_for() -> None:
    key = make_key(rate_limit="1/h")
    get(key)
    answer = get(key, headers={"accept": PROBLEM})

    assert (answer.status_code, answer["Content-Type"]) == (429, PROBLEM)
    assert answer.json()["code"] == "RATE_LIMITED"
    assert answer["Retry-After"]


def test_the_site_s_limit_is_for_keys_without_one(settings: Settings) -> None:
    settings.API_RATE = parse_rate("2/h")
    user = make_user()

    assert statuses(make_key(user), 4) == {200: 2, 429: 2}
    assert statuses(make_key(user), 3) == {200: 2, 429: 1}, "each key its own"
    assert statuses(make_key(user, rate_limit="4/h"), 5) == {200: 4, 429: 1}


def test_without_a_limit_nothing_is_asked() -> None:
    key = make_key()
    get(key)
    with CaptureQueriesContext(connection) as queries:
        answer = get(key)

    assert answer.status_code == 200
    assert not [query for query in queries if "ratewindow" in query["sql"]]
    assert "RateLimit" not in answer
    assert "RateLimit-Policy" not in answer


def test_what_the_key_may_not_do_does_not_count() -> None:
    """A refusal for its scope comes first, and tells of no limit."""
    key = make_key(None, "metrics:read", rate_limit="1/h")

    assert statuses(key, 3) == {403: 3}
    assert not RateWindow.objects.exists()


# --- strangers ----------------------------------------------------------------------


@pytest.fixture
def three(settings: Settings) -> None:
    settings.API_STRANGER_RATE = parse_rate("3/h")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("key", ["", "amk_" + "x" * 43])
def test_who_has_no_valid_key_is_429_after_so_many_401(key: str) -> None:
    assert statuses(key, 5) == {401: 3, 429: 2}

    answer = get(key)
    assert answer.json()["error"]["code"] == "RATE_LIMITED"
    assert answer["RateLimit-Policy"] == '"unauthenticated";q=3;w=3600'
    assert answer["RateLimit"] == f'"unauthenticated";r=0;t={answer["Retry-After"]}'


@pytest.mark.usefixtures("three")
def test_a_valid_key_works_whoever_its_neighbours_are() -> None:
    key = make_key()
    statuses("", 5)

    assert get(key).status_code == 200


@pytest.mark.usefixtures("three")
def test_addresses_are_counted_apart_and_a_whole_v6_network_together() -> None:
    def tried(*addresses: str) -> list[int]:
        return [get(REMOTE_ADDR=one).status_code for one in addresses]

    assert tried(*["192.0.2.1"] * 4) == [401, 401, 401, 429]
    assert tried("192.0.2.2") == [401]
    assert tried("2001:db8::1", "2001:db8::2", "2001:db8::ffff:1") == [401] * 3
    assert tried("2001:db8::3", "2001:db8:0:1::1") == [429, 401]
    assert tried("::ffff:192.0.2.1") == [429]


@pytest.mark.usefixtures("three")
def test_a_forwarded_address_is_believed_from_our_proxies_alone(
    settings: Settings,
) -> None:
    import ipaddress

    forwarded = {"x-forwarded-for": "192.0.2.7"}
    get(headers=forwarded)
    assert RateWindow.objects.get().pk.startswith("stranger:127.0.0.1:")

    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.0/8")]
    get(headers=forwarded)
    assert RateWindow.objects.filter(pk__startswith="stranger:192.0.2.7:").exists()


def test_the_limit_may_be_switched_off(settings: Settings) -> None:
    settings.API_STRANGER_RATE = None

    assert statuses("", 5) == {401: 5}
    assert not RateWindow.objects.exists()


def test_a_401_does_not_depend_on_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(limits, "take", away)
    assert get().status_code == 401


# --- settings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"), [("", None), (" ", None), ("100/m", Rate(100, 60))]
)
def test_the_setting_is_a_rate_or_none(
    text: str, rate: Rate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMATE_API_RATE", text)
    assert env.rate("AUTOMATE_API_RATE") == rate


def test_a_setting_that_is_no_rate_stops_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTOMATE_API_RATE", "many")
    with pytest.raises(ImproperlyConfigured, match=r"^AUTOMATE_API_RATE: 'many' is no"):
        env.rate("AUTOMATE_API_RATE")


def test_a_key_says_its_rate() -> None:
    make_key(rate_limit="10/s")
    assert ApiKey.objects.get().rate == Rate(10, 1)
    assert str(Rate(10, 1)) == "10/s"

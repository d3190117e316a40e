"""Who fails to sign in too often waits, and nobody else does."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import BasePasswordHasher, get_hasher
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from automate.accounts.models import AuditEntry, FailedSignIn, User
from automate.accounts.sign_in.failures import NOBODY, account_of, client_address
from automate.accounts.sign_in.limits import COOL_OFF, OF_ACCOUNT, OF_ADDRESS
from automate.accounts.sign_in.refusal import locked_out
from runs.maintenance import purge
from tests.admin_world import operator, signed_in
from tests.automate.accounts.sign_in.steps import PASSWORD, give_password, is_in, staff

pytestmark = pytest.mark.django_db
STRANGER = {"REMOTE_ADDR": "203.0.113.7"}


def fail(email: str, times: int = 1, **extra: Any) -> Any:
    """The last answer to so many wrong passwords, each from another browser."""
    for number in range(times):
        agent = {"HTTP_USER_AGENT": f"browser {number % 3}"}
        answer = give_password(Client(), email, "wrong", **{**agent, **extra})
    return answer


def later(minutes: float) -> None:
    """The failures so far have happened so much earlier."""
    for row in FailedSignIn.objects.all():
        earlier = row.attempt_time - timedelta(minutes=minutes)
        FailedSignIn.objects.filter(pk=row.pk).update(attempt_time=earlier)


def test_ten_failures_lock_the_account_for_this_address_alone() -> None:
    user = staff()
    assert fail(user.email, OF_ACCOUNT - 1).status_code == 200
    last = fail(user.email)

    assert last.status_code == 429
    seconds = COOL_OFF.total_seconds()
    assert seconds - 60 < int(last["Retry-After"]) <= seconds
    assert "Too many failed sign-ins" in last.content.decode()
    here, there = Client(), Client()
    assert give_password(here, user.email.upper()).status_code == 429
    assert not is_in(here)
    assert give_password(there, user.email, **STRANGER).status_code == 302
    assert is_in(there)


def test_it_opens_by_itself_and_tries_while_locked_do_not_keep_it_locked() -> None:
    user = staff()
    fail(user.email, OF_ACCOUNT)
    later(10)
    assert fail(user.email, 3).status_code == 429
    later(6)
    client = Client()
    assert give_password(client, user.email).status_code == 302
    assert is_in(client)


def test_signing_in_forgets_the_failures_of_this_account_alone() -> None:
    """Or who has an account of their own could try others' for ever."""
    user, other = staff(), staff()
    fail(user.email, 5)
    fail(other.email, 5)
    assert give_password(Client(), user.email).status_code == 302
    assert set(FailedSignIn.objects.values_list("username", flat=True)) == {other.email}


def test_an_address_that_tries_many_accounts_is_locked_as_a_whole() -> None:
    user = staff()
    for number in range(OF_ADDRESS // 5):
        fail(f"somebody{number}@example.com", 5)
    assert give_password(Client(), user.email).status_code == 429
    assert give_password(Client(), user.email, **STRANGER).status_code == 302


def test_unknown_accounts_are_treated_alike() -> None:
    """The same page, and the lock after as many failures."""
    user = staff()
    for email in (user.email, "nobody@example.com"):
        assert fail(email, OF_ACCOUNT - 1).status_code == 200
    known, unknown = fail(user.email), fail("nobody@example.com")
    assert known.status_code == unknown.status_code == 429
    assert known.content == unknown.content
    assert AuditEntry.objects.filter(action="signin.lock").count() == 2


@pytest.mark.parametrize("kind", ["unknown", "inactive", "no staff"])
def test_a_refusal_does_not_tell_whether_there_is_such_an_account(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does its time: the slow part, the hash, is worked out once for each."""
    hashed: list[str] = []
    hasher = type(get_hasher())
    inner = hasher.encode

    def encode(self: BasePasswordHasher, password: str, *rest: Any) -> str:
        hashed.append(password)
        return inner(self, password, *rest)

    monkeypatch.setattr(hasher, "encode", encode)
    staff("known@example.com")
    staff("inactive@example.com", is_active=False)
    User.objects.create_user("nostaff@example.com", PASSWORD)
    email = f"{kind.replace(' ', '')}@example.com"
    given = "wrong" if kind == "unknown" else PASSWORD
    answers, counts = [], []
    for name, password in (("known@example.com", "wrong"), (email, given)):
        hashed.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = give_password(Client(), name, password)
        text = answer.content.decode().replace(name, "X")
        answers.append(text.split("<body")[1].split("csrfmiddlewaretoken")[0])
        counts.append(len(hashed))
        assert len(queries) < 20
    assert answers[0] == answers[1]
    assert "Please enter the correct" in answers[0]
    assert counts == [1, 1]


def test_nothing_that_was_sent_is_kept_but_the_account() -> None:
    """People type passwords into the wrong field."""
    give_password(Client(), "hunter2-is-my-password", "hunter2")
    form = {"username": "a@example.com", "password": "hunter2", "x": "hunter2"}
    Client().post("/admin/login/?y=hunter2", form)
    for row in FailedSignIn.objects.values():
        assert "hunter2" not in str(row)
    names = set(FailedSignIn.objects.values_list("username", flat=True))
    assert names == {NOBODY, "a@example.com"}


def test_a_lock_is_in_the_audit_once_and_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    user = staff()
    fail(user.email, OF_ACCOUNT + 3)
    entry = AuditEntry.objects.get(action="signin.lock")
    assert entry.user is None
    assert entry.object_name == f"{user.email} from 127.0.0.1"
    said = [row.getMessage() for row in caplog.records if row.name.startswith("autom")]
    assert said == [
        "sign-ins from 127.0.0.1 are refused for 15 minutes: too many failures"
    ]


def test_an_administrator_unlocks_it() -> None:
    user = staff()
    fail(user.email, OF_ACCOUNT)
    boss = operator("accounts.view_failedsignin", "accounts.delete_failedsignin")
    page = signed_in(boss)
    row = FailedSignIn.objects.first()
    assert row is not None
    assert page.get(f"/admin/accounts/failedsignin/{row.pk}/change/").status_code == 200
    form = {"action": "unlock_account", "_selected_action": [row.pk]}
    assert page.post("/admin/accounts/failedsignin/", form).status_code == 302
    assert give_password(Client(), user.email).status_code == 302
    entry = AuditEntry.objects.get(action="signin.unlock")
    assert entry.user == boss


def test_who_may_only_look_cannot_unlock() -> None:
    fail("a@example.com", 2)
    page = signed_in(operator("accounts.view_failedsignin"))
    row = FailedSignIn.objects.first()
    assert row is not None
    form = {"action": "unlock_address", "_selected_action": [row.pk]}
    page.post("/admin/accounts/failedsignin/", form)
    assert FailedSignIn.objects.exists()


def test_the_command_unlocks_an_address() -> None:
    user = staff()
    fail(user.email, OF_ACCOUNT)
    call_command("axes_reset_ip", "127.0.0.1", verbosity=0)
    assert give_password(Client(), user.email).status_code == 302


def test_a_purge_takes_what_no_longer_counts() -> None:
    fail("a@example.com", 2)
    assert purge()["failed_sign_ins"] == 0
    now = timezone.now() + COOL_OFF + timedelta(seconds=1)
    assert purge(now=now)["failed_sign_ins"] == 2


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("2001:db8:1:2:3::9", "", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        ("", "", None),
    ],
)
def test_the_address_is_the_clients(
    settings: Settings, remote: str, forwarded: str, found: str | None
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    request = RequestFactory().get("/", headers={"x-forwarded-for": forwarded})
    request.META["REMOTE_ADDR"] = remote
    assert client_address(request) == found


def test_programs_share_the_limit_and_get_the_apis_error() -> None:
    """As a token endpoint will ask: `authenticate()` with the request."""
    user = staff()
    request = RequestFactory().post("/api/v1/auth/token")
    tried = {"username": user.email, "password": "wrong"}
    for _ in range(OF_ACCOUNT):
        assert (
            authenticate(RequestFactory().post("/api/v1/auth/token"), **tried) is None
        )
    right = {**tried, "password": PASSWORD}
    assert authenticate(request, **right) is None
    answer = locked_out(request, None, right)
    assert answer.status_code == 429
    assert b'"RATE_LIMITED"' in answer.content
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("typed", ["", "x" * 300 + "@example.com", "a\0b", None, 7])
def test_what_is_no_address_is_nobody(typed: Any) -> None:
    request = RequestFactory().post("/")
    assert account_of(request, {"username": typed}) == NOBODY

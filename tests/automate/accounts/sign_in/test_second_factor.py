"""With a second factor a password alone opens nothing."""

from __future__ import annotations

import re
from base64 import b32decode
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from automate.accounts.models import AuditEntry, FailedSignIn, SecondFactor, User
from automate.accounts.sign_in import half, second_factor
from automate.accounts.sign_in.limits import OF_ACCOUNT
from automate.rotation import rotate
from tests.admin_world import operator, signed_in
from tests.automate.accounts.sign_in.steps import (
    CODE,
    PAGE,
    app_code,
    enrolled,
    give_password,
    is_in,
    staff,
)

pytestmark = pytest.mark.django_db


def give_code(client: Client, code: str, **more: str) -> Any:
    return client.post(CODE, {"code": code, "next": "/admin/runs/run/", **more})


def waited(device: SecondFactor) -> None:
    """The failures so far are long ago."""
    long_ago = timezone.now() - timedelta(hours=1)
    SecondFactor.objects.filter(pk=device.pk).update(
        throttling_failure_timestamp=long_ago
    )


def test_the_password_alone_opens_nothing() -> None:
    user = staff()
    device, _ = enrolled(user)
    client = Client()
    answer = give_password(client, user.email)
    assert answer["Location"] == f"{CODE}?next=%2Fadmin%2F"
    assert "_auth_user_id" not in client.session
    assert not is_in(client)
    assert client.get(PAGE).status_code == 302

    before = client.session.session_key
    answer = give_code(client, app_code(device))
    assert answer["Location"] == "/admin/runs/run/"
    assert client.session.session_key != before
    assert is_in(client)


def test_without_one_nothing_changes() -> None:
    user, client = staff(), Client()
    assert give_password(client, user.email)["Location"] == "/admin/"
    assert is_in(client)
    assert client.get(CODE)["Location"] == "/admin/login/"


def test_a_code_is_good_once_and_for_its_owner_alone() -> None:
    user, other = staff(), staff()
    device, _ = enrolled(user)
    others, _ = enrolled(other)
    code = app_code(device)
    first, second = Client(), Client()
    give_password(first, user.email)
    give_password(second, user.email)
    assert give_code(second, app_code(others)).status_code == 200
    waited(device)
    assert give_code(first, code).status_code == 302
    assert give_code(second, code).status_code == 200
    assert not is_in(second)


def test_recovery_codes_sign_in_once_each() -> None:
    user = staff()
    device, codes = enrolled(user)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)
    first, second = Client(), Client()
    give_password(first, user.email)
    give_password(second, user.email)
    assert give_code(first, codes[3].upper().replace("-", " ")).status_code == 302
    assert is_in(first)
    assert give_code(second, codes[3]).status_code == 200
    waited(device)
    assert give_code(second, codes[4]).status_code == 302
    device.refresh_from_db()
    assert len(device.recovery) == 8


def test_wrong_codes_slow_down_and_then_lock() -> None:
    user = staff()
    device, _ = enrolled(user)
    client = Client()
    give_password(client, user.email)
    assert "is not the code" in give_code(client, "000000").content.decode()
    failures = SecondFactor.objects.filter(pk=device.pk)
    assert failures.get().throttling_failure_count == 1
    failures.update(throttling_failure_count=8)  # two minutes: a test may stand still
    assert give_code(client, app_code(device)).status_code == 200  # too soon
    for _ in range(OF_ACCOUNT - 3):
        assert give_code(client, "nonsense").status_code == 200
    assert give_code(client, "").status_code == 429
    waited(device)
    assert give_code(client, app_code(device)).status_code == 429
    assert FailedSignIn.objects.get().username == user.email
    device.refresh_from_db()
    for _ in range(20):
        device.throttle_increment()
    allowed, why = device.verify_is_allowed()
    assert not allowed
    assert why["locked_until"] - timezone.now() < timedelta(minutes=5)


@pytest.mark.parametrize("what", ["late", "password", "inactive", "removed"])
def test_half_a_sign_in_does_not_last(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = staff()
    device, _ = enrolled(user)
    client = Client()
    give_password(client, user.email)
    if what == "late":
        monkeypatch.setattr(half, "PATIENCE", -1)
        give_password(client, user.email)
    elif what == "password":
        user.set_password("another one")
    elif what == "inactive":
        user.is_active = False
    else:
        second_factor.remove(user, by=user)
    user.save()
    assert give_code(client, app_code(device))["Location"] == "/admin/login/"
    assert not is_in(client)


def test_one_goes_nowhere_else_afterwards() -> None:
    user = staff()
    device, _ = enrolled(user)
    client = Client()
    give_password(client, user.email)
    answer = give_code(client, app_code(device), next="https://evil.example/")
    assert answer["Location"] == "/admin/"


def test_a_person_sets_one_up_in_the_admin() -> None:
    user = staff()
    client = signed_in(user)
    assert "Set it up" in client.get(PAGE).content.decode()
    assert not SecondFactor.objects.exists()
    client.post(PAGE, {"begin": "1"})
    device = SecondFactor.objects.get(user=user)
    page = client.get(PAGE).content.decode()
    assert second_factor.secret_text(device) in page
    assert 'src="data:image/svg+xml;' in page
    assert is_in(Client()) is False
    assert (
        "is not the code"
        in client.post(PAGE, {"confirm": "1", "code": "123"}).content.decode()
    )
    assert is_in(client)  # it is not on yet
    waited(device)
    done = client.post(PAGE, {"confirm": "1", "code": app_code(device)})
    shown = done.content.decode().partition('class="code codes"')[2]
    codes = re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", shown)
    assert len(codes) == 10
    assert is_in(client)
    assert codes[0] not in client.get(PAGE).content.decode()
    user.refresh_from_db()
    assert user.second_factor_since is not None
    assert AuditEntry.objects.filter(action="user.second_factor_on").count() == 1


def test_sessions_from_before_are_asked_for_a_code() -> None:
    user = staff()
    client = signed_in(user)
    assert is_in(client)
    device, _ = enrolled(user)
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == f"{CODE}?next=%2Fadmin%2F"
    assert give_code(client, app_code(device)).status_code == 302
    assert is_in(client)


def test_who_is_asked_may_sign_in_as_somebody_else() -> None:
    user = staff()
    enrolled(user)
    client = signed_in(user)
    assert client.post(CODE, {"leave": "1"})["Location"] == "/admin/login/"
    assert client.get("/admin/login/").status_code == 200


@pytest.mark.parametrize("verb", ["renew", "off"])
def test_changing_it_takes_a_code(verb: str) -> None:
    user = staff()
    device, codes = enrolled(user)
    client = Client()
    give_password(client, user.email)
    give_code(client, codes[0])
    client.post(PAGE, {verb: "1", "code": "000000"})
    device.refresh_from_db()
    assert len(device.recovery) == 9
    waited(device)
    page = client.post(PAGE, {verb: "1", "code": app_code(device)}, follow=True)
    user.refresh_from_db()
    if verb == "off":
        assert user.second_factor_since is None
        assert not SecondFactor.objects.exists()
    else:
        device.refresh_from_db()
        assert len(device.recovery) == 10
        assert codes[1] not in page.content.decode()
    assert is_in(client)


def test_it_can_be_required(settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    user, client = staff(), Client()
    give_password(client, user.email)
    answer = client.get("/admin/runs/run/", follow=True)
    assert answer.redirect_chain[-1][0].startswith(PAGE)
    text = answer.content.decode()
    assert "asks everybody for a second factor" in text
    assert "/admin/runs/run/" not in text
    client.post(PAGE, {"begin": "1"})
    device = SecondFactor.objects.get()
    client.post(PAGE, {"confirm": "1", "code": app_code(device)})
    assert is_in(client)


def test_strangers_and_others_see_no_page(client: Client) -> None:
    assert client.get(PAGE)["Location"] == f"/admin/login/?next={PAGE}"
    client.force_login(User.objects.create_user("x@example.com"))
    assert client.get(PAGE).status_code == 302
    assert client.post(PAGE, {"begin": "1"}).status_code == 302
    assert not SecondFactor.objects.exists()


def test_an_administrator_resets_a_lost_one() -> None:
    user, boss = staff(), operator("accounts.view_user", "accounts.change_user")
    top = staff(is_superuser=True)
    enrolled(user)
    enrolled(top)
    form = {"action": "reset_second_factor", "_selected_action": [user.pk, top.pk]}
    signed_in(operator("accounts.view_user")).post("/admin/accounts/user/", form)
    assert SecondFactor.objects.count() == 2
    signed_in(boss).post("/admin/accounts/user/", form)
    user.refresh_from_db()
    top.refresh_from_db()
    assert user.second_factor_since is None
    assert top.second_factor_since is not None  # superusers are for superusers
    entry = AuditEntry.objects.get(action="user.second_factor_off")
    assert (entry.user, entry.object_id) == (boss, str(user.pk))
    client = Client()
    give_password(client, user.email)
    assert is_in(client)


def test_nobody_turns_off_their_own_without_a_code() -> None:
    boss = operator("accounts.view_user", "accounts.change_user")
    enrolled(boss)
    form = {"action": "reset_second_factor", "_selected_action": [boss.pk]}
    signed_in(boss).post("/admin/accounts/user/", form)
    assert SecondFactor.objects.filter(user=boss).exists()


def test_the_command_lets_the_only_administrator_in_again() -> None:
    user = staff(is_superuser=True)
    enrolled(user)
    out = StringIO()
    call_command("reset_second_factor", user.email.upper(), stdout=out)
    assert "password alone" in out.getvalue()
    client = Client()
    give_password(client, user.email)
    assert is_in(client)
    assert AuditEntry.objects.get(action="user.second_factor_off").user is None
    for email in (user.email, "nobody@example.com"):
        with pytest.raises(CommandError):
            call_command("reset_second_factor", email)


def test_the_database_holds_neither_key_nor_codes() -> None:
    user = staff()
    device, codes = enrolled(user)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_secondfactor")
        row = cursor.fetchone()
    stored = b" ".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
        for cell in row
    )
    assert bytes(device.key) not in stored
    assert device.key.hex().encode() not in stored
    for code in codes:
        assert code.encode() not in stored
        assert code.replace("-", "").encode() not in stored
    assert "accounts.SecondFactor.key" in [report.column for report in rotate(100)]


def test_an_app_is_told_what_it_needs() -> None:
    user = staff("ada+ops@example.com")
    device = second_factor.begin(user)
    found = urlsplit(second_factor.address(device))
    given = parse_qs(found.query)
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert found.path == "/Automate%3Aada%2Bops%40example.com"
    assert b32decode(given["secret"][0]) == bytes(device.key)
    assert (given["digits"], given["period"]) == (["6"], ["30"])
    again = second_factor.begin(user)
    assert bytes(again.key) != bytes(device.key)
    with pytest.raises(ValueError, match="already"):
        enrolled(user) and second_factor.begin(user)

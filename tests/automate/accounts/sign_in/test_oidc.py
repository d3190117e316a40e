"""Signing in by a real provider: who gets which account, and what is not believed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from django.conf import settings as given
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.test import Client
from joserfc.jwk import RSAKey
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Identity, User
from automate.accounts.roles import OPERATOR, VIEWER
from automate.accounts.sign_in.provider import is_safe
from tests.admin_world import boss, signed_in
from tests.automate.accounts.sign_in.oidc_provider import (
    CLIENT,
    SECRET,
    Provider,
    running,
)
from tests.automate.accounts.sign_in.steps import enrolled, is_in, staff

pytestmark = pytest.mark.django_db
START, BACK = "/admin/login/oidc/", "/admin/login/oidc/back/"


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with running() as found:
        settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OIDC_ISSUER, settings.OIDC_NAME = found.issuer, "Our Provider"
        settings.OIDC_DOMAINS = []
        yield found


def begin(client: Client, query: str = "") -> Any:
    return client.get(f"{START}{query}")


def agreed(answer: Any) -> str:
    """What the person's browser is sent back with, once they have agreed."""
    assert answer.status_code == 302
    there = requests.get(answer["Location"], allow_redirects=False, timeout=5)
    assert there.status_code == 302
    return str(there.headers["Location"])


def come_back(client: Client, where: str) -> Any:
    parts = urlsplit(where)
    return client.get(f"{parts.path}?{parts.query}")


def sign_in(client: Client, query: str = "") -> Any:
    return come_back(client, agreed(begin(client, query)))


def said(answer: Any) -> str:
    """What the login page would say to somebody who was refused."""
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/login/"
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


def test_without_the_settings_there_is_nothing(settings: Settings) -> None:
    assert settings.OIDC_ISSUER == ""
    for where in (START, BACK):
        assert Client().get(where).status_code == 404
    assert "oidc" not in Client().get("/admin/login/").content.decode()


def test_a_site_without_a_provider_does_not_load_the_library() -> None:
    """It takes 15 MB of each process."""
    code = (
        "import sys, django; django.setup(); import automate.urls; "
        "print('authlib' in sys.modules)"
    )
    line = [sys.executable, "-c", code]
    loaded = subprocess.check_output(line, text=True, cwd=given.BASE_DIR)
    assert loaded.strip() == "False"


def test_the_login_page_leads_to_the_provider_and_back_to_where_one_was_going(
    provider: Provider,
) -> None:
    user = staff("ann@example.com")
    client = Client()
    page = client.get("/admin/login/?next=/admin/runs/run/").content.decode()
    assert "Sign in with Our Provider" in page
    assert f'href="{START}?next=/admin/runs/run/"' in page
    answer = sign_in(client, "?next=/admin/runs/run/")

    assert answer.status_code == 302
    assert answer["Location"] == "/admin/runs/run/"
    assert is_in(client)
    identity = Identity.objects.get()
    assert (identity.user, identity.subject) == (user, "248289761001")
    assert identity.issuer == provider.issuer
    assert identity.last_used_at is not None
    assert AuditEntry.objects.get(action="user.identity").user == user
    assert provider.granted == {}, "the code was used"


def test_the_address_that_one_comes_back_to_is_the_public_one(
    provider: Provider, settings: Settings
) -> None:
    """Whatever the Host header says."""
    settings.PUBLIC_URL = "https://automate.example.com"
    settings.ALLOWED_HOSTS = ["*"]
    answer = Client().get(START, headers={"host": "evil.example.com"})
    sent = dict(parse_qsl(urlsplit(answer["Location"]).query))
    assert sent["redirect_uri"] == f"https://automate.example.com{BACK}"


@pytest.mark.parametrize("where", ["https://evil.example.com/", "//evil.example.com"])
def test_one_is_led_to_no_other_site_afterwards(provider: Provider, where: str) -> None:
    staff("ann@example.com")
    assert sign_in(Client(), f"?next={where}")["Location"] == "/admin/"


# --- whose account ------------------------------------------------------------


def test_once_known_one_is_found_by_the_providers_name_and_not_by_the_address(
    provider: Provider,
) -> None:
    user = staff("ann@example.com")
    sign_in(Client())
    other = staff("married@example.com")
    provider.claims |= {"email": "married@example.com", "email_verified": False}
    client = Client()
    sign_in(client)
    assert is_in(client)
    assert str(client.session["_auth_user_id"]) == str(user.pk) != str(other.pk)


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_is_nobodys(
    provider: Provider, verified: Any
) -> None:
    staff("ann@example.com")
    provider.claims["email_verified"] = verified
    client = Client()
    assert "has not verified" in said(sign_in(client))
    assert not is_in(client)
    assert not Identity.objects.exists()


@pytest.mark.parametrize("email", [None, "", "nobody", "a@example.com\nb@example.com"])
def test_who_comes_without_an_address_is_nobody(provider: Provider, email: Any) -> None:
    provider.claims["email"] = email
    assert "e-mail address" in said(sign_in(Client()))


def test_an_account_that_somebody_made_with_the_address_is_not_given_away(
    provider: Provider,
) -> None:
    """Else whoever registers with another's address sits in their account with them."""
    staff("ann@example.com", email_is_proven=False)
    client = Client()
    assert "registered here" in said(sign_in(client))
    assert not is_in(client)


def test_a_superuser_can_say_that_the_address_is_theirs(provider: Provider) -> None:
    user = staff("ann@example.com", email_is_proven=False)
    page = signed_in(boss())
    where = f"/admin/accounts/user/{user.pk}/change/"
    form = {"email": user.email, "is_active": "on", "is_staff": "on"}
    answer = page.post(where, {**form, "email_is_proven": "on"})
    assert answer.status_code == 302
    client = Client()
    sign_in(client)
    assert is_in(client)


def test_an_account_has_one_owner_at_the_provider(provider: Provider) -> None:
    """As when an address passes from one employee to the next."""
    staff("ann@example.com")
    sign_in(Client())
    provider.claims["sub"] = "somebody-else"
    client = Client()
    assert "somebody else" in said(sign_in(client))
    assert not is_in(client)


def test_who_has_no_account_gets_none(provider: Provider) -> None:
    assert "no account here" in said(sign_in(Client()))
    assert not User.objects.exists()


def test_people_of_a_domain_that_is_named_become_viewers_of_no_team(
    provider: Provider, settings: Settings
) -> None:
    settings.OIDC_DOMAINS = ["example.com"]
    # What the provider says of roles is not asked.
    provider.claims |= {"groups": ["Administrator"], "is_superuser": True}
    client = Client()
    sign_in(client)
    assert is_in(client)
    user = User.objects.get()
    assert (user.email, user.name, user.role) == ("ann@example.com", "Ann", "user")
    assert not user.is_superuser
    assert not user.has_usable_password()
    assert not user.teams.exists()
    assert list(user.groups.all()) == [Group.objects.get(name=VIEWER)]


@pytest.mark.parametrize("email", ["ann@sub.example.com", "ann@notexample.com"])
def test_a_domain_is_that_one_alone(
    provider: Provider, settings: Settings, email: str
) -> None:
    settings.OIDC_DOMAINS = ["example.com"]
    provider.claims["email"] = email
    assert "no account" in said(sign_in(Client()))


def test_signing_in_changes_no_role(provider: Provider, settings: Settings) -> None:
    settings.OIDC_DOMAINS = ["example.com"]
    user = staff("ann@example.com")
    user.groups.add(Group.objects.get(name=OPERATOR))
    sign_in(Client())
    assert user.role == "operator"


def test_who_is_switched_off_stays_out(provider: Provider) -> None:
    user = staff("ann@example.com")
    sign_in(Client())
    user.is_active = False
    user.save()
    assert "switched off" in said(sign_in(Client()))


def test_who_may_not_open_the_admin_may_not_by_this_way(provider: Provider) -> None:
    staff("ann@example.com")
    User.objects.update(is_staff=False)
    client = Client()
    assert "may not open" in said(sign_in(client))
    assert not is_in(client)


def test_a_second_factor_of_ours_is_asked_for_all_the_same(provider: Provider) -> None:
    user = staff("ann@example.com")
    enrolled(user)
    client = Client()
    sign_in(client)
    assert not is_in(client)
    assert client.get("/admin/login/")["Location"].startswith("/admin/login/code/")


# --- what is not believed -----------------------------------------------------


def test_who_did_not_begin_here_does_not_end_here(provider: Provider) -> None:
    """State and nonce: another's code in one's own browser, and the other way round."""
    staff("ann@example.com")
    mine, theirs = Client(), Client()
    where = agreed(begin(theirs))
    assert "failed" in said(come_back(mine, where))
    begin(mine)
    assert "failed" in said(come_back(mine, where))
    assert not is_in(mine)
    come_back(theirs, where)
    assert is_in(theirs)
    again = Client()
    again.cookies = theirs.cookies
    assert "failed" in said(come_back(again, where)), "an answer is good once"


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=x", "?code=x&state=y", "?error=access_denied"]
)
def test_an_answer_that_is_none_is_refused(provider: Provider, query: str) -> None:
    client = Client()
    begin(client)
    assert "failed" in said(client.get(f"{BACK}{query}"))
    assert "/token" not in provider.asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": None},
        {"aud": ["another"], "azp": CLIENT}, {"aud": [CLIENT, "b"], "azp": "b"},
        {"iss": "https://evil.example.com"}, {"iss": None}, {"exp": 1_000_000_000},
        {"exp": None}, {"sub": None}, {"sub": ""}, {"iat": None},
    ],
)  # fmt: skip
def test_a_token_that_is_not_about_this_sign_in_is_refused(
    provider: Provider, wrong: dict[str, Any]
) -> None:
    staff("ann@example.com")
    provider.claims |= wrong
    client = Client()
    assert "failed" in said(sign_in(client))
    assert not is_in(client)


@pytest.mark.parametrize("signature", ["none", "HS256"])
def test_a_signature_that_anybody_can_make_is_none(
    provider: Provider, signature: str
) -> None:
    """Though the provider says that it uses them."""
    staff("ann@example.com")
    provider.signed_with = signature
    assert "failed" in said(sign_in(Client()))


def test_a_signature_under_another_key_is_none(provider: Provider) -> None:
    staff("ann@example.com")
    provider.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    assert "failed" in said(sign_in(Client()))


def test_a_new_key_of_the_provider_is_fetched(provider: Provider) -> None:
    staff("ann@example.com")
    sign_in(Client())
    provider.key = RSAKey.generate_key(2048, {"kid": "two"}, private=True)
    provider.published.append(provider.key)
    client = Client()
    sign_in(client)
    assert is_in(client)


def test_the_description_is_read_once(provider: Provider) -> None:
    for _ in range(3):
        begin(Client())
    assert provider.asked.count("/.well-known/openid-configuration") == 1


def test_an_address_from_the_user_info_counts_if_it_is_about_the_same(
    provider: Provider,
) -> None:
    staff("ann@example.com")
    info = {"sub": "248289761001", "email": "ann@example.com", "email_verified": True}
    del provider.claims["email"], provider.claims["email_verified"]
    provider.user_info = {**info, "sub": "another"}
    assert "failed" in said(sign_in(Client()))
    provider.user_info = info
    client = Client()
    sign_in(client)
    assert is_in(client)


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example.com"},
        {"token_endpoint": "http://evil.example.com/token"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
)
def test_a_description_that_is_not_sound_is_not_used(
    provider: Provider, described: dict[str, Any]
) -> None:
    provider.described = described
    assert "could not be reached" in said(begin(Client()))
    provider.described = {}
    assert begin(Client()).status_code == 302, "nothing of it was kept"


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_the_description_is_taken_from_nowhere_else(
    provider: Provider, status: int
) -> None:
    where = "/.well-known/openid-configuration"
    provider.answers[where] = (status, {"Location": f"{provider.issuer}/elsewhere"})
    assert "could not be reached" in said(begin(Client()))
    assert provider.asked == [where]


def test_the_guard_of_outgoing_requests_has_its_say(
    provider: Provider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider on an inner address takes AUTOMATE_ALLOWED_NETWORKS; no proxies."""
    settings.ALLOWED_NETWORKS = []
    assert "could not be reached" in said(begin(Client()))
    assert provider.asked == []
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert begin(Client()).status_code == 302


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.example.com", True),
        ("http://localhost:8080/realm", True),
        ("http://127.0.0.1:1", True),
        ("http://login.example.com", False),
        ("http://localhost.evil.example.com", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_secrets_go_out_over_https_alone(url: str, safe: bool) -> None:
    assert is_safe(url) == safe


def test_only_a_get_begins_and_ends(provider: Provider) -> None:
    for where in (START, BACK):
        assert Client().post(where).status_code == 405

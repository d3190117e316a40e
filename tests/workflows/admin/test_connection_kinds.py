"""The form of each kind of connection, and the button that tries it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team
from tests.admin_world import boss, operator, signed_in
from tests.automate.lib.net.pki import Authority
from tests.automate.lib.net.servers import Server, always, answer
from tests.workflows.admin.test_write_only import CANARY, address, connection_form
from tests.workflows.connections.provider import Provider
from workflows.connections.tokens import tokens
from workflows.models import Connection

pytestmark = pytest.mark.django_db
AUTHORITY = Authority()
ISSUED = AUTHORITY.issue("us")
OAUTH = {
    "kind": "oauth2_client_credentials",
    "token_url": "https://login.example.com/token",
    "client_id": "us",
    "token_auth": "client_secret_post",
    "scope": "read write",
    "token_extra": "resource=urn:x",
}
MTLS = {"kind": "mtls"}
PAIR = {
    "new_certificate": ISSUED.certificate,
    "new_private_key": ISSUED.private_key,
}


@pytest.fixture
def client() -> Client:
    return signed_in(boss())


@pytest.fixture(autouse=True)
def no_tokens() -> Iterator[None]:
    tokens.clear()
    yield
    tokens.clear()


def save(client: Client, row: Any = None, **fields: Any) -> Any:
    """The form's errors; none when it went through."""
    page = ("change", row.pk) if row else ("add",)
    response = client.post(address("connection", *page), connection_form(**fields))
    if row is not None:
        row.refresh_from_db()
    return response.context["adminform"].form.errors if response.context else {}


def test_oauth_s_settings_are_shown_and_its_secret_is_not(client: Client) -> None:
    assert save(client, **OAUTH, new_value=CANARY) == {}
    row = Connection.objects.get()
    assert row.credentials == {"client_secret": CANARY}
    assert row.options == {name: OAUTH[name] for name in row.options}
    assert set(row.options) == set(OAUTH) - {"kind"}

    page = client.get(address("connection", "change", row.pk)).content.decode()
    assert "https://login.example.com/token" in page
    assert "resource=urn:x" in page
    assert CANARY not in page + str(list(AuditEntry.objects.values()))

    assert save(client, row, **{**OAUTH, "scope": "read"}) == {}
    assert row.options["scope"] == "read"
    assert row.credentials == {"client_secret": CANARY}


def test_a_client_certificate_goes_in_and_never_comes_out(client: Client) -> None:
    assert save(client, **MTLS, **PAIR) == {}
    row = Connection.objects.get()
    assert row.credentials["private_key"].split() == ISSUED.private_key.split()
    assert row.credentials["certificate"].split() == ISSUED.certificate.split()
    page = client.get(address("connection", "change", row.pk)).content.decode()
    assert "PRIVATE KEY" not in page + str(list(AuditEntry.objects.values()))


def test_what_was_typed_is_not_rendered_after_an_error_either(client: Client) -> None:
    data = connection_form(**MTLS, **PAIR, base_url="")
    page = client.post(address("connection"), data).content.decode()
    assert "Give a base URL" in page
    assert "PRIVATE KEY" not in page


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (OAUTH, "new_value"),
        ({**OAUTH, "new_value": "x", "token_url": ""}, "token_url"),
        ({**OAUTH, "new_value": "x", "token_url": "ftp://x"}, "token_url"),
        ({**OAUTH, "new_value": "x", "client_id": ""}, "client_id"),
        ({**OAUTH, "new_value": "x", "token_extra": "scope=all"}, "token_extra"),
        ({**OAUTH, "new_value": "x", "token_extra": "what"}, "token_extra"),
        ({**OAUTH, "new_value": "x", "allowed_hosts": "crm.test"}, "allowed_hosts"),
        ({**OAUTH, "new_value": "x", **PAIR, "new_certificate": ""}, "new_certificate"),
        (MTLS, "new_certificate"),
        ({**MTLS, **PAIR, "new_private_key": "x"}, "new_private_key"),
        (
            {**MTLS, **PAIR, "new_private_key": AUTHORITY.issue().private_key},
            "new_private_key",
        ),
        ({"new_value": "x", "proxy": "socks5://p"}, "proxy"),
        ({"new_value": "x", "proxy": "http://us:pw@p"}, "proxy"),
        ({"new_value": "x", "authorities": "nonsense"}, "authorities"),
    ],
)
def test_the_form_says_what_is_wrong(
    client: Client, fields: dict[str, str], wrong: str
) -> None:
    assert wrong in save(client, **fields)
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"token_url": "https://evil.example/token"},
        {"token_url": "http://login.example.com/token"},
        {"proxy": "http://evil.example:3128"},
        {"authorities": AUTHORITY.certificate},
    ],
)
def test_credentials_are_given_again_before_somebody_else_may_read_them(
    client: Client, changes: dict[str, str]
) -> None:
    save(client, **OAUTH, new_value=CANARY)
    row = Connection.objects.get()
    before = (row.options, row.proxy, row.authorities)

    errors = save(client, row, **{**OAUTH, **changes})

    assert list(errors) == ["new_value"]
    assert "Give it again" in errors["new_value"][0]
    assert (row.options, row.proxy, row.authorities) == before
    assert save(client, row, **{**OAUTH, **changes}, new_value="another") == {}
    assert row.credentials == {"client_secret": "another"}


def test_the_proxy_s_password_stays_with_its_proxy(client: Client) -> None:
    proxy = "http://us@proxy.example:3128"
    save(client, new_value=CANARY, proxy=proxy, new_proxy_password="pr0xy-pw")
    row = Connection.objects.get()
    assert row.credentials == {"token": CANARY, "proxy_password": "pr0xy-pw"}
    page = client.get(address("connection", "change", row.pk)).content.decode()
    assert "pr0xy-pw" not in page

    save(client, row, new_value="new", proxy=proxy)
    assert row.credentials == {"token": "new", "proxy_password": "pr0xy-pw"}
    save(client, row, new_value="new", proxy="http://us@other.example")
    assert row.credentials == {"token": "new"}


def test_activating_it_forgets_why_it_was_not(client: Client) -> None:
    save(client, new_value=CANARY)
    row = Connection.objects.get()
    Connection.objects.update(status="inactive", status_reason="step a: 410 Gone")
    page = client.get(address("connection", "change", row.pk)).content.decode()
    assert "step a: 410 Gone" in page

    assert save(client, row, status="active") == {}
    assert (row.status, row.status_reason) == ("active", "")


# --- the button ---


@pytest.fixture
def loopback(settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


def stored(url: str, **fields: Any) -> Connection:
    fields = {"kind": "bearer", "credentials": {"token": CANARY}, **fields}
    return Connection.objects.create(name="crm", base_url=url, **fields)


def press(client: Client, row: Connection) -> str:
    page = address("connection", "check", row.pk)
    response = client.post(page, follow=True)
    row.refresh_from_db()
    return ", ".join(str(note) for note in response.context["messages"])


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        ("200 OK", "active", "It answered 200."),
        ("404 Not Found", "active", "It answered 404."),
        ("401 Unauthorized", "error", "401: the credentials are refused."),
        ("403 Forbidden", "error", "403: the credentials are refused."),
        ("503 Service Unavailable", "error", "It answered 503."),
    ],
)
@pytest.mark.usefixtures("loopback")
def test_the_button_asks_the_base_url(
    client: Client, status: str, expected: str, words: str
) -> None:
    with Server(always(answer(b"", status))) as server:
        row = stored(server.url)
        note = press(client, row)

    assert words in note
    assert (row.status, row.last_check) == (
        expected,
        note.removeprefix("Connection crm: "),
    )
    assert row.last_checked_at is not None
    assert b"GET / HTTP/1.1" in server.requests[0]
    assert f"Bearer {CANARY}".encode() in server.requests[0]
    assert AuditEntry.objects.filter(action="connection.check").exists()


@pytest.mark.usefixtures("loopback")
def test_the_button_fetches_a_token_and_keeps_it(client: Client) -> None:
    with Provider() as provider:
        fields = {
            "kind": "oauth2_client_credentials",
            "credentials": {"client_secret": CANARY},
            "options": provider.options(),
        }
        row = stored(provider.api, **fields)
        assert "It answered 200." in press(client, row)
        assert row.token["value"] == provider.given[0]

        Connection.objects.update(base_url="", allowed_hosts=["127.0.0.1"])
        assert "A token was given" in press(client, row)
        provider.answers = [("401 Unauthorized", {"error": "invalid_client"})]
        tokens.clear()
        Connection.objects.update(token=None)
        assert "invalid_client" in press(client, row)
        assert row.status == "error"


def test_the_form_has_a_hint_about_kinds_and_a_reason_only_where_there_is_one(
    client: Client,
) -> None:
    add = client.get(reverse("admin:workflows_connection_add")).content.decode()
    assert "Which boxes there are depends on the kind" in add
    row = stored("https://crm.example.com")
    page = reverse("admin:workflows_connection_change", args=(row.pk,))
    assert "field-why" not in client.get(page).content.decode()
    Connection.objects.update(status="inactive", status_reason="It answered 410.")
    text = client.get(page).content.decode()
    assert "field-why" in text
    assert "It answered 410." in text


def test_the_button_is_behind_the_guard(client: Client) -> None:
    row = stored("http://169.254.169.254")
    assert "a cloud metadata service" in press(client, row)
    assert row.status == "error"


@pytest.mark.usefixtures("loopback")
def test_an_inactive_connection_stays_so(client: Client) -> None:
    with Server(always(answer())) as server:
        row = stored(server.url, status="inactive", status_reason="gone")
        press(client, row)

    assert (row.status, row.status_reason) == ("inactive", "gone")
    assert row.last_check == "It answered 200."


def test_the_button_needs_the_right_to_change_and_a_post() -> None:
    team = Team.objects.create(name="Mine", slug="mine")
    row = stored("http://127.0.0.1:1", team=team)
    page = address("connection", "check", row.pk)
    viewer = signed_in(operator("workflows.view_connection", team=team))
    stranger = signed_in(operator("workflows.change_connection"))

    assert viewer.post(page).status_code == 403
    assert stranger.post(page).status_code == 404
    assert signed_in(boss()).get(page).status_code == 405
    shown = viewer.get(address("connection", "change", row.pk)).content.decode()
    assert "Test this connection" not in shown
    row.refresh_from_db()
    assert row.last_checked_at is None

"""/api/v1/connections: credentials go in and never come out; a connection is tested."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from automate.accounts.models import AuditEntry, Team, User
from tests.api_caller import Caller, wrong
from tests.makers import make_user
from workflows.models import Breaker, Connection

pytestmark = pytest.mark.django_db
CANARY = "canary-4711-token"
BEARER = {
    "name": "crm",
    "kind": "bearer",
    "base_url": "https://crm.example.com",
    "credentials": {"token": CANARY},
}
OAUTH: dict[str, Any] = {
    "name": "erp",
    "kind": "oauth2_client_credentials",
    "base_url": "https://erp.example.com",
    "credentials": {"client_secret": CANARY},
    "options": {"token_url": "https://login.example.com/t", "client_id": "us"},
}


def make(api: Caller, **more: Any) -> dict[str, Any]:
    answer = api.post("connections", {**BEARER, **more})
    assert answer.status_code == 201, answer.content
    assert CANARY not in answer.content.decode()
    found: dict[str, Any] = answer.json()
    return found


def test_credentials_go_in_and_never_come_out(api: Caller, team: Team) -> None:
    made = make(api)
    row = Connection.objects.get()
    assert (row.credentials, row.team) == ({"token": CANARY}, team)
    path = f"connections/{made['id']}"
    for answer in (
        api.get(path),
        api.get("connections"),
        api.patch(path, {"credentials": {"token": f"{CANARY}2"}}),
    ):
        assert answer.status_code == 200
        assert CANARY not in answer.content.decode()
    assert Connection.objects.get().credentials == {"token": f"{CANARY}2"}
    changes = list(AuditEntry.objects.values_list("changes", flat=True))
    assert CANARY not in str(changes)
    assert AuditEntry.objects.get(action="connection.change").api_key is not None


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "basic", "credentials": {"username": "u", "password": CANARY}},
        {"kind": "header", "credentials": {"name": "X-Key", "value": CANARY}},
        OAUTH,
        {"base_url": "", "allowed_hosts": ["*.example.com"]},
        {"proxy": "http://proxy.example.com:3128", "rate_limit": "10/s"},
    ],
)
def test_each_kind_is_made(api: Caller, given: dict[str, Any]) -> None:
    made = make(api, **given)
    assert made["kind"] == given.get("kind", "bearer")
    assert made["options"] == given.get("options", {})


def test_an_unknown_kind_is_told_with_those_that_there_are(api: Caller) -> None:
    given = {"name": "beer", "kind": "beer", "base_url": "https://example.com"}
    said = wrong(api.post("connections", given))["kind"]
    known = ", ".join(Connection.Kind.values)
    assert said == f'Unknown value "beer". Known: {known}.'


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"kind": "nope"}, {"kind"}),
        ({"name": "two words"}, {"name"}),
        ({"credentials": {}}, {"credentials.token"}),
        ({"credentials": {"tokken": "x"}}, {"credentials.tokken", "credentials.token"}),
        ({"kind": "basic", "credentials": {"username": "u"}}, {"credentials.password"}),
        ({"base_url": ""}, {"base_url"}),
        ({"base_url": "no address"}, {"base_url"}),
        ({"rate_limit": "often"}, {"rate_limit"}),
        ({"proxy": "http://u:p@proxy.example.com"}, {"proxy"}),
        ({"authorities": "none"}, {"authorities"}),
        ({"authorities": "keine für uns"}, {"authorities"}),
        ({"allowed_hosts": ["a/b"]}, {"allowed_hosts[0]"}),
        ({"options": {"scope": "x"}}, {"options.scope"}),
        ({"colour": "red"}, {"colour"}),
        ({**OAUTH, "options": {}}, {"options.token_url", "options.client_id"}),
        ({**OAUTH, "allowed_hosts": ["erp.example.com"]}, {"allowed_hosts"}),
        ({"team": "theirs"}, {"team"}),
    ],
)
def test_everything_wrong_is_told_at_its_place(
    api: Caller, stranger: Caller, given: dict[str, Any], fields: set[str]
) -> None:
    assert set(wrong(api.post("connections", {**BEARER, **given}))) == fields
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://evil.example.net"},
        {"base_url": "http://crm.example.com"},
        {"allowed_hosts": ["crm.example.com", "evil.example.net"]},
        {"proxy": "http://evil.example.net:3128"},
    ],
)
def test_stored_credentials_stay_where_they_may_go(
    api: Caller, change: dict[str, Any]
) -> None:
    path = f"connections/{make(api)['id']}"
    assert set(wrong(api.patch(path, change))) == {"credentials.token"}
    row = Connection.objects.get()
    assert (row.base_url, row.proxy) == (BEARER["base_url"], "")
    again = api.patch(path, {**change, "credentials": {"token": "known"}})
    assert again.status_code == 200, again.content


def test_a_token_endpoint_cannot_be_exchanged_either(api: Caller) -> None:
    path = f"connections/{make(api, **OAUTH)['id']}"
    other = {"options": {"token_url": "https://evil.example.net/t"}}
    assert set(wrong(api.patch(path, other))) == {"credentials.client_secret"}
    kept = api.patch(path, {"options": {"scope": "read"}}).json()
    assert kept["options"] == {**OAUTH["options"], "scope": "read"}
    assert Connection.objects.get().credentials == {"client_secret": CANARY}


def test_another_kind_needs_new_credentials(api: Caller) -> None:
    path = f"connections/{make(api)['id']}"
    found = wrong(api.patch(path, {"kind": "basic"}))
    assert set(found) == {"credentials.username", "credentials.password"}
    both = {"username": "u", "password": "p"}
    assert api.patch(path, {"kind": "basic", "credentials": both}).status_code == 200
    assert Connection.objects.get().credentials == both


def test_what_cannot_be_decrypted_is_kept_until_it_is_given_anew(
    api: Caller, settings: Settings
) -> None:
    path = f"connections/{make(api)['id']}"
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = ["another"]
    assert api.patch(path, {"rate_limit": "5/s"}).status_code == 200
    settings.FIELD_ENCRYPTION_KEYS = old
    assert Connection.objects.get().credentials == {"token": CANARY}
    assert Connection.objects.get().rate_limit == "5/s"


def test_shared_ones_are_for_administrators_to_change(api: Caller) -> None:
    root = Caller(make_user(is_superuser=True))
    path = f"connections/{make(root)['id']}"
    assert api.get(path).status_code == 200
    assert api.patch(path, {"rate_limit": "1/s"}).status_code == 403
    assert api.delete(path).status_code == 403
    assert api.post(f"{path}/test").status_code == 403


@pytest.mark.parametrize(
    ("method", "below"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")],
)
def test_another_teams_is_404(
    api: Caller, stranger: Caller, method: str, below: str
) -> None:
    path = f"connections/{make(api)['id']}"
    assert stranger(method, f"{path}{below}", {}).status_code == 404
    assert stranger.get("connections").json()["results"] == []


def test_it_says_what_its_breaker_does(api: Caller) -> None:
    row = Connection.objects.get(pk=make(api)["id"])
    closed = {"state": "closed", "opened_at": None, "probe_at": None}
    assert api.get(f"connections/{row.pk}").json()["breaker"] == closed
    opened, probe = timezone.now(), timezone.now() + timedelta(seconds=30)
    Breaker.objects.create(
        connection=row, state="open", opened_at=opened, probe_at=probe
    )
    (listed,) = api.get("connections").json()["results"]
    assert listed["breaker"]["state"] == "open"
    assert datetime.fromisoformat(listed["breaker"]["opened_at"]) == opened
    assert datetime.fromisoformat(listed["breaker"]["probe_at"]) == probe


def test_it_is_deleted(api: Caller) -> None:
    path = f"connections/{make(api)['id']}"
    assert api.delete(path).status_code == 204
    assert not Connection.objects.exists()


def test_reading_is_not_writing(api: Caller, user: User) -> None:
    path = f"connections/{make(api)['id']}"
    reader = Caller(user, "workflows:read")
    assert reader.get(path).status_code == 200
    assert reader.post(f"{path}/test").status_code == 403


class TestTheTest:
    """Against a real server."""

    @pytest.fixture(autouse=True)
    def _local(self, settings: Settings) -> None:
        settings.ALLOWED_NETWORKS = (ip_network("127.0.0.0/8"),)

    @pytest.mark.parametrize(
        ("status", "ok", "state"),
        [(200, True, "active"), (401, False, "error"), (503, False, "error")],
    )
    def test_it_says_what_the_other_system_said(
        self, api: Caller, httpserver: HTTPServer, status: int, ok: bool, state: str
    ) -> None:
        server = httpserver.expect_request(
            "/", headers={"Authorization": f"Bearer {CANARY}"}
        )
        server.respond_with_data("x", status=status)
        made = make(api, base_url=httpserver.url_for("/"))

        answer = api.post(f"connections/{made['id']}/test")

        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert body["ok"] is ok
        assert str(status) in body["message"]
        assert body["connection"]["status"] == state
        assert body["connection"]["last_checked_at"] is not None
        assert CANARY not in answer.content.decode()
        assert AuditEntry.objects.filter(action="connection.check").exists()


def test_addresses_that_will_be_refused_are_told_and_stored(
    api: Caller, settings: Settings
) -> None:
    settings.ALLOWED_NETWORKS = settings.SERVED_NETWORKS = ()
    made = make(api, base_url="http://127.0.0.1:9000")
    path = f"connections/{made['id']}"

    [warning] = made["warnings"]
    assert warning["field"] == "base_url"
    assert warning["issue"].startswith("requests to it will be refused: 127.0.0.1 is")
    assert Connection.objects.get().base_url == "http://127.0.0.1:9000"
    assert api.get(path).json()["warnings"] == [warning]
    tested = api.post(f"{path}/test").json()
    assert tested["ok"] is False
    assert tested["connection"]["warnings"] == [warning]
    moved = {"base_url": "http://10.0.0.1", "credentials": {"token": CANARY}}
    told = api.patch(path, moved).json()["warnings"]
    assert "10.0.0.1 is a private address" in told[0]["issue"]

    settings.ALLOWED_NETWORKS = (ip_network("10.0.0.0/8"),)
    assert api.get(path).json()["warnings"] == []


def test_so_are_token_endpoints_and_proxies(api: Caller, settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = settings.SERVED_NETWORKS = ()
    options = {"token_url": "https://10.0.0.1/t", "client_id": "us"}
    made = make(api, **{**OAUTH, "options": options}, proxy="http://10.0.0.2:3128")
    assert [warning["field"] for warning in made["warnings"]] == [
        "options.token_url",
        "proxy",
    ]
    assert make(api, name="reachable")["warnings"] == []

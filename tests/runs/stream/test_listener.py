"""The stream listener in its own process: who is let in, and what ends a stream."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from automate.accounts.models import ApiKey, SignIn, Team, User
from automate.accounts.sign_in.tokens import begin
from runs.models import Job, Run
from tests.admin_world import operator, signed_in
from tests.makers import (
    make_job,
    make_key,
    make_run,
    make_step,
    make_user,
    make_workflow,
)
from tests.processes import eventually
from tests.runs.stream.listening import Listener, listening

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.once,
]

PAGE = "http://127.0.0.1:8000"
# Seconds: 20, as docs/api-contracts.md promises, and what a machine may stand still.
ENDS_WITHIN = 60


@pytest.fixture(scope="module")
def listener(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Listener]:
    """One for all tests here that do not stop it."""
    with listening(tmp_path_factory.mktemp("listener")) as made:
        yield made


@pytest.fixture(autouse=True)
def forgotten(listener: Listener) -> Iterator[None]:
    yield
    listener.forget()


def a_run(**fields: Any) -> Run:
    run = make_run(make_workflow(**fields), status="running")
    make_job(run, due_in=3600)
    make_step(run, "one", status="running")
    return run


def move(run: Run) -> None:
    """What a record of the engine would leave behind."""
    run.step_runs.update(status="succeeded")
    job = Job.objects.get(run=run)
    Job.objects.filter(pk=job.pk).update(seq=job.seq + 1)


def finish(run: Run) -> None:
    Job.objects.filter(run=run).delete()
    Run.objects.filter(pk=run.pk).update(status="succeeded", finished_at=timezone.now())


def cookies(client: Client) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"


def test_a_key_sees_its_teams_runs_and_no_other(listener: Listener) -> None:
    team = Team.objects.create(name="Ours", slug="ours")
    user = make_user()
    user.teams.add(team)
    ours, theirs = (
        a_run(team=team),
        a_run(team=Team.objects.create(name="Theirs", slug="theirs")),
    )
    key = make_key(user)

    assert listener.events(ours.pk, x_api_key=key).status == 200
    for run in (theirs.pk, uuid4()):
        refused = listener.events(run, x_api_key=key)
        assert refused.status == 404
        assert refused.json()["error"]["code"] == "NOT_FOUND"
        socket = listener.socket(f"/ws/runs/{run}", X_Api_Key=key)
        assert socket.next() is None
        assert socket.code == 4404
    slug = theirs.workflow.slug
    assert listener.socket(f"/ws/workflows/{slug}", X_Api_Key=key).next() is None
    mine = listener.socket(f"/ws/workflows/{ours.workflow.slug}", X_Api_Key=key)
    assert mine.next()["data"]["id"] == str(ours.pk)


def test_without_a_key_or_its_scope_nobody_is_let_in(listener: Listener) -> None:
    run = a_run()

    assert listener.events(run.pk).status == 401
    assert listener.events(run.pk, authorization="Bearer amk_wrong").status == 401
    other = make_key(None, "workflows:read")
    refused = listener.events(run.pk, x_api_key=other)
    assert refused.status == 403
    assert "runs:read" in refused.json()["error"]["message"]
    socket = listener.socket(f"/ws/runs/{run.pk}")
    assert (socket.next(), socket.code) == (None, 4401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": PAGE}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({}, 401),
        ({"origin": "http://evil.example.com"}, 401),
        ({"origin": "null"}, 401),
        ({"sec_fetch_site": "cross-site"}, 401),
    ],
)
def test_a_session_counts_on_pages_of_ours(
    listener: Listener, headers: dict[str, str], status: int
) -> None:
    client, run = signed_in(operator("runs.view_run")), a_run()

    found = listener.events(run.pk, 90, cookie=cookies(client), **headers)

    assert found.status == status
    allowed = found.answer.headers["Access-Control-Allow-Origin"]
    assert allowed == (PAGE if headers.get("origin") == PAGE else None)


def test_a_websocket_takes_the_session_of_our_pages(listener: Listener) -> None:
    cookie, run = cookies(signed_in(operator("runs.view_run"))), a_run()

    ours = listener.socket(f"/ws/runs/{run.pk}", Cookie=cookie, Origin=PAGE)
    theirs = listener.socket(f"/ws/runs/{run.pk}", Cookie=cookie, Origin="http://e.com")

    assert ours.next()["event"] == "run"
    assert (theirs.next(), theirs.code) == (None, 4401)


def test_a_session_needs_the_permission_to_see_runs(listener: Listener) -> None:
    cookie, run = cookies(signed_in(operator())), a_run()

    assert listener.events(run.pk, cookie=cookie, origin=PAGE).status == 403


def revoked(key: str) -> None:
    ApiKey.objects.filter(prefix=key[:12]).update(revoked_at=timezone.now())


def test_a_revoked_key_ends_its_streams_and_no_other(listener: Listener) -> None:
    run, key, other = a_run(), make_key(), make_key()
    stream = listener.events(run.pk, x_api_key=key)
    socket = listener.socket(f"/ws/workflows/{run.workflow.slug}", X_Api_Key=key)
    stays = listener.events(run.pk, x_api_key=other)
    stream.next()
    began = time.monotonic()
    revoked(key)

    assert [event.kind for event in stream.rest()] == ["step"]
    assert time.monotonic() - began < ENDS_WITHIN
    socket.rest()
    assert socket.code == 4403
    finish(run)
    assert stays.rest()[-1].kind == "end"


def left_team(user: User) -> None:
    user.teams.clear()


def lost_permission(user: User) -> None:
    user.user_permissions.remove(*Permission.objects.filter(codename="view_run"))


def new_password(user: User) -> None:
    user.set_password("another pass phrase")
    user.save()


def deactivated(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize(
    "change", [left_team, lost_permission, new_password, deactivated]
)
def test_a_person_who_may_no_longer_watch_is_let_go(
    listener: Listener, change: Any
) -> None:
    team = Team.objects.create(name="Ours", slug="ours")
    user = operator("runs.view_run", team=team)
    run, cookie = a_run(team=team), cookies(signed_in(user))
    stream = listener.events(run.pk, cookie=cookie, origin=PAGE)
    stream.next()
    began = time.monotonic()
    change(user)

    assert stream.rest()[-1].kind == "step"
    assert time.monotonic() - began < ENDS_WITHIN


def test_a_token_of_the_api_is_as_good_until_its_sign_in_ends(
    listener: Listener,
) -> None:
    sign_in, tokens = begin(operator("runs.view_run"), with_second_factor=False)
    stream = listener.events(a_run().pk, authorization=f"Bearer {tokens.access}")
    assert stream.status == 200
    stream.next()
    SignIn.objects.filter(pk=sign_in.pk).update(ended_at=timezone.now())

    assert stream.rest()[-1].kind == "step"


def test_signing_out_ends_the_stream(listener: Listener) -> None:
    client, run = signed_in(operator("runs.view_run")), a_run()
    stream = listener.events(run.pk, cookie=cookies(client), origin=PAGE)
    stream.next()
    client.logout()

    assert stream.rest()[-1].kind == "step"


def test_changes_reach_every_viewer_within_seconds(listener: Listener) -> None:
    run, key = a_run(), make_key()
    viewers = [listener.events(run.pk, x_api_key=key) for _ in range(3)]
    for viewer in viewers:
        assert viewer.until(lambda event: event.kind == "step")
    began = time.monotonic()
    move(run)
    for viewer in viewers:
        told = viewer.next()
        assert told is not None
        assert (told.kind, told.data["status"]) == ("step", "succeeded")
    assert time.monotonic() - began < 30
    finish(run)
    for viewer in viewers:
        assert [event.kind for event in viewer.rest()] == ["run", "end"]


def test_sigterm_ends_streams_at_once_and_cleanly(tmp_path: Path) -> None:
    with listening(tmp_path) as listener:
        run, key = a_run(), make_key()
        stream = listener.events(run.pk, x_api_key=key)
        path = f"/ws/runs/{run.pk}"
        sockets = [listener.socket(path, X_Api_Key=key) for _ in range(60)]
        stream.next()
        for socket in sockets:
            socket.next()
        began = time.monotonic()
        listener.process.signal(signal.SIGTERM)

        # Ended, not cut: the last piece of the body came, and each close frame.
        stream.rest()
        for socket in sockets:
            socket.rest()
        assert {socket.code for socket in sockets} == {1001}
        assert listener.process.wait() == 0
        assert time.monotonic() - began < 50
        assert "Traceback" not in listener.process.output


def test_so_many_viewers_and_no_more(tmp_path: Path) -> None:
    run, key = a_run(), make_key()
    with listening(tmp_path, "--viewers", "8") as listener:
        # A quarter of all for one key.
        streams = [listener.events(run.pk, x_api_key=key) for _ in range(2)]
        assert [stream.status for stream in streams] == [200, 200]
        refused = listener.events(run.pk, x_api_key=key)
        assert refused.status == 503
        assert refused.answer.headers["Retry-After"] == "10"
        others = [listener.events(run.pk, x_api_key=make_key()) for _ in range(6)]
        assert {stream.status for stream in others} == {200}
        assert listener.events(run.pk, x_api_key=make_key()).status == 503
        # Who leaves makes room.
        streams[0].close()
        others[0].close()
        eventually(lambda: listener.events(run.pk, x_api_key=key).status == 200)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/runs", 404),
        ("GET", "/admin/", 404),
        ("POST", "/api/v1/runs/{}/events", 405),
        ("OPTIONS", "/api/v1/runs/{}/events", 204),
    ],
)
def test_it_serves_nothing_else(
    listener: Listener, method: str, path: str, status: int
) -> None:
    import requests

    url = f"http://127.0.0.1:{listener.port}{path.format(uuid4())}"
    answer = requests.request(method, url, timeout=60, headers={"Origin": PAGE})

    assert answer.status_code == status
    if status != 204:
        assert set(answer.json()) == {"error"}
    if method == "OPTIONS":
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_a_host_that_is_not_ours_is_refused(listener: Listener) -> None:
    refused = listener.events(uuid4(), host="evil.example.com")

    assert refused.status == 400
    assert "ALLOWED_HOSTS" in refused.json()["error"]["message"]


def test_a_client_that_talks_is_shown_the_door(listener: Listener) -> None:
    run = a_run()
    socket = listener.socket(f"/ws/runs/{run.pk}", X_Api_Key=make_key())
    # It goes on after the hundredth; what is then unread must not cut the last word.
    for _ in range(50):
        socket.send("hello", times=10)
        time.sleep(0.01)
    socket.rest()

    assert socket.code == 1008

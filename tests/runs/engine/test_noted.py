"""What steps learn about connections: new tokens, and receivers that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from automate.accounts.models import AuditEntry, Team
from runs.models import DeliveryAttempt, Run, StepRun
from runs.redaction import redactor_for
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import drained
from tests.runs.flows import again, call, publish, started, step
from tests.workflows.connections.provider import Provider
from workflows.actions.outcomes import Gone
from workflows.connections.tokens import tokens
from workflows.models import Connection, Workflow
from workflows.services import noted

pytestmark = pytest.mark.usefixtures("engine")
GONE = answer(b"no more", "410 Gone")


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(noted, "_gone", {})
    tokens.clear()
    yield
    tokens.clear()


@pytest.fixture
def gone() -> Iterator[Server]:
    with Server(always(GONE)) as server:
        yield server


def bearer(**fields: Any) -> Connection:
    fields = {
        "name": "crm",
        "kind": "bearer",
        "allowed_hosts": ["127.0.0.1"],
        "credentials": {"token": "t0ken-of-crm"},
        **fields,
    }
    return Connection.objects.create(**fields)


def calls(url: str, **config: Any) -> Workflow:
    return publish(call("tell", url, config={"connection": "crm", **config}))


def ended(workflow: Workflow) -> Run:
    run = started(workflow)
    drained()
    return again(run)


def test_a_410_deactivates_the_connection_when_the_step_says_so(gone: Server) -> None:
    row = bearer()
    workflow = calls(gone.url, on_gone="deactivate", retry_on=[410])

    first, second = ended(workflow), ended(workflow)

    row.refresh_from_db()
    assert row.status == "inactive"
    assert row.status_reason == "step tell: the receiver answered 410 Gone"
    entry = AuditEntry.objects.get(action="connection.deactivate")
    assert (entry.user, entry.object_name) == (None, "crm")
    assert entry.changes["reason"] == row.status_reason
    assert [first.status, second.status] == ["failed", "failed"], "permanent"
    assert step(first, "tell").error_class == "Http410"
    assert step(second, "tell").error_message == (
        "the connection crm is inactive: step tell: the receiver answered 410 Gone; "
        "activate it on its page to go on"
    )
    assert len(gone.requests) == 1, "nothing is sent to it any more"


def test_a_shared_connection_stays_where_there_are_teams(gone: Server) -> None:
    """Shown to fail when a step of one team deactivates it for all."""
    Team.objects.create(name="Others")
    row = bearer()

    assert ended(calls(gone.url, on_gone="deactivate")).status == "failed"

    row.refresh_from_db()
    assert (row.status, row.status_reason) == ("active", "")
    assert not AuditEntry.objects.filter(action="connection.deactivate").exists()


def test_whoever_activates_it_again_is_believed(gone: Server) -> None:
    bearer()
    workflow = calls(gone.url, on_gone="deactivate")
    ended(workflow)
    Connection.objects.update(status="active", status_reason="")

    ended(workflow)

    assert len(gone.requests) == 2
    assert Connection.objects.get().status == "inactive"


@pytest.mark.parametrize("config", [{}, {"on_gone": "fail"}])
def test_a_410_is_otherwise_the_step_s_own_failure(
    gone: Server, config: dict[str, Any]
) -> None:
    bearer()
    ended(calls(gone.url, **config))

    assert Connection.objects.get().status == "active"


def oauth(provider: Provider) -> Connection:
    return bearer(
        kind="oauth2_client_credentials",
        credentials={"client_secret": "cl1ent-s3cret"},
        options=provider.options(),
    )


def test_other_processes_read_the_token_with_the_row() -> None:
    with Provider() as provider:
        row = oauth(provider)
        workflow = calls(provider.api)
        assert ended(workflow).status == "succeeded"
        tokens.clear()  # as another process would begin
        assert ended(workflow).status == "succeeded"

        assert len(provider.given) == 1
        row.refresh_from_db()
        assert row.token["value"] == provider.given[0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT token FROM workflows_connection")
            assert provider.given[0].encode() not in bytes(cursor.fetchone()[0])


def test_a_token_that_a_receiver_echoes_is_read_by_nobody() -> None:
    with Provider() as provider:
        provider.echo = True
        oauth(provider)
        first = call("first", provider.api, config={"connection": "crm"})
        body = {"said": "{{ steps.first.body.echo }}"}
        second = call("second", f"{provider.server.url}/x", config={"body": body})
        run = started(publish(first, second))
        drained()
        (token,) = provider.given

    shown = str(
        [
            list(DeliveryAttempt.objects.values()),
            list(StepRun.objects.values("input", "error_message")),
        ]
    )
    assert DeliveryAttempt.objects.count() >= 2
    assert token not in shown
    assert token not in redactor_for(again(run)).text(f"late echo: {token}")


def test_earlier_tokens_are_hidden_for_a_while() -> None:
    with Provider() as provider:
        row = oauth(provider)
        workflow = calls(provider.api)
        for _ in range(5):
            ended(workflow)
            provider.revoked.update(provider.given)
        row.refresh_from_db()

    assert row.token["value"] == provider.given[-1]
    assert noted.tokens_of(row) == set(provider.given[-4:])


def test_where_nothing_was_learnt_nothing_is_asked() -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        noted.write_down()

    assert len(queries) == 0


def test_what_cannot_be_written_is_known_still(monkeypatch: pytest.MonkeyPatch) -> None:
    row = bearer()
    noted.gone(Gone(row.pk, "gone"))

    def away(*_: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as broken:
        broken.setattr(noted, "repeat", away)
        with pytest.raises(OperationalError):
            noted.write_down()
    noted.write_down()

    row.refresh_from_db()
    assert row.status == "inactive"


def test_a_connection_that_is_no_more_hinders_nobody() -> None:
    lost, other = bearer(), bearer(name="erp")
    for row in (lost, other):
        noted.gone(Gone(row.pk, "gone"))
    lost.delete()

    noted.write_down()

    other.refresh_from_db()
    assert other.status == "inactive"
    assert noted._gone == {}, "nothing is left to be written"

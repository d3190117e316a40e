"""Which secrets and connections a step gets, where they may go, and what hides them."""

from __future__ import annotations

from typing import Any

import pytest

from automate.accounts.models import Team
from runs.engine.prepare import MissingSupply, prepare
from runs.models import Run
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand
from tests.runs.flows import again, attempts, call, publish, started
from workflows.models import Connection, Secret, Workflow

VALUE = "s3cr3t-value-9041"
OTHER = "an0ther-value-7713"


def secret(name: str = "TOKEN", value: str = VALUE, **fields: Any) -> Secret:
    return Secret.objects.create(name=name, value=value, **fields)


def connection(name: str = "crm", **fields: Any) -> Connection:
    fields = {
        "kind": "bearer",
        "allowed_hosts": ["127.0.0.1"],
        "credentials": {"token": VALUE},
        **fields,
    }
    return Connection.objects.create(name=name, **fields)


def sends(url: str, *names: str, **fields: Any) -> Workflow:
    """A workflow whose step sends these secrets, each in a header."""
    headers = {f"X-{name}": f"{{{{ secrets.{name} }}}}" for name in names}
    return publish(call("a", url, config={"headers": headers}), **fields)


def connects(url: str, name: str = "crm", **fields: Any) -> Workflow:
    """A workflow whose step uses a connection."""
    return publish(call("a", url, config={"connection": name}), **fields)


def finished(hand: Hand, workflow: Workflow) -> Run:
    """A run of it that has ended."""
    run = started(workflow)
    hand.claim()
    hand.finish()
    return again(run)


def got(receiver: Server) -> str:
    """All that the receiver was sent."""
    return b"".join(receiver.requests).decode()


# --- where a secret may go ---


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["a.example.com"], ["b.example.com"]),
        (["*.example.com"], ["api.example.com"]),
        (["*.example.com"], ["example.com"]),
        (["127.0.0.1"], ["a.example.com"]),
    ],
)
def test_secrets_for_different_hosts_go_nowhere(
    hand: Hand, receiver: Server, first: list[str], second: list[str]
) -> None:
    secret("A", VALUE, allowed_hosts=first)
    secret("B", OTHER, allowed_hosts=second)

    run = finished(hand, sends(receiver.url, "A", "B"))

    assert run.status == "failed"
    assert not receiver.requests


def test_a_step_says_which_secrets_are_for_different_hosts(
    hand: Hand, receiver: Server
) -> None:
    secret("A", allowed_hosts=["a.example.com"])
    secret("B", OTHER, allowed_hosts=["b.example.com", "c.example.com"])

    run = finished(hand, sends(receiver.url, "B", "A"))

    assert run.error_class == "missing_secret"
    assert run.error_message == (
        "Step a: the secrets used are for different hosts: "
        "A for a.example.com; B for b.example.com, c.example.com"
    )
    assert attempts(run) == []


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([[], []], set()),
        ([["a.test"], []], {"a.test"}),
        ([["*.a.test"], ["x.a.test", "b.test"]], {"x.a.test"}),
        ([["*.a.test"], ["*.b.a.test"], ["x.b.a.test", "y.a.test"]], {"x.b.a.test"}),
        ([["a.test", "b.test"], ["b.test", "c.test"], ["c.test", "a.test"]], None),
        ([["a.test"], [], ["b.test"]], None),
    ],
)
def test_a_step_may_reach_what_each_of_its_secrets_allows(
    hand: Hand, lists: list[list[str]], expected: set[str] | None
) -> None:
    names = [f"S{number}" for number in range(len(lists))]
    for name, hosts in zip(names, lists, strict=True):
        secret(name, allowed_hosts=hosts)
    started(sends("https://x.b.a.test/", *names))
    hand.claim()
    [task] = hand.tasks

    if expected is None:
        with pytest.raises(MissingSupply, match="different hosts"):
            prepare(task)
        return
    _, _, parts = prepare(task)
    assert parts["allowed_hosts"] == expected


def test_a_secret_is_not_sent_to_a_host_that_it_is_not_for(
    hand: Hand, receiver: Server
) -> None:
    secret(allowed_hosts=["api.example.com"])

    run = finished(hand, sends(receiver.url, "TOKEN"))

    assert run.status == "failed"
    assert not receiver.requests


def test_a_secret_is_sent_to_its_host(hand: Hand, receiver: Server) -> None:
    secret(allowed_hosts=["127.0.0.1"])

    run = finished(hand, sends(receiver.url, "TOKEN"))

    assert run.status == "succeeded"
    assert VALUE in got(receiver)


# --- whose they are ---


def test_another_teams_secret_does_not_exist(hand: Hand, receiver: Server) -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    secret(team=Team.objects.create(name="Other", slug="other"))

    run = finished(hand, sends(receiver.url, "TOKEN", team=mine))

    assert run.error_class == "missing_secret"
    assert "the secret TOKEN does not exist for this workflow's team" in (
        run.error_message
    )
    assert not receiver.requests


def test_a_workflow_of_no_team_gets_no_teams_secret(
    hand: Hand, receiver: Server
) -> None:
    secret(team=Team.objects.create(name="Other", slug="other"))

    run = finished(hand, sends(receiver.url, "TOKEN"))

    assert run.error_class == "missing_secret"
    assert not receiver.requests


def test_two_teams_runs_in_one_claim_get_each_its_own(
    hand: Hand, receiver: Server
) -> None:
    """Both names are read at once; neither run may see the other's."""
    one = Team.objects.create(name="One", slug="one")
    two = Team.objects.create(name="Two", slug="two")
    secret(team=one)
    secret(value=OTHER, team=two)
    started(sends(receiver.url, "TOKEN", team=one))
    started(sends(receiver.url, "TOKEN", team=two))
    run = started(sends(receiver.url, "TOKEN"))

    hand.claim()
    values = {
        task.held.team_id: task.held.supplies.secrets["TOKEN"].value
        for task in hand.tasks
        if "TOKEN" in task.held.supplies.secrets
    }
    hand.finish()

    assert values == {one.pk: VALUE, two.pk: OTHER}
    assert again(run).error_class == "missing_secret"


def test_a_teams_own_secret_goes_before_a_shared_one(
    hand: Hand, receiver: Server
) -> None:
    team = Team.objects.create(name="Mine", slug="mine")
    secret(team=team)
    secret(value=OTHER)

    finished(hand, sends(receiver.url, "TOKEN", team=team))

    assert VALUE in got(receiver)
    assert OTHER not in got(receiver)


def test_another_teams_connection_does_not_exist(hand: Hand, receiver: Server) -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    connection(team=Team.objects.create(name="Other", slug="other"))

    run = finished(hand, connects(receiver.url, team=mine))

    assert run.error_class == "missing_secret"
    assert "the connection crm does not exist" in run.error_message
    assert not receiver.requests


# --- connections ---


def test_a_connections_credentials_are_sent(hand: Hand, receiver: Server) -> None:
    connection()

    run = finished(hand, connects(receiver.url))

    assert run.status == "succeeded"
    assert f"Bearer {VALUE}" in got(receiver)


def test_an_inactive_connection_is_not_used(hand: Hand, receiver: Server) -> None:
    connection(status="inactive")

    run = finished(hand, connects(receiver.url))

    assert run.error_class == "missing_secret"
    assert run.error_message == "Step a: the connection crm is inactive"
    assert not receiver.requests


def test_a_shared_connection_is_no_substitute_for_an_inactive_one(
    hand: Hand, receiver: Server
) -> None:
    team = Team.objects.create(name="Mine", slug="mine")
    connection(team=team, status="inactive")
    connection(credentials={"token": OTHER})

    run = finished(hand, connects(receiver.url, team=team))

    assert run.error_message == "Step a: the connection crm is inactive"
    assert not receiver.requests

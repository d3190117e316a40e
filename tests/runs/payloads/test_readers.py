"""Pages and the API give the values, or say why they cannot; never a 500."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from automate.lib.payloads import PayloadStore
from runs.models import Run
from tests.admin_world import boss, signed_in
from tests.makers import make_key, make_user
from tests.runs.drains import drained
from tests.runs.flows import given, publish, started
from tests.runs.payloads.stored import BIG, all_in
from tests.runs.stores import KINDS

pytestmark = [
    pytest.mark.usefixtures("engine", "limits"),
    pytest.mark.parametrize("store", KINDS, indirect=True),
]


@pytest.fixture
def run(engine: None, limits: None, store: PayloadStore) -> Run:
    """An ended run whose body, output and step's output are in the store."""
    workflow = publish(
        given("first", copy="{{ trigger.payload.text }}"),
        output="{{ steps.first.copy }}",
    )
    run = started(workflow, {"text": BIG})
    drained()
    assert len(all_in(store)) == 3
    return run


def asked(client: Client, path: str) -> Any:
    key = make_key(make_user(is_superuser=True), "runs:read", "payloads:read")
    answer = client.get(f"/api/v1/runs/{path}", headers={"x-api-key": key})
    assert answer.status_code == 200
    return answer.json()


def test_the_api_gives_the_values(client: Client, run: Run) -> None:
    shown = asked(client, str(run.pk))

    assert shown["payload"] == {"text": BIG}
    assert shown["output"] == BIG
    assert shown["results"] == {"first": {"copy": BIG}}
    (step,) = asked(client, f"{run.pk}/steps")["results"]
    assert step["output"] == {"copy": BIG}


def test_the_api_says_what_is_gone(
    client: Client, run: Run, store: PayloadStore
) -> None:
    store.delete(all_in(store))

    shown = asked(client, str(run.pk))

    gone = "unreadable (missing from the payload store)"
    assert shown["payload"] == shown["output"] == shown["results"]["first"] == gone
    (step,) = asked(client, f"{run.pk}/steps")["results"]
    assert step["output"] == gone


def test_the_page_of_a_run_shows_what_arrived(run: Run, store: PayloadStore) -> None:
    operator = signed_in(boss())
    page = operator.get(reverse("admin:runs_run_change", args=(run.pk,)))

    assert BIG[:500] in page.content.decode()
    store.delete(all_in(store))
    page = operator.get(reverse("admin:runs_run_change", args=(run.pk,)))
    assert page.status_code == 200
    assert "missing from the payload store" in page.content.decode()


def test_the_exact_payload_is_shown_with_all_outputs(
    run: Run, store: PayloadStore
) -> None:
    operator = signed_in(boss())
    address = reverse("admin:runs_run_payload", args=(run.pk,))

    text = operator.post(address).content.decode()

    assert text.count(BIG) >= 3
    store.delete(all_in(store))
    page = operator.post(address)
    assert page.status_code == 200
    assert page.content.decode().count("missing from the payload store") >= 3

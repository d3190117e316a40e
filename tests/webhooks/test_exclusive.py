"""What the edge reads for the limits: the exclusive key and the priority."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.models import Job, Run
from runs.services import key_of
from tests.makers import make_workflow
from tests.webhooks.makers import code_of, make_trigger, post
from webhooks.models import InboundEvent
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
BY_CUSTOMER = "{{ trigger.payload.customer }}"


def sent(payload: Any, **fields: Any) -> Any:
    return post(make_trigger({}, make_workflow(**fields)), payload)


def test_an_event_gets_its_key_and_priority() -> None:
    answer = sent({"customer": "c-1"}, exclusive=BY_CUSTOMER, priority=0)

    assert answer.status_code == 202
    job = Job.objects.get()
    assert job.exclusive_key == key_of(
        BY_CUSTOMER, {"trigger": {"payload": {"customer": "c-1"}}}
    )
    assert (job.priority, job.holds_key) == (Workflow.Priority.URGENT, False)


def test_an_event_without_the_value_has_no_key() -> None:
    assert sent({"order": 1}, exclusive=BY_CUSTOMER).status_code == 202
    assert Job.objects.get().exclusive_key == ""


def test_an_event_whose_key_cannot_be_told_is_refused_with_the_reason() -> None:
    """It would run beside others of its key, or never: nothing of it is accepted."""
    answer = sent({"n": "x"}, exclusive="{{ trigger.payload.n / 2 }}")

    assert (answer.status_code, code_of(answer)) == (400, "MALFORMED")
    assert answer.json()["error"]["details"]["field"] == "exclusive"
    assert not Run.objects.exists()
    assert InboundEvent.objects.get().reason == "malformed"


def test_a_key_costs_no_query() -> None:
    plain = make_trigger()
    keyed = make_trigger({}, make_workflow(exclusive=BY_CUSTOMER))
    counts = []
    for trigger in (plain, keyed):
        post(trigger, {"customer": "warm"})
        with CaptureQueriesContext(connection) as queries:
            post(trigger, {"customer": "c-1"})
        counts.append(len(queries))

    assert counts[0] == counts[1]

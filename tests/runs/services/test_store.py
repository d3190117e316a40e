"""The row of a new run: what the event gave, and the model's defaults for the rest."""

from __future__ import annotations

import pytest

from runs.models import Run
from runs.services import Event, accept, target_of
from runs.services.store import GIVEN
from tests.runs.flows import given, publish

pytestmark = pytest.mark.django_db

COMPUTED = {"id", "created_at", "deadline"}


def test_what_an_event_does_not_give_is_as_the_model_says() -> None:
    """Shown to fail with a literal that is another one than the model's default."""
    workflow = publish(given("a"))
    run_id = accept(target_of(workflow, Event()), Event()).run_id
    stored, default = Run.objects.get(pk=run_id), Run()

    for item in Run._meta.concrete_fields:
        if item.attname not in {*GIVEN, *COMPUTED}:
            name = item.attname
            assert getattr(stored, name) == getattr(default, name), name


def test_what_an_event_gives_is_stored_as_it_is() -> None:
    workflow = publish(given("a"))
    event = Event(
        body=b"\x00'%s\xff",
        content_type="text/'plain' %s",
        headers={"x-name": "O'Neil 100 %"},
        query={"a": ["1", "2"]},
        event_id="evt'%s",
        source_ip="2001:db8::1",
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    )
    keys = {"order": "'%(x)s"}
    run_id = accept(target_of(workflow, event), event, search_keys=keys).run_id
    run = Run.objects.get(pk=run_id)

    assert bytes(run.body) == event.body
    assert (run.content_type, run.event_id) == (event.content_type, event.event_id)
    assert (run.headers, run.query) == (event.headers, event.query)
    assert (run.source_ip, run.traceparent) == (event.source_ip, event.traceparent)
    assert run.search_keys == keys
    assert run.workflow_id == workflow.pk
    assert run.version_id == workflow.published_id

"""Many posts of one event at once: one run, and everybody hears which."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from runs.models import IdempotencyKey, Job, Run
from tests.webhooks.makers import PUSH, make_trigger, post, signed, told

POSTS = 20

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(requests: list[dict[str, Any]], trigger: Any) -> list[Any]:
    """The answers to these posts, sent from a thread each at the same moment."""
    barrier = Barrier(len(requests))

    def send(about: dict[str, Any]) -> Any:
        client = Client()
        barrier.wait(timeout=60)
        try:
            return post(trigger, client=client, **about)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(send, requests))


def test_twenty_posts_of_one_delivery_are_one_run() -> None:
    trigger = make_trigger({"scheme": "github"})
    headers: dict[str, Any] = signed(trigger, event_id="d-1")
    answers = all_at_once([{"body": PUSH, **headers}] * POSTS, trigger)
    assert Counter(a.status_code for a in answers) == {202: 1, 200: POSTS - 1}
    run = Run.objects.get()
    assert {told(answer)["run_id"] for answer in answers} == {str(run.pk)}
    assert (Job.objects.count(), IdempotencyKey.objects.count()) == (1, 1)


def test_one_key_with_many_bodies_is_one_run_and_a_422_for_the_others() -> None:
    trigger = make_trigger()
    requests: list[dict[str, Any]] = [
        {"body": {"number": number}, "idempotency_key": "k"} for number in range(POSTS)
    ]
    answers = all_at_once(requests, trigger)
    assert Counter(a.status_code for a in answers) == {202: 1, 422: POSTS - 1}
    assert Run.objects.count() == 1


def test_strangers_at_once_are_all_counted() -> None:
    from webhooks.models import InboundEvent

    trigger = make_trigger({"scheme": "github"})
    answers = all_at_once([{}] * POSTS, trigger)
    assert {answer.status_code for answer in answers} == {401}
    rows = InboundEvent.objects.filter(trigger=trigger, reason="bad_signature")
    assert sum(row.count for row in rows) == POSTS

"""Fifty posts of one event at once, at the real server: one run, whatever names it."""

from __future__ import annotations

import http.client
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings

from automate import ports
from automate.env import BASE_DIR
from automate.lib import jsonio
from runs.models import IdempotencyKey, Job, Run
from tests.processes import eventually, running
from tests.webhooks.makers import PUSH, make_trigger, signed
from tests.webhooks.test_granian import database_url
from webhooks.models import InboundEvent
from workflows.models import Trigger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

POSTS = 50
Post = tuple[bytes, dict[str, str]]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Two web processes behind one port, as `manage.py up` starts them."""
    number = ports.free_port()
    line = [sys.executable, "-m", "automate.web", "--port", str(number)]
    environment = {
        "PYTHONPATH": str(BASE_DIR),
        "DATABASE_URL": database_url(),
        "AUTOMATE_VAR_DIR": str(tmp_path),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    with running([*line, "--workers", "2"], tmp_path / "log", **environment):
        eventually(lambda: ports.why_taken("127.0.0.1", number) != "")
        yield number


def all_at_once(port: int, trigger: Trigger, posts: Sequence[Post]) -> list[Any]:
    """(status, JSON) of each, sent over a connection each at the same moment."""
    barrier = Barrier(len(posts))

    def send(one: Post) -> tuple[int, Any]:
        body, headers = one
        caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        caller.connect()
        barrier.wait(timeout=60)
        headers = {"Content-Type": "application/json", **headers}
        caller.request("POST", f"/v1/webhooks/{trigger.key}", body, headers)
        answer = caller.getresponse()
        told = jsonio.loads(answer.read())
        caller.close()
        return answer.status, told

    with ThreadPoolExecutor(len(posts)) as threads:
        return list(threads.map(send, posts))


def test_fifty_at_once_are_one_run_by_whatever_they_are_known(port: int) -> None:
    """One server for all the rules: its start is the slow part."""
    template = {"by": "template", "template": "{{ trigger.payload.ref }}"}
    for config, headers in (
        ({}, {"Idempotency-Key": "k"}),
        ({}, {"webhook-id": "k"}),
        ({"idempotency": {"by": "header", "header": "X-Id"}}, {"X-Id": "k"}),
        ({"idempotency": template}, {}),
        ({"idempotency": {"by": "body"}}, {}),
        ({"scheme": "github"}, None),
    ):
        trigger = make_trigger(config)
        sent = signed(trigger, event_id="d-1") if headers is None else headers
        answers = all_at_once(port, trigger, [(PUSH, sent)] * POSTS)
        statuses = Counter(status for status, _ in answers)
        assert statuses == {202: 1, 200: POSTS - 1}, config
        run = Run.objects.get(trigger=trigger)
        assert {told["run_id"] for _, told in answers} == {str(run.pk)}, config
        assert Job.objects.filter(run=run).count() == 1
        assert IdempotencyKey.objects.filter(run_id=run.pk).count() == 1
        again = InboundEvent.objects.filter(first_run_id=run.pk)
        assert again.filter(reason="duplicate").count() == POSTS - 1


def test_fifty_bodies_with_one_key_are_one_run_and_the_others_422(port: int) -> None:
    trigger = make_trigger()
    posts = [(b'{"n": %d}' % n, {"Idempotency-Key": "k"}) for n in range(POSTS)]
    answers = all_at_once(port, trigger, posts)
    assert Counter(status for status, _ in answers) == {202: 1, 422: POSTS - 1}
    run = Run.objects.get(trigger=trigger)
    refused = InboundEvent.objects.filter(first_run_id=run.pk, reason="key_reused")
    assert refused.count() == POSTS - 1

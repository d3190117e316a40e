"""django-q2's own `qcluster` runs everything too: without our parent, or our broker."""

from __future__ import annotations

import signal
import sys
import time

import pytest
from django.utils import timezone
from django_q.models import Schedule

from tests.chaos.conftest import Start
from tests.chaos.load import fates, finish, flow, once_each, post
from tests.chaos.receiver import Receiver
from tests.chaos.test_kill import ordinary_tasks_pass
from tests.processes import eventually, in_the_end

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.once,
]

COMMAND = [
    sys.executable,
    "-c",
    "import django; django.setup();"
    "from django_q.management.commands.qcluster import Command;"
    "Command().run_from_argv(['manage.py', 'qcluster'])",
]


def test_our_broker_works_without_our_parent(start: Start, receiver: Receiver) -> None:
    receiver.delay = 0.1
    workflow = flow(receiver)
    cluster = start(whole=False, command=COMMAND, AUTOMATE_GRACE="10")
    post(workflow, 50)
    finish()
    time.sleep(12)  # an offer is repeated after ten seconds when a seat seems free
    assert sorted(map(str, cluster.drains().values())) == [
        str(seat) for seat in range(cluster.seats)
    ]
    ordinary_tasks_pass()  # one worker stayed free for them
    post(workflow, 100)
    eventually(lambda: len(receiver.received) > 70)
    cluster.process.signal(signal.SIGTERM)
    assert cluster.process.wait() == 0, cluster.output
    assert not cluster.pids()
    start()
    finish()
    assert fates(receiver) == once_each(150)


def test_a_scheduled_drain_works_without_our_broker(
    start: Start, receiver: Receiver
) -> None:
    receiver.delay = 0.1
    workflow = flow(receiver)
    Schedule.objects.create(
        func="runs.tasks.drain",
        schedule_type=Schedule.MINUTES,
        minutes=1,
        next_run=timezone.now(),
    )
    cluster = start(
        whole=False,
        command=COMMAND,
        DJANGO_SETTINGS_MODULE="tests.chaos.unbrokered_settings",
    )
    post(workflow, 50)
    finish(120)  # django-q2 looks at its schedules every half minute
    assert fates(receiver) == once_each(50)
    cluster.process.signal(signal.SIGTERM)
    cluster.process.wait(150)  # the drain is an ordinary task: django-q2 waits for it
    assert in_the_end(cluster.pids, set()) == set(), cluster.output

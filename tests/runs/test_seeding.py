"""manage.py seed_history: a history that looks like one."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from runs.models import DeliveryAttempt, Job, Run, StepRun
from runs.states import FINAL_RUN
from tests.makers import make_run
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def seeded(*options: str) -> str:
    out = StringIO()
    call_command("seed_history", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_it_writes_runs_of_every_kind() -> None:
    out = seeded("--runs", "12000", "--workflows", "5", "--days", "3")

    assert out.startswith("12,000 runs in ")
    statuses = Counter(Run.objects.values_list("status", flat=True))
    assert set(statuses) == {*FINAL_RUN, "running"}
    assert statuses["succeeded"] > 10_000
    of_each = Counter(Run.objects.values_list("workflow_id", flat=True)).most_common()
    assert len(of_each) == 5
    assert of_each[0][1] > 3 * of_each[-1][1]
    assert Run.objects.exclude(parent=None).filter(item_index__gt=0).exists()
    assert Run.objects.exclude(replay_of=None).exists()
    assert StepRun.objects.count() == 12_000
    assert DeliveryAttempt.objects.count() == 12_000 - statuses["running"]


def test_its_rows_are_sound() -> None:
    seeded("--runs", "600", "--workflows", "3", "--days", "2")

    newest = Run.objects.order_by("-pk")[0]
    assert timezone.now() - newest.created_at < timedelta(hours=1)
    ids = list(Run.objects.order_by("pk").values_list("created_at", flat=True))
    assert ids == sorted(ids)
    run = Run.objects.filter(status="succeeded").first()
    assert run is not None
    # What is encrypted can be read, and what is checked has been.
    assert (run.body, run.headers, run.output) == (b"", {}, None)
    assert set(run.search_keys) == {"order", "customer"}
    for workflow in Workflow.objects.all():
        workflow.full_clean(exclude=["published"])
    waiting = Run.objects.filter(status="running").count()
    assert Job.objects.count() == waiting
    connection.check_constraints()


def test_the_same_seed_gives_the_same_history() -> None:
    seeded("--runs", "500", "--seed", "7")
    first = list(Run.objects.order_by("pk").values_list("status", "event_id"))
    Run.objects.all().delete()
    seeded("--runs", "500", "--seed", "7")

    assert list(Run.objects.order_by("pk").values_list("status", "event_id")) == first


def test_it_keeps_out_of_a_database_in_use() -> None:
    make_run()

    with pytest.raises(CommandError, match="There are runs in"):
        seeded("--runs", "10")
    seeded("--runs", "10", "--steps", "0", "--beside")

    assert Run.objects.count() == 11

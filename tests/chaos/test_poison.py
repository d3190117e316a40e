"""A run that kills every worker that touches it, beside runs that do not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from runs.models import Job, Run
from tests.chaos.conftest import Start
from tests.chaos.load import flow, post
from tests.chaos.receiver import Receiver
from tests.processes import eventually
from tests.runs.flows import logged, node, publish, started

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
]

PLUGIN = """
import os, signal
from workflows.actions.base import Action, register

@register
class Poison(Action):
    kind = "poison"
    label = "Kills its worker"
    config_schema = {"type": "object", "properties": {}, "additionalProperties": False}

    def execute(self, context):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH in which a package with such a step is installed."""
    folder = tmp_path / "site"
    about = folder / "automate_poison-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "automate_poison.py").write_text(PLUGIN)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: automate-poison\nVersion: 1.0\n"
    )
    entry = "[automate.actions]\npoison = automate_poison:Poison\n"
    (about / "entry_points.txt").write_text(entry)
    return folder


def test_a_poison_run_ends_with_the_reason_and_harms_no_other(
    start: Start, receiver: Receiver, plugin: Path
) -> None:
    receiver.delay = 0.05
    good = flow(receiver)
    bad = publish(node("bad", "poison"))
    cluster = start(
        AUTOMATE_LEASE="2",
        AUTOMATE_HEARTBEAT="0.5",
        PYTHONPATH=f"{Path.cwd()}:{plugin}",
    )
    post(good, 25)
    poison = started(bad)
    post(good, 25)
    eventually(lambda: not Job.objects.exclude(run=poison).exists())
    eventually(lambda: not Job.objects.exists(), 120)
    poison.refresh_from_db()
    assert (poison.status, poison.error_class) == ("failed", "poison")
    assert "4 workers in a row vanished" in poison.error_message
    assert "The worker vanished during attempt 4 of the step." in logged(poison)
    others = Run.objects.exclude(pk=poison.pk).values_list("status", flat=True)
    assert Counter(others) == {"succeeded": 50}
    assert receiver.has_one_key_a_run()
    cluster.wait_until_whole()
    post(good, 5)
    eventually(lambda: not Job.objects.exists())

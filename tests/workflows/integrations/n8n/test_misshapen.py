"""Settings of a form that a conversion did not foresee: told, logged, never a crash."""

from __future__ import annotations

import pytest

from tests.workflows.integrations.n8n.making import line, node, step, told
from workflows.integrations.n8n.nodes import base
from workflows.integrations.n8n.nodes.base import Job, Made, Starts


def broken(job: Job) -> Made:
    return job.parameters["a"]["b"]  # type: ignore[no-any-return]


def broken_start(job: Job) -> Starts:
    return job.parameters["path"]["b"]  # type: ignore[no-any-return]


def test_a_node_becomes_a_placeholder_and_the_log_has_the_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    base.load()
    monkeypatch.setitem(base._steps, "n8n-nodes-base.odd", broken)
    found = line(node("Odd", "odd", {"a": 1}))

    assert step(found, "odd")["type"] == "placeholder"
    said = told(found, "Odd")
    assert said.fidelity == "unsupported"
    assert said.differs == ("its settings are of a form that is not known (TypeError)",)
    (record,) = [r for r in caplog.records if "was not converted" in r.message]
    assert record.exc_info is not None
    assert "n8n-nodes-base.odd" in record.message


def test_a_trigger_is_started_by_hand_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    base.load()
    monkeypatch.setitem(base._starts, "n8n-nodes-base.webhook", broken_start)
    found = line(node("Set", "noOp"))

    assert [trigger["kind"] for trigger in found.document["triggers"]] == ["manual"]
    assert told(found, "Webhook").fidelity == "approximate"
    (record,) = [r for r in caplog.records if "was not converted" in r.message]
    assert record.exc_info is not None


def test_an_error_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no data can cause is a bug, which a report would bury."""
    base.load()

    def bug(_: Job) -> Made:
        raise NotImplementedError

    monkeypatch.setitem(base._steps, "n8n-nodes-base.odd", bug)
    with pytest.raises(NotImplementedError):
        line(node("Odd", "odd"))

"""What is new to whom: topics take looks and tell each viewer what it has not seen."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.stream.look import NEWEST, Row
from runs.stream.topics import Event, Position, RunTopic, WorkflowTopic

RUN = UUID("0199c0de-0000-7000-8000-000000000000")


def run_row(status: str, stamp: str, run: UUID = RUN, topic: UUID = RUN) -> Row:
    return Row(topic, "run", 0, {"id": str(run), "status": status, "stamp": stamp})


def step_row(name: str, status: str, number: int = 1) -> Row:
    return Row(RUN, "step", number, {"id": name, "status": status})


def line_row(number: int) -> Row:
    return Row(RUN, "log", number, {"id": number})


def attempt_row(number: int) -> Row:
    return Row(RUN, "attempt", number, {"id": number})


def said(events: list[Event]) -> list[tuple[str, Any]]:
    return [
        (
            event.kind,
            json.loads(event.data).get("status") or json.loads(event.data)["id"],
        )
        for event in events
    ]


@pytest.fixture
def topic() -> RunTopic:
    made = RunTopic(RUN)
    made.take([run_row("running", "a"), step_row("one", "running"), line_row(3)])
    return made


def test_a_newcomer_is_told_everything_the_run_first(topic: RunTopic) -> None:
    assert said(topic.beginning("")) == [
        ("run", "running"),
        ("step", "running"),
        ("log", 3),
    ]


def test_a_viewer_is_told_only_what_changed_since_its_look(topic: RunTopic) -> None:
    seen = topic.looks
    rows = [run_row("running", "b"), step_row("one", "succeeded"), attempt_row(9)]
    topic.take([*rows, step_row("two", "running", 2)])

    assert said(topic.after(seen)) == [
        ("step", "succeeded"), ("step", "running"), ("attempt", 9),
    ]  # fmt: skip
    assert topic.after(topic.looks) == []


def test_what_a_slow_reader_missed_is_told_once_in_its_latest_state(
    topic: RunTopic,
) -> None:
    seen = topic.looks
    for stamp, status in (("b", "waiting"), ("c", "running"), ("d", "failed")):
        topic.take([run_row("running", stamp), step_row("one", status)])

    assert said(topic.after(seen)) == [("step", "failed")]


def test_only_the_last_event_of_a_piece_has_an_id(topic: RunTopic) -> None:
    ids = [event.id for event in topic.beginning("")]

    assert ids == ["", "", str(topic.position)]


def test_who_comes_back_unchanged_is_told_nothing(topic: RunTopic) -> None:
    assert topic.beginning(str(topic.position)) == []


def test_who_comes_back_is_told_states_anew_and_only_new_lines(topic: RunTopic) -> None:
    last = str(topic.position)
    rows = [run_row("succeeded", "b"), step_row("one", "succeeded")]
    topic.take([*rows, line_row(4), attempt_row(1)])

    assert said(topic.beginning(last)) == [
        ("run", "succeeded"), ("step", "succeeded"), ("attempt", 1), ("log", 4),
    ]  # fmt: skip


def test_an_id_means_the_same_in_another_process(topic: RunTopic) -> None:
    other = RunTopic(RUN)
    other.take([run_row("running", "a"), step_row("one", "running"), line_row(3)])

    assert other.beginning(str(topic.position)) == []


@given(st.text(max_size=60))
def test_an_id_that_is_not_ours_is_the_beginning(text: str) -> None:
    topic = RunTopic(RUN)
    topic.take([run_row("running", "a"), line_row(1)])
    position = Position.read(text)

    if position == Position():
        assert topic.beginning(text) == topic.beginning("")


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.integers(0, 10**17))
def test_a_position_is_read_as_it_was_written(stamp: str, number: int) -> None:
    position = Position(stamp, number, number + 1)

    assert Position.read(str(position)) == position


@pytest.mark.parametrize("status", ["succeeded", "failed", "dead_letter", "cancelled"])
def test_a_final_status_ends_the_topic(topic: RunTopic, status: str) -> None:
    assert not topic.has_ended
    topic.take([run_row(status, "z")])

    assert topic.has_ended
    end = topic.end()
    assert (end.kind, json.loads(end.data)["status"]) == ("end", status)
    assert end.id == str(topic.position)


def test_it_keeps_only_so_many_lines_and_attempts(topic: RunTopic) -> None:
    for number in range(4, 4 + 3 * NEWEST, 10):
        lines = [line_row(at) for at in range(number, number + 10)]
        topic.take([run_row("running", str(number)), *lines])

    assert len(topic.beginning("")) == 2 + NEWEST
    assert topic.known.log == 3 + 3 * NEWEST


def test_a_workflow_tells_each_run_that_is_new_or_has_changed() -> None:
    flow, first, second = uuid4(), UUID(int=1), UUID(int=2)
    topic = WorkflowTopic(flow)
    assert topic.take([])  # a look at a workflow without runs is one
    topic.take([run_row("running", "a", first, flow)])
    seen = topic.looks
    rows = [run_row("running", "b", first, flow), run_row("queued", "a", second, flow)]

    assert topic.take(rows)
    assert not topic.take(rows)
    assert said(topic.after(seen)) == [("run", "queued")]
    topic.take([run_row("succeeded", "c", first, flow)])
    assert said(topic.after(seen)) == [("run", "succeeded"), ("run", "queued")]


def test_a_workflow_forgets_runs_when_they_are_too_many() -> None:
    flow = uuid4()
    topic = WorkflowTopic(flow)
    for begin in range(0, 2000, 100):
        rows = [
            run_row("queued", "", UUID(int=at), flow)
            for at in range(begin, begin + 100)
        ]
        topic.take(rows)

    assert len(topic.beginning("")) <= topic.most
    assert not topic.take(rows)

"""Workflows that people exported: each becomes a valid document, whatever is in it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.definition.canonical import canonical_json
from workflows.integrations.n8n.files import read_exported
from workflows.integrations.n8n.source import NotAWorkflow, read_workflow
from workflows.services.documents import check_document
from workflows.services.n8n_import import converted

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / os.environ.get("AUTOMATE_TEST_DATA", "../shared") / "n8n"
FILES = sorted(FOLDER.glob("*.json"))
HERE = Path(__file__).with_name("samples.json")


CASES: list[Path | None] = [*FILES] if FILES else [None]


@pytest.fixture(params=CASES, ids=lambda file: file.stem if file else "none")
def exported_file(request: pytest.FixtureRequest) -> Any:
    if request.param is None:
        pytest.skip(f"NOT TESTED: {FOLDER} is absent; set AUTOMATE_TEST_DATA")
    return request.param


def trees(raw: bytes) -> list[Any]:
    return [item.tree for item in read_exported(raw) if not item.error]


def check(tree: Any, caplog: pytest.LogCaptureFixture | None = None) -> None:
    """Whatever it is: no crash, a valid document, and a report of every node."""
    try:
        source = read_workflow(tree)
    except NotAWorkflow:
        return
    found = converted(source)
    assert check_document(found.document) == []
    nodes = [n for n in source.nodes if n.type != "n8n-nodes-base.stickyNote"]
    assert [one.node for one in found.report.nodes] == [n.name for n in nodes]
    assert all(one.became for one in found.report.nodes)
    again = converted(source)
    assert canonical_json(again.document) == canonical_json(found.document)
    if caplog is not None:
        assert [r.message for r in caplog.records if "n8n" in r.message] == []


def test_each_real_workflow_is_valid(
    exported_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for tree in trees(exported_file.read_bytes()):
        check(tree, caplog)


WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.sampled_from(
        ["", "={{", "={{ $json.", "={{ }}", "{{ x }}", "=", "\x00", "\ud800", "{%",
         "={{ $('Webhook').item.json.a }}", "={{ $json }}", "=" + "{{ 1 }}" * 50,
         "={{ " + "(" * 300, "={{ '" + "x" * 5000 + "' }}", "=\ue0001\ue001"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["a", "value", "node"]), st.none(), max_size=2),
)  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    if value is DROPPED and isinstance(tree, dict):
        tree.pop(path[-1], None)
    elif value is not DROPPED:
        tree[path[-1]] = value


DROPPED = object()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), wrong=st.lists(WRONG, min_size=1, max_size=6))
def test_no_change_to_a_file_makes_it_crash(
    caplog: pytest.LogCaptureFixture, seed: int, wrong: list[Any]
) -> None:
    """Values replaced, taken out, swapped between places; connections bent."""
    caplog.clear()
    dice = random.Random(seed)
    files = [*FILES, HERE]
    tree = dice.choice(trees(dice.choice(files).read_bytes()))
    for value in wrong:
        spots = places(tree)
        chosen = dice.choice(spots)
        act = dice.random()
        if act < 0.2:
            value = DROPPED
        elif act < 0.4:
            other = dice.choice(spots)
            value = tree
            for key in other:
                value = value[key]
            value = json.loads(json.dumps(value))
        put(tree, chosen, value)
    check(tree, caplog)


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_bytes_are_a_crash(raw: bytes) -> None:
    for tree in trees(raw):
        check(tree)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[1, 2]",
        b'{"nodes": {}}',
        b'{"nodes": [1, null, {}]}',
        b"[" * 100_000,
        b'{"nodes": [], "connections": {"a": {"main": [[{}]]}}}',
        b'{"nodes": [{"type": "x", "parameters": '
        + b'{"a":' * 900
        + b"1"
        + b"}" * 901
        + b"]}",
        '{"name": "é", "nodes": []}'.encode("utf-16"),
        b'\xef\xbb\xbf{"nodes": []}',
        b"\xff\xfe\x00",
        b"9" * 5000,
    ],
)
def test_odd_files_are_read_or_refused(raw: bytes) -> None:
    assert list(read_exported(raw))
    for tree in trees(raw):
        check(tree)


@pytest.mark.parametrize(
    "wrapped", ["%s", "[%s]", '{"data": [%s]}', '{"workflows": [%s]}']
)
def test_one_workflow_or_several(wrapped: str) -> None:
    one = '{"name": "A", "nodes": [{"name": "W", "type": "n8n-nodes-base.webhook"}]}'
    (tree,) = trees((wrapped % one).encode())
    assert read_workflow(tree).name == "A"


def test_long_chains_and_diamonds_take_no_time() -> None:
    """300 nodes in a row, each behind an IF with both ways to the next."""
    count = 150
    nodes: list[Any] = [{"name": "W", "type": "n8n-nodes-base.webhook"}]
    connections: dict[str, Any] = {"W": {"main": [[{"node": "I0"}]]}}
    text = "={{ $json.body.x }} and {{ $json.y }}"
    for i in range(count):
        condition = {"conditions": {"string": [{"value1": text, "value2": "a"}]}}
        fields = {"values": {"string": [{"name": f"f{i}", "value": text}]}}
        nodes += [
            {"name": f"I{i}", "type": "n8n-nodes-base.if", "parameters": condition},
            {"name": f"A{i}", "type": "n8n-nodes-base.set", "parameters": fields},
            {"name": f"B{i}", "type": "n8n-nodes-base.set", "parameters": fields},
        ]
        connections[f"I{i}"] = {"main": [[{"node": f"A{i}"}], [{"node": f"B{i}"}]]}
        for side in "AB":
            connections[f"{side}{i}"] = {"main": [[{"node": f"I{i + 1}"}]]}
    check({"name": "Long", "nodes": nodes, "connections": connections})

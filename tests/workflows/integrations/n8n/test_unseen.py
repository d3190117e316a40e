"""Files that nobody has seen: each real one bent in every way that we could think of.

No dice and no search: the same bends each time, over the real files and over small ones
of our own. `test_real.py` bends at random besides.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import exported, line, node, told
from workflows.definition.canonical import canonical_json
from workflows.integrations.n8n.files import read_exported
from workflows.integrations.n8n.source import NotAWorkflow, read_workflow
from workflows.services.documents import check_document
from workflows.services.n8n_import import converted

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / os.environ.get("AUTOMATE_TEST_DATA", "../shared") / "n8n"
OWN = [
    Path(__file__).with_name("samples.json"),
    *sorted((ROOT / "tests/runs/n8n/exported").glob("*.json")),
]
REAL, MINE = 13, 4  # one in so many files is bent in one way, another one in the next


def trees(*files: Path) -> list[Any]:
    found = (read_exported(file.read_bytes()) for file in files)
    return [item.tree for items in found for item in items if not item.error]


def holds(tree: Any, caplog: pytest.LogCaptureFixture) -> bool:
    """Never an error; a valid draft; each node told once, its credentials by name.

    False for what is refused as no workflow at all.
    """
    try:
        source = read_workflow(tree)
    except NotAWorkflow:
        return False
    found = converted(source)
    assert check_document(found.document) == []
    nodes = [n for n in source.nodes if n.type != "n8n-nodes-base.stickyNote"]
    assert [one.node for one in found.report.nodes] == [n.name for n in nodes]
    for one, given in zip(found.report.nodes, nodes, strict=True):
        assert one.became
        assert one.fidelity == "exact" or one.differs
        assert list(one.credentials) == [c.name for c in given.credentials]
    again = converted(read_workflow(json.loads(json.dumps(tree))))
    assert canonical_json(again.document) == canonical_json(found.document)
    assert [r.message for r in caplog.records if "not converted" in r.message] == []
    return True


def each(tree: Any) -> list[dict[str, Any]]:
    """The nodes, as far as they are some."""
    return [item for item in tree["nodes"] if isinstance(item, dict)]


def bend(change: Callable[[dict[str, Any]], object]) -> Callable[[Any], None]:
    def all_nodes(tree: Any) -> None:
        for item in each(tree):
            change(item)

    return all_nodes


def without(key: str) -> Callable[[Any], None]:
    return bend(lambda item: item.pop(key, None))


def with_(key: str, value: Any) -> Callable[[Any], None]:
    return bend(lambda item: item.update({key: copy.deepcopy(value)}))


def parameters(value: Any) -> Callable[[Any], None]:
    """Every parameter of every node is this."""

    def change(item: dict[str, Any]) -> None:
        given = item.get("parameters")
        names = given if isinstance(given, dict) else {}
        item["parameters"] = dict.fromkeys(names, value)

    return bend(change)


def deeper(value: Any) -> Callable[[Any], None]:
    """Every value below a parameter is this."""

    def change(item: dict[str, Any]) -> None:
        given = item.get("parameters")
        item["parameters"] = {
            name: dict.fromkeys(inner, value)
            if isinstance(inner, dict)
            else [value] * len(inner)
            if isinstance(inner, list)
            else inner
            for name, inner in (given if isinstance(given, dict) else {}).items()
        }

    return bend(change)


def by_id(tree: Any) -> None:
    """Connections by the nodes' ids, as some tools write them."""
    names = {item.get("name"): item.get("id", item.get("name")) for item in each(tree)}
    text = json.dumps(tree.get("connections", {}))
    found = json.loads(text)
    tree["connections"] = {
        names.get(source, source): {
            kind: [
                [
                    {**end, "node": names.get(end.get("node"), end.get("node"))}
                    for end in ends or []
                    if isinstance(end, dict)
                ]
                for ends in outputs or []
            ]
            for kind, outputs in kinds.items()
            if isinstance(outputs, list)
        }
        for source, kinds in found.items()
        if isinstance(kinds, dict)
    }


def circle(tree: Any) -> None:
    """Each node leads to the next one, and the last one to the first."""
    names = [str(item.get("name", "")) for item in each(tree)]
    tree["connections"] = {
        a: {"main": [[{"node": b, "type": "main", "index": 0}]]}
        for a, b in zip(names, [*names[1:], *names[:1]], strict=True)
    }


def everywhere(tree: Any) -> None:
    """Each node leads to all of them, itself too, from three outputs."""
    names = [str(item.get("name", "")) for item in each(tree)][:12]
    ends = [{"node": name, "type": "main", "index": 0} for name in names]
    tree["connections"] = {name: {"main": [ends, None, ends]} for name in names}


def names_alike(tree: Any) -> None:
    for item in each(tree):
        item["name"] = "Same"


def nested(tree: Any) -> None:
    value: Any = "={{ $json.a }}"
    for _ in range(300):
        value = {"a": [value]}
    for item in each(tree):
        item["parameters"] = {"options": value, "conditions": value, "rules": value}


def top(key: str, value: Any) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        tree[key] = copy.deepcopy(value)

    return change


VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1.5, "", "=", "x", "={{", "={{ $json }}", [], {},
    [None], [[]], {"": None}, {"a": {"b": []}}, "={{ $json.a.b }}", "\ud800",
)  # fmt: skip
DEEPER: tuple[Any, ...] = (
    None, 1, "={{ $('X').first().json.a }}", [], {}, [None, 3], {"values": 3},
    [{"name": "a", "value": "={{ $json.b }}"}], "\x00",
)  # fmt: skip
CONNECTIONS: tuple[Any, ...] = (
    None, [], "x", {"a": None}, {"a": {"main": None}}, {"a": {"main": [None, 3]}},
)  # fmt: skip
SETTINGS: tuple[Any, ...] = (
    None, [], {"timezone": 5, "executionTimeout": "x"}, {"executionTimeout": -1},
)  # fmt: skip
BENDS: dict[str, Callable[[Any], None]] = {
    **{f"no {key}": without(key) for key in (
        "name", "type", "typeVersion", "parameters", "id", "credentials", "position"
    )},
    **{f"{key} is {value!r}"[:60]: with_(key, value) for key, value in (
        ("name", None), ("name", 7), ("name", ""), ("name", ["a"]), ("type", None),
        ("type", 5), ("type", "x"), ("type", "n8n-nodes-base.httpRequest"),
        ("type", "n8n-nodes-base.merge"), ("type", "n8n-nodes-base.switch"),
        ("type", "n8n-nodes-base.set"), ("type", "n8n-nodes-base.if"),
        ("type", "n8n-nodes-base.splitInBatches"), ("type", "n8n-nodes-base.splitOut"),
        ("type", "n8n-nodes-base.webhook"), ("type", "n8n-nodes-base.wait"),
        ("type", "n8n-nodes-base.scheduleTrigger"), ("type", "n8n-nodes-base.filter"),
        ("type", "n8n-nodes-base.respondToWebhook"), ("type", "n8n-nodes-base.slack"),
        ("type", "n8n-nodes-base.executeWorkflow"), ("type", "n8n-nodes-base.noOp"),
        ("type", "n8n-nodes-base.aggregate"), ("type", "n8n-nodes-base.emailSend"),
        ("typeVersion", None), ("typeVersion", 0), ("typeVersion", 1),
        ("typeVersion", 99.5), ("typeVersion", "3"), ("typeVersion", [1]),
        ("typeVersion", -1), ("typeVersion", {}), ("parameters", None),
        ("parameters", []), ("parameters", "x"), ("parameters", 3),
        ("credentials", []), ("credentials", "x"), ("credentials", {"a": None}),
        ("credentials", {"httpBasicAuth": "Old"}), ("disabled", True),
        ("disabled", "yes"), ("onError", 5), ("onError", "continueErrorOutput"),
        ("retryOnFail", True), ("maxTries", "x"), ("executeOnce", True),
    )},
    **{f"parameters are {value!r}"[:60]: parameters(value) for value in VALUES},
    **{f"deeper is {value!r}"[:60]: deeper(value) for value in DEEPER},
    "by id": by_id, "a circle": circle, "everywhere": everywhere,
    "alike": names_alike, "nested": nested,
    "no connections": lambda tree: tree.pop("connections", None),
    **{f"edges {value!r}"[:60]: top("connections", value) for value in CONNECTIONS},
    **{f"settings {value!r}"[:60]: top("settings", value) for value in SETTINGS},
    "a node is null": lambda tree: tree["nodes"].append(None),
    "a node is a list": lambda tree: tree["nodes"].insert(0, [1]),
    "tags of all kinds": lambda tree: tree.update(tags=[None, 5, {"name": "a"}, "b"]),
}  # fmt: skip


def some(files: list[Path], name: str, every: int) -> list[Path]:
    """Each bend has other files than the one before it."""
    return files[list(BENDS).index(name) % every :: every]


@pytest.mark.parametrize("name", BENDS)
def test_our_own_files_bent(name: str, caplog: pytest.LogCaptureFixture) -> None:
    bent = trees(*some(OWN, name, MINE))
    for tree in bent:
        BENDS[name](tree)
    read = sum(holds(tree, caplog) for tree in bent)  # all of them, not up to the first
    assert read


@pytest.mark.parametrize("name", BENDS)
def test_real_files_bent(name: str, caplog: pytest.LogCaptureFixture) -> None:
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        pytest.skip(f"NOT TESTED: {FOLDER} is absent; set AUTOMATE_TEST_DATA")
    bent = trees(*some(files, name, REAL))
    for tree in bent:
        BENDS[name](tree)
    read = sum(holds(tree, caplog) for tree in bent)  # all of them, not up to the first
    assert read


@pytest.mark.parametrize(
    "raw", ["7", '"x"', "null", "true", "[null, 7, []]", '{"nodes": 5}', "[[[[]]]]"]
)
def test_what_is_no_object_is_refused(raw: str) -> None:
    for tree in (item.tree for item in read_exported(raw.encode()) if not item.error):
        with pytest.raises(NotAWorkflow):
            read_workflow(tree)


EXPRESSIONS = {
    '={{ $json["a b"][0].c }}': "exact",
    "={{ $json?.a }}": "exact",
    '={{$node["Webhook"].json["body"]["y"]}}': "exact",
    "={{ $('Webhook').first().json.body.a }}": "exact",
    '={{ $items("Webhook")[0].json.body }}': "exact",
    "={{ $input.item.json.body }}": "exact",
    "={{ $env.HOST }}": "exact",
    "={{ $json.body.a ? 'x' : 'y' }}": "exact",
    "={{ `${$json.body.a} and ${$json.body.b}` }}": "exact",
    "={{ $json.body.a.trim().toLowerCase() }}": "exact",
    "={{ $now }}": "approximate",
    "={{ $json.body.a.localeCompare('b') }}": "approximate",
    "={{ (() => { return 1 })() }}": "approximate",
    "={{ $json.body.a.map(x => ({ y: x })) }}": "approximate",
    "={{ $jmespath($json.body, '[*].a') }}": "approximate",
    "={{ {{ }}": "approximate",
    "={{ $fromAI('a', 'b') }}": "approximate",
    "={{ $binary.data.fileName }}": "approximate",
    "={{ $('Webhook').all().length }}": "approximate",
    "={{ /[/]/.test($json.body.a) }}": "approximate",
    "={{ a => }}": "approximate",
    "={{ new Date( }}": "approximate",
    "={{ " + "x => " * 100 + "1 }}": "approximate",
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_of_every_kind(expression: str) -> None:
    """Converted, or named in the report and failing at its step: never dropped."""
    field = {"name": "v", "type": "any", "value": expression}
    given = {"assignments": {"assignments": [field]}}
    found = line(node("Here", "set", given, 3.4))
    if '$json["a b"]' in expression or "$json?" in expression:
        # A webhook's own data has no other keys: what is asked for comes from a body.
        found = line(
            node("Call", "httpRequest", {"url": "https://x.example.com"}, 4.2),
            node("Here", "set", given, 3.4),
        )
    assert told(found, "Here").fidelity == EXPRESSIONS[expression]


def test_several_workflows_in_one_file_that_are_bent_differently() -> None:
    whole = exported([node("W", "webhook"), node("N", "noOp")])
    raw = json.dumps([whole, {"nodes": None}, None, {**whole, "name": None}])
    found = list(read_exported(raw.encode()))
    assert [item.number for item in found] == [1, 2, 3, 4]
    good = []
    for item in found:
        try:
            good.append(read_workflow(item.tree))
        except NotAWorkflow:
            continue
    assert len(good) == 2
